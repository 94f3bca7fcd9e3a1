/* Failures, crashes, dead letters, delays. */
#include "tests/queue_model/fixed_kit.h"

#include <string.h>

static int attempt(struct world *world, struct handle *c, struct holding **ret_holding)
{
    *ret_holding = take(world, c, 1, 1);
    return pgusher_queue_batch_attempt((*ret_holding)->batch, 0);
}

static void attempts_are_counted(struct world *world)
{
    struct handle *c = new_consumer(world), *mortal = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    MUST(world, attempt(world, c, &holding) == 1);
    nack(world, c, holding, 0);
    MUST(world, attempt(world, mortal, &holding) == 2);
    crash(mortal);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 1);
    MUST(world, place(world, 0)->failures == 1 && place(world, 0)->crashes == 1);
    MUST(world, attempt(world, c, &holding) == 3);
    release(world, c, holding);
    MUST(world, attempt(world, c, &holding) == 3);
    ack(world, c, holding);
    push(world, 0);
    MUST(world, attempt(world, c, &holding) == 1);
}

/* The configuration allows 8 failures. */
static void too_many_failures(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding = NULL;

    push(world, 0);
    for (int i = 1; i <= 8; i++) {
        MUST(world, !place(world, 0)->dead && attempt(world, c, &holding) == i);
        nack(world, c, holding, 0);
    }
    MUST(world, place(world, 0)->dead && !place(world, 0)->delayed);
    wait_for(world, LEASE_MS);
    take(world, c, 1, 0);
}

static void crash_with(struct world *world, size_t count)
{
    struct handle *mortal = new_consumer(world);

    take(world, mortal, count, count);
    crash(mortal);
    wait_for(world, LEASE_MS + 1);
    recover(world);
}

/* And 3 crashes. */
static void too_many_crashes(struct world *world)
{
    push(world, 0);
    for (int i = 1; i <= 3; i++) {
        MUST(world, !place(world, 0)->dead);
        crash_with(world, 1);
    }
    MUST(world, place(world, 0)->dead && place(world, 0)->crashes == 3);
}

/* What changed meanwhile may well pass. */
static void dirty_ones_live(struct world *world)
{
    struct handle *c = new_consumer(world), *mortal = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 1);
    holding = take(world, c, 2, 2);
    push_range(world, 0, 1);
    settle_one(world, c, holding, 0, VERDICT_NACK, PGUSHER_QUEUE_BURY);
    MUST(world, !place(world, 0)->dead && place(world, 0)->delayed);
    settle_one(world, c, holding, 1, VERDICT_NACK, 0);
    holding = take(world, mortal, 2, 2);
    push_range(world, 0, 1);
    crash(mortal);
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 2);
    MUST(world, place(world, 0)->waiting && place(world, 1)->waiting);
    holding = take(world, c, 2, 2);
    push(world, 0);
    nack(world, c, holding, 0); /* the second failure of two */
    MUST(world, !place(world, 0)->dead && place(world, 1)->dead);
}

static void pushed_when_dead(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    nack(world, c, take(world, c, 1, 1), PGUSHER_QUEUE_BURY);
    MUST(world, place(world, 0)->dead);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_REVIVED);
    MUST(world, !place(world, 0)->dead && !place(world, 0)->failed);
    MUST(world, attempt(world, c, &holding) == 1);
    nack(world, c, holding, 0);
    MUST(world, !place(world, 0)->dead); /* one failure of two */
}

static void replayed(struct world *world)
{
    struct pgusher_queue_item items[] = {doc_item(0), doc_item(1), doc_item(2)};
    struct handle *c = new_consumer(world);
    struct holding *holding;
    bool done[3];

    push_range(world, 0, 1);
    holding = take(world, c, 2, 2);
    nack(world, c, holding, PGUSHER_QUEUE_BURY);
    push(world, 2);
    MUST(world, pgusher_queue_replay(world->producer, items, 3, done) == 2 && done[0] && done[1] && !done[2]);
    world->docs[0].failures = world->docs[1].failures = 0;
    look(world);
    MUST(world, place(world, 0)->waiting && !place(world, 0)->failed && place(world, 2)->waiting == 1);
    MUST(world, attempt(world, c, &holding) == 1);
    MUST(world, pgusher_queue_replay_all(world->producer) == 0);
}

