#include "tests/queue_model/steps.h"

#include "tests/queue_model/fault.h"
#include "tests/queue_model/invariants.h"
#include "tests/queue_model/report.h"

enum { LOST_PERCENT = 2, LOOK_EVERY = 20 };

enum where { EVERYWHERE, PLAIN_CONSUMERS, PLAIN_PRODUCERS, REMOVALS };

/* Special ones are followed by a look at all keys. */
static const struct kind {
    const char *name;
    void (*take)(struct world *world);
    unsigned weight;
    enum where where;
    bool special;
} kinds[] = {
    {"change", step_change, 20, EVERYWHERE, false},
    {"push", step_push, 150, EVERYWHERE, false},
    {"push later", step_push_later, 80, EVERYWHERE, false},
    {"sooner", step_sooner, 20, EVERYWHERE, false},
    {"promote", step_promote, 20, EVERYWHERE, false},
    {"reserve", step_reserve, 190, EVERYWHERE, false},
    {"ack and reserve", step_ack_reserve, 40, EVERYWHERE, false},
    {"read", step_read, 30, EVERYWHERE, false},
    {"settle", step_settle, 240, EVERYWHERE, false},
    {"heartbeat", step_heartbeat, 20, EVERYWHERE, false},
    {"blocking move", step_move, 40, EVERYWHERE, false},
    {"crash", step_crash, 12, EVERYWHERE, false},
    {"come back", step_come_back, 30, EVERYWHERE, true},
    {"close", step_close, 8, EVERYWHERE, true},

    {"plain push", step_plain_push, 60, PLAIN_PRODUCERS, false},
    {"plain pop", step_plain_pop, 80, PLAIN_CONSUMERS, false},
    {"plain read", step_plain_read, 40, PLAIN_CONSUMERS, false},
    {"plain done", step_plain_done, 70, PLAIN_CONSUMERS, false},
    {"plain crash", step_plain_crash, 6, PLAIN_CONSUMERS, false},

    {"recover", step_recover, 15, EVERYWHERE, true},
    {"recover one", step_recover_one, 15, EVERYWHERE, true},
    {"recover a living one", step_recover_living, 8, EVERYWHERE, false},
    {"replay", step_replay, 6, EVERYWHERE, false},
    {"replay all", step_replay_all, 3, EVERYWHERE, true},
    {"remove", step_remove, 12, REMOVALS, true},
    {"purge dead", step_purge_dead, 2, EVERYWHERE, true},
    {"purge all", step_purge_all, 1, EVERYWHERE, true},
    {"pause or resume", step_pause, 6, EVERYWHERE, false},
    {"stats", step_stats, 3, EVERYWHERE, false},
    {"forget scripts", step_forget_scripts, 4, EVERYWHERE, false},
    {"cut connections", step_cut_connections, 2, EVERYWHERE, false},
    {"restart", step_restart, 2, EVERYWHERE, false},

    {"wait a little", step_wait_little, 60, EVERYWHERE, false},
    {"wait for a lease", step_wait_lease, 8, EVERYWHERE, true},
    {"wait long", step_wait_long, 4, EVERYWHERE, true},
    {"wait for the plain timeout", step_wait_plain_timeout, 3, PLAIN_CONSUMERS, true},
    {"clock goes back", step_clock_goes_back, 2, EVERYWHERE, false},
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static unsigned weight_in(const struct config *config, const struct kind *kind)
{
    if ((kind->where == PLAIN_CONSUMERS && !config->plain_consumers) ||
        (kind->where == PLAIN_PRODUCERS && !config->plain_producers) ||
        (kind->where == REMOVALS && !config->removals))
        return 0;
    return kind->weight;
}

static const struct kind *choose(struct world *world)
{
    size_t total = 0, chosen;

    for (size_t i = 0; i < KINDS; i++)
        total += weight_in(world->config, &kinds[i]);
    chosen = world_below(world, total);
    for (size_t i = 0; i < KINDS; i++) {
        size_t weight = weight_in(world->config, &kinds[i]);

        if (chosen < weight)
            return &kinds[i];
        chosen -= weight;
    }
    return &kinds[0];
}

bool steps_take(struct world *world)
{
    const struct kind *kind = choose(world);

    world->trail[world->step % TRAIL][0] = '\0';
    world_note(world, "%s", kind->name);
    if (world_percent(world, LOST_PERCENT))
        fault_lose_answer((int)world_below(world, 2));
    kind->take(world);
    fault_disarm();
    plain_give_up_overdue(world);
    if (!world->broken && (kind->special || world->step % LOOK_EVERY == 0))
        invariants_check(world);
    return !world->broken;
}
