#include "tests/queue_model/fixed.h"

#include <setjmp.h>
#include <stdio.h>

#include "tests/queue_model/drain.h"
#include "tests/queue_model/fault.h"
#include "tests/queue_model/fixed_kit.h"
#include "tests/queue_model/invariants.h"
#include "tests/queue_model/report.h"
#include "tests/queue_model/tap.h"

static jmp_buf end_of_test;
static struct snapshot now;

/* ---- the kit ---- */

void fixed_must(struct world *world, bool condition, const char *file, int line, const char *text)
{
    if (!condition)
        world_broken(world, "%s:%d: %s", file, line, text);
    if (world->broken)
        longjmp(end_of_test, 1);
}

void look(struct world *world)
{
    MUST(world, invariants_check(world));
    world->step++;
    world->trail[world->step % TRAIL][0] = '\0';
}

struct handle *new_consumer(struct world *world)
{
    struct handle *handle = native_open(world);

    MUST(world, handle != NULL);
    return handle;
}

static enum pgusher_queue_pushed push_by(struct world *world, push_fn *fn, int doc)
{
    enum pgusher_queue_pushed outcome = PGUSHER_QUEUE_QUEUED;

    world_note(world, "push %d", doc);
    world->docs[doc].version++;
    MUST(world, native_push(world, fn, &doc, 1, &outcome));
    look(world);
    return outcome;
}

enum pgusher_queue_pushed push(struct world *world, int doc)
{
    return push_by(world, pgusher_queue_push, doc);
}

enum pgusher_queue_pushed push_later(struct world *world, int doc)
{
    return push_by(world, pgusher_queue_push_later, doc);
}

void push_range(struct world *world, int first, int last)
{
    for (int doc = first; doc <= last; doc++)
        push(world, doc);
}

struct holding *take(struct world *world, struct handle *handle, size_t max, size_t count)
{
    struct holding *holding;

    world_note(world, "take");
    holding = native_reserve(world, handle, max);
    MUST(world, (holding ? holding->count : 0) == count);
    if (holding)
        native_read(world, holding);
    look(world);
    return holding;
}

static void settle(struct world *world, struct handle *handle, struct holding *holding, enum verdict verdict,
                   const struct choice *choice, int64_t delay_ms)
{
    world_note(world, "settle %d", verdict);
    MUST(world, native_settle(world, handle, holding, verdict, choice, delay_ms));
    look(world);
}

void ack(struct world *world, struct handle *handle, struct holding *holding)
{
    settle(world, handle, holding, VERDICT_ACK, &(struct choice){.all = true}, 0);
}

void nack(struct world *world, struct handle *handle, struct holding *holding, int64_t delay_ms)
{
    settle(world, handle, holding, VERDICT_NACK, &(struct choice){.all = true}, delay_ms);
}

void release(struct world *world, struct handle *handle, struct holding *holding)
{
    settle(world, handle, holding, VERDICT_RELEASE, &(struct choice){.all = true}, 0);
}

void settle_one(struct world *world, struct handle *handle, struct holding *holding, size_t index,
                enum verdict verdict, int64_t delay_ms)
{
    settle(world, handle, holding, verdict, &(struct choice){.index = {index}, .count = 1}, delay_ms);
}

void move(struct world *world, struct handle *handle, int doc)
{
    int before = handle->moved[doc];

    world_note(world, "move");
    native_move(world, handle);
    MUST(world, handle->moved[doc] == before + 1);
    look(world);
}

void crash(struct handle *handle)
{
    handle->alive = false;
}

void wait_for(struct world *world, int64_t ms)
{
    world_note(world, "wait %lld ms", (long long)ms);
    world_pass(world, ms);
    look(world);
}

int recover(struct world *world)
{
    int recovered = pgusher_queue_recover(world->producer);

    world_note(world, "recover: %d", recovered);
    MUST(world, recovered >= 0);
    look(world);
    return recovered;
}

const struct place *place(struct world *world, int doc)
{
    snapshot_take(world, &now);
    return &now.docs[doc];
}

size_t waiting(struct world *world)
{
    snapshot_take(world, &now);
    return (size_t)now.length;
}

int64_t age_of_oldest(struct world *world)
{
    struct pgusher_queue_stats stats;
    int64_t age;

    MUST(world, pgusher_queue_stats(world->producer, &stats) == 0);
    age = stats.oldest_waiting_ms;
    pgusher_queue_stats_free(&stats);
    return age;
}

size_t finish(struct world *world, struct handle *handle, int *order)
{
    struct holding *holding;
    size_t count = 0;

    while ((holding = native_reserve(world, handle, MAX_BATCH)) != NULL) {
        for (size_t i = 0; i < holding->count; i++) {
            if (order)
                order[count] = holding->docs[i];
            count++;
        }
        ack(world, handle, holding);
    }
    MUST(world, !world->broken);
    return count;
}

/* ---- running them ---- */

static const struct config kinds[] = {
    [NATIVE] = {"native", true, false, false, 8, 3, MAX_DOCS, 4, true},
    [STRICT] = {"strict", true, false, false, 2, 1, MAX_DOCS, 4, true},
    [WITH_PLAIN] = {"with plain", true, true, false, 8, 3, MAX_DOCS, 4, true},
    [NO_COALESCING] = {"no coalescing", false, true, true, 8, 3, MAX_DOCS, 4, true},
};

/* Every one ends with a drain, as the random ones do. */
static void run(const struct fixed *fixed, const char *url, redisContext *redis)
{
    static struct world world;

    world_begin(&world, &kinds[fixed->kind], url, redis, 1);
    if (setjmp(end_of_test) == 0) {
        fixed->test(&world);
        fault_disarm();
        MUST(&world, drain(&world));
    }
    if (world.broken)
        world_report(&world);
    tap_result(!world.broken, "%s", fixed->name);
    world_end(&world);
}

void fixed_run(const char *url, redisContext *redis)
{
    static const struct fixed *const tables[] = {fixed_waiting, fixed_moves, fixed_leases, fixed_failures,
                                                 fixed_answers, fixed_plain, fixed_later,  fixed_many};

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct fixed *fixed = tables[i]; fixed->name; fixed++)
            run(fixed, url, redis);
    }
}
