#include "tests/queue_model/speed.h"

#include <stdio.h>
#include <string.h>

#include "tests/queue_model/native.h"
#include "tests/queue_model/report.h"
#include "tests/queue_model/tap.h"

enum {
    MILLION = 1000000,
    LANE = 250000,
    CALL = 500,
    FILL = 1000,
    TRIES = 7,
    LIMIT_US = 20000,
    RELEASES = 40
};

/* Calls of Redis in a loop, and how long a machine may take for them of which 5 ms are demanded; a slower one
 * gets more. */
#define REFERENCE_SCRIPT "for i = 1, 3000 do redis.call('HGET', KEYS[1], 'seq') end"
enum { REFERENCE_US = 1600 };

static int64_t limit_us = LIMIT_US;

static char names[FILL][24];
static struct pgusher_queue_item items[FILL];

/* Items first, first + step, ... */
static void name_items(int first, int step, int count)
{
    for (int i = 0; i < count; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "item:%d", first + i * step);

        items[i] = (struct pgusher_queue_item){names[i], (size_t)len};
    }
}

static bool fill(struct world *world, push_fn *push, int count)
{
    for (int i = 0; i < count; i += FILL) {
        name_items(i, 1, FILL);
        if (push(world->producer, items, FILL, NULL) != 0)
            return world_broken(world, "filling: %s", pgusher_queue_error(world->producer));
    }
    return true;
}

/* ---- what Redis says ---- */

static void begin_measuring(struct world *world)
{
    freeReplyObject(world_redis(world, "CONFIG SET slowlog-log-slower-than 0"));
    freeReplyObject(world_redis(world, "SLOWLOG RESET"));
}

/* The longest script since. */
static int64_t end_measuring(struct world *world)
{
    redisReply *log = world_redis(world, "SLOWLOG GET -1");
    int64_t longest = 0;

    for (size_t i = 0; i < log->elements; i++) {
        const redisReply *entry = log->element[i];

        if (strncmp(entry->element[3]->element[0]->str, "EVAL", 4) == 0 &&
            entry->element[2]->integer > longest)
            longest = entry->element[2]->integer;
    }
    freeReplyObject(log);
    freeReplyObject(world_redis(world, "CONFIG SET slowlog-log-slower-than -1"));
    return longest;
}

/* ---- what is measured; each leaves about as many waiting as it found ---- */

static struct handle *consumer;
static struct pgusher_queue_batch *batch;

static void reserve(struct world *world)
{
    if (pgusher_queue_reserve(consumer->queue, CALL, 0, &batch) != CALL)
        world_broken(world, "reserve: %s", pgusher_queue_error(consumer->queue));
}

static void let_go(int done)
{
    (void)done;
    pgusher_queue_batch_free(batch);
    batch = NULL;
}

static void push_new(struct world *world)
{
    static int next = MILLION;

    name_items(next, 1, CALL);
    next += CALL;
    pgusher_queue_push(world->producer, items, CALL, NULL);
}

/* The middle of the list is farthest from both ends. */
static void push_waiting(struct world *world)
{
    name_items(MILLION / 2, 1, CALL);
    pgusher_queue_push(world->producer, items, CALL, NULL);
}

static void push_waiting_all_over(struct world *world)
{
    name_items(100 * CALL, (MILLION - 200 * CALL) / CALL, CALL);
    pgusher_queue_push(world->producer, items, CALL, NULL);
}

static void reserve_and_release(struct world *world)
{
    reserve(world);
    let_go(pgusher_queue_release(consumer->queue, batch, NULL, 0));
}

static void release_again_and_again(struct world *world)
{
    for (int i = 0; i < RELEASES; i++)
        reserve_and_release(world);
    push_waiting_all_over(world);
}

static void reserve_and_ack(struct world *world)
{
    reserve(world);
    let_go(pgusher_queue_ack(consumer->queue, batch, NULL, 0, NULL));
}

/* Item by item, newest first: the dearest order. */
static void ack_one_by_one(struct world *world)
{
    reserve(world);
    for (size_t i = CALL; i-- > CALL - 20;)
        pgusher_queue_ack(consumer->queue, batch, &i, 1, NULL);
    let_go(pgusher_queue_ack(consumer->queue, batch, NULL, 0, NULL));
}