static void delays(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 1);
    nack(world, c, take(world, c, 1, 1), 500);
    MUST(world, take(world, c, 5, 1)->docs[0] == 1);
    MUST(world, pgusher_queue_due_ms(c->queue) == 500);
    wait_for(world, 499);
    take(world, c, 5, 0);
    MUST(world, pgusher_queue_due_ms(c->queue) == 1);
    wait_for(world, 1);
    MUST(world, take(world, c, 5, 1)->docs[0] == 0);
}

static void joins_when_delayed(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    nack(world, c, take(world, c, 1, 1), 500);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_JOINED && waiting(world) == 0);
    wait_for(world, 500);
    MUST(world, attempt(world, c, &holding) == 2);
    ack(world, c, holding);
    MUST(world, world->docs[0].indexed == world->docs[0].version && waiting(world) == 0);
}

/* More become due than are asked for: the marks of all must be right. */
static void many_become_due(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 5);
    nack(world, c, take(world, c, 6, 6), 500);
    wait_for(world, 500);
    ack(world, c, take(world, c, 2, 2));
    for (int doc = 0; doc <= 5; doc++)
        push(world, doc);
    MUST(world, waiting(world) == 6);
}

static int64_t backoff_of(struct world *world, struct handle *c)
{
    struct pgusher_queue_item item = doc_item(0);

    nack(world, c, take(world, c, 1, 1), PGUSHER_QUEUE_BACKOFF);
    return world_integer(world, "ZSCORE " QUEUE ":delayed %b", item.data, item.len) - world->now;
}

static void backoff_doubles(struct world *world)
{
    struct handle *c = new_consumer(world);

    push(world, 0);
    for (int64_t most = 1000; most <= 64000; most *= 2) {
        int64_t delay = backoff_of(world, c);

        MUST(world, delay >= 500 && delay <= most);
        MUST(world, most < 16000 || delay > 1000);
        wait_for(world, delay);
    }
}

static void reasons_are_cut(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct pgusher_queue_item item = doc_item(0);
    char reason[2000];
    redisReply *record;

    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    push(world, 0);
    MUST(world, pgusher_queue_nack(c->queue, take(world, c, 1, 1)->batch, NULL, 0, reason, 0) == 1);
    c->holdings[0].gone[0] = true;
    world->docs[0].failures = 1;
    look(world);
    record = world_redis(world, "HGET " QUEUE ":failures %b", item.data, item.len);
    MUST(world, strlen(strchr(record->str, 'x')) == 512);
    freeReplyObject(record);
}

static void counters(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct pgusher_queue_stats stats;
    struct holding *holding;

    push_range(world, 0, 5);
    push(world, 0);
    holding = take(world, c, 5, 5);
    push(world, 0);
    settle_one(world, c, holding, 0, VERDICT_ACK, 0);
    settle_one(world, c, holding, 1, VERDICT_ACK, 0);
    settle_one(world, c, holding, 2, VERDICT_NACK, 10000);
    settle_one(world, c, holding, 3, VERDICT_NACK, PGUSHER_QUEUE_BURY);
    settle_one(world, c, holding, 4, VERDICT_RELEASE, 0);
    crash_with(world, 1);
    MUST(world, pgusher_queue_stats(world->producer, &stats) == 0);
    MUST(world, stats.queued == 6 && stats.coalesced == 2 && stats.acked == 2 && stats.requeued == 1);
    MUST(world, stats.failed == 2 && stats.died == 1 && stats.released == 1 && stats.recovered == 1);
    MUST(world, stats.waiting == 3 && stats.in_flight == 0 && stats.delayed == 1 && stats.dead == 1);
    MUST(world, stats.next_due_ms == 10000 - LEASE_MS - 1);
    pgusher_queue_stats_free(&stats);
}

const struct fixed fixed_failures[] = {
    {"attempts are counted", attempts_are_counted, NATIVE},
    {"the last failure allowed makes a dead letter", too_many_failures, NATIVE},
    {"the last crash allowed makes a dead letter", too_many_crashes, NATIVE},
    {"what changed meanwhile is never a dead letter", dirty_ones_live, STRICT},
    {"a dead letter that is pushed starts anew", pushed_when_dead, STRICT},
    {"replay", replayed, STRICT},
    {"a delay ends exactly when it is due", delays, NATIVE},
    {"pushed while delayed: it joins", joins_when_delayed, NATIVE},
    {"more become due than are asked for", many_become_due, NATIVE},
    {"the backoff doubles", backoff_doubles, NATIVE},
    {"reasons are cut", reasons_are_cut, NATIVE},
    {"counters", counters, NATIVE},
    {NULL, NULL, NATIVE},
};
