#include "tests/queue_model/drain.h"

#include <inttypes.h>
#include <string.h>

#include "tests/queue_model/invariants.h"
#include "tests/queue_model/native.h"
#include "tests/queue_model/report.h"

enum { MAX_ROUNDS = 2000, PAUSE_MS = 61000 };

static bool push_what_changed(struct world *world)
{
    enum pgusher_queue_pushed outcome;

    for (int i = 0; i < world->config->docs && !world->broken; i++) {
        if (world->docs[i].pushed < world->docs[i].version)
            native_push(world, pgusher_queue_push, &i, 1, &outcome);
    }
    return !world->broken;
}

static void crash_all(struct world *world)
{
    for (size_t i = 0; i < world->nhandles; i++)
        world->handles[i].alive = false;
    for (int i = 0; i < MAX_PLAIN; i++)
        world->plains[i].doc = -1;
}

static bool is_drained(const struct snapshot *snapshot)
{
    return snapshot->length == 0 && snapshot->later == 0 && snapshot->held == 0 && snapshot->delayed == 0 &&
           snapshot->dead == 0 && snapshot->plain == 0 && snapshot->nowners <= 1;
}

static bool handle_some(struct world *world, struct handle *handle)
{
    struct choice all = {.all = true};
    struct holding *holding = native_reserve(world, handle, MAX_BATCH);

    return holding && native_settle(world, handle, holding, VERDICT_ACK, &all, 0);
}

/* Nothing comes: leases, delays and timeouts run out, and an operator looks after the dead. */
static void let_time_pass(struct world *world)
{
    world_pass(world, PAUSE_MS);
    if (pgusher_queue_recover(world->producer) < 0 || pgusher_queue_replay_all(world->producer) < 0)
        world_broken(world, "the drain: %s", pgusher_queue_error(world->producer));
    for (int i = 0; i < world->config->docs; i++)
        world->docs[i].unsure = true;
}

/* Failures of what plain consumers finished are nobody's to forget. */
static bool may_stay(const struct world *world, const char *key)
{
    return strcmp(key, "test:now") == 0 || strcmp(key, QUEUE ":meta") == 0 ||
           strcmp(key, QUEUE ":consumers") == 0 ||
           (world->config->plain_consumers && strcmp(key, QUEUE ":failures") == 0);
}

static void check_keys(struct world *world)
{
    redisReply *keys = world_redis(world, "KEYS *");

    for (size_t i = 0; i < keys->elements; i++) {
        if (!may_stay(world, keys->element[i]->str))
            world_broken(world, "13: the queue is empty, and %s is left", keys->element[i]->str);
    }
    freeReplyObject(keys);
}

static bool check_index(struct world *world)
{
    for (int i = 0; i < world->config->docs; i++) {
        const struct doc *doc = &world->docs[i];

        if (doc->indexed != doc->version && doc->waived != doc->version)
            return world_broken(world, "13: event:%d is at %" PRId64 ", indexed is %" PRId64, i, doc->version,
                                doc->indexed);
    }
    return true;
}

static bool look(struct world *world, struct snapshot *snapshot)
{
    snapshot_take(world, snapshot);
    return invariants_hold(world, snapshot);
}

bool drain(struct world *world)
{
    static struct snapshot snapshot;
    struct handle *last;

    world->trail[++world->step % TRAIL][0] = '\0';
    world_note(world, "drain");
    world->paused = false;
    pgusher_queue_pause(world->producer, false);
    world_count(EVENT_DIED, (size_t)world_integer(world, "HGET " QUEUE ":meta died"));
    crash_all(world);
    last = native_open(world);
    if (!last || !push_what_changed(world))
        return false;
    for (int i = 0; i < MAX_ROUNDS && look(world, &snapshot) && !(i && is_drained(&snapshot)); i++) {
        if (!handle_some(world, last) && !world->broken)
            let_time_pass(world);
    }
    if (!world->broken && !is_drained(&snapshot))
        world_broken(world, "13: the queue does not drain");
    if (!world->broken && check_index(world))
        check_keys(world);
    return !world->broken;
}