static void change_in_flight(struct world *world)
{
    reserve(world);
    for (size_t i = 0; i < CALL; i++)
        items[i].data = pgusher_queue_batch_item(batch, i, &items[i].len);
    pgusher_queue_push(world->producer, items, CALL, NULL);
    let_go(pgusher_queue_ack(consumer->queue, batch, NULL, 0, NULL));
}

static void nack_until_due(struct world *world)
{
    reserve(world);
    let_go(pgusher_queue_nack(consumer->queue, batch, NULL, 0, "slow", 0));
    reserve_and_ack(world);
}

static void die_and_be_recovered(struct world *world)
{
    reserve(world);
    let_go(0);
    world_pass(world, LEASE_MS + 1);
    if (pgusher_queue_recover(world->producer) != CALL)
        world_broken(world, "recover: %s", pgusher_queue_error(world->producer));
}

static void push_later(struct world *world)
{
    static int next = MILLION;

    name_items(next, 1, CALL);
    next += CALL;
    pgusher_queue_push_later(world->producer, items, CALL, NULL);
}

static void push_what_is_later(struct world *world)
{
    static int next = LANE / 2;

    name_items(next, 1, CALL);
    next += CALL;
    pgusher_queue_push(world->producer, items, CALL, NULL);
    if (pgusher_queue_push_later(world->producer, items, CALL, NULL) == 0)
        reserve_and_ack(world);
}

static void look_at_it(struct world *world)
{
    struct pgusher_queue_stats stats;

    if (pgusher_queue_stats(world->producer, &stats) == 0)
        pgusher_queue_stats_free(&stats);
    pgusher_queue_heartbeat(consumer->queue);
}

static const struct speed_case {
    const char *name;
    void (*call)(struct world *world);
} cases[] = {
    {"push what is new", push_new},
    {"push what waits in the middle", push_waiting},
    {"push what waits all over", push_waiting_all_over},
    {"reserve and release", reserve_and_release},
    {"release again and again", release_again_and_again},
    {"reserve and ack", reserve_and_ack},
    {"ack one by one", ack_one_by_one},
    {"change in flight", change_in_flight},
    {"nack, promote", nack_until_due},
    {"recover", die_and_be_recovered},
    {"stats, heartbeat", look_at_it},
    {NULL, NULL},
};

/* With the lane for later full instead. */
static const struct speed_case cases_later[] = {
    {"push later", push_later},
    {"push what waits for later", push_what_is_later},
    {"reserve from the lane, ack", reserve_and_ack},
    {NULL, NULL},
};

static void call_reference(struct world *world)
{
    freeReplyObject(world_redis(world, "EVAL %s 1 " QUEUE ":meta", REFERENCE_SCRIPT));
}

/* The shortest try. */
static int64_t measure(struct world *world, void (*call)(struct world *world))
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < TRIES; i++) {
        int64_t took;

        begin_measuring(world);
        call(world);
        took = end_measuring(world);
        best = took < best ? took : best;
    }
    return best;
}

static void set_limit(struct world *world)
{
    int64_t reference = measure(world, call_reference);

    limit_us = reference > REFERENCE_US ? LIMIT_US * reference / REFERENCE_US : LIMIT_US;
    printf("# reference: %lld us, limit: %lld us\n", (long long)reference, (long long)limit_us);
}

static void judge(struct world *world, const struct speed_case *one, const char *when)
{
    int64_t best = measure(world, one->call);

    if (world->broken)
        printf("# %s\n", world->why);
    printf("# %s: %lld us\n", one->name, (long long)best);
    tap_result(!world->broken && best > 0 && best <= limit_us, "with %s at most %d ms: %s", when,
               LIMIT_US / 1000, one->name);
}

static void run(struct world *world, const struct speed_case *list, push_fn *push, int count,
                const char *when)
{
    if (!fill(world, push, count))
        tap_result(false, "items %s: %s", when, world->why);
    for (; !world->broken && list->name; list++)
        judge(world, list, when);
}

void speed_run(const char *url, redisContext *redis)
{
    static const struct config config = {"speed", true, false, false, 8, 1000, MAX_DOCS, 1, false};
    static struct world world;

    world_begin(&world, &config, url, redis, 1);
    consumer = native_open(&world);
    if (consumer) {
        set_limit(&world);
        run(&world, cases, pgusher_queue_push, MILLION, "a million waiting");
        pgusher_queue_purge_all(world.producer);
        run(&world, cases_later, pgusher_queue_push_later, LANE, "a quarter million for later");
    } else {
        tap_result(false, "a consumer: %s", world.why);
    }
    world_end(&world);
}
