/* The lane of items that wait until nothing else does. In the model at most one of them stands in the list
 * while a consumer lives, and three while none does. */
#include "tests/queue_model/fixed_kit.h"

enum { FEW = 1, MANY = 3 };

static void push_range_later(struct world *world, int first, int last)
{
    for (int doc = first; doc <= last; doc++)
        push_later(world, doc);
}

static size_t later(struct world *world)
{
    static struct snapshot now;

    snapshot_take(world, &now);
    return now.later;
}

static int64_t age_of_later(struct world *world)
{
    struct pgusher_queue_stats stats;
    int64_t age;

    MUST(world, pgusher_queue_stats(world->producer, &stats) == 0);
    age = stats.oldest_later_ms;
    pgusher_queue_stats_free(&stats);
    return age;
}

/* How many it moved on. */
static long long promote(struct world *world)
{
    redisReply *reply = world_script(world, "promote", NULL, 0, NULL);
    long long moved = reply->element[0]->integer;

    MUST(world, (size_t)reply->element[1]->integer == later(world));
    freeReplyObject(reply);
    look(world);
    return moved;
}

static void plain_handles(struct world *world, int doc)
{
    redisReply *item = world_redis(world, "RPOP " QUEUE);

    MUST(world, item->type == REDIS_REPLY_STRING && doc_of(item->str, (size_t)item->len) == doc);
    freeReplyObject(item);
    world->docs[doc].indexed = world->docs[doc].version;
    look(world);
}

static void overtaken(struct world *world)
{
    struct handle *c = new_consumer(world);
    int order[16];

    take(world, c, 1, 0);
    push_range_later(world, 0, 9);
    MUST(world, waiting(world) == FEW && later(world) == 10 - FEW);
    push(world, 20);
    push(world, 21);
    MUST(world, finish(world, c, order) == 12);
    MUST(world, order[0] == 0 && order[1] == 20 && order[2] == 21 && order[3] == 1 && order[11] == 9);
}

static void comes_sooner_once_it_changes(struct world *world)
{
    struct handle *c = new_consumer(world);
    int order[16];

    take(world, c, 1, 0);
    push_range_later(world, 0, 9);
    MUST(world, push(world, 7) == PGUSHER_QUEUE_COALESCED);
    MUST(world, !place(world, 7)->later && place(world, 7)->waiting == 1);
    MUST(world, push_later(world, 7) == PGUSHER_QUEUE_COALESCED);
    MUST(world, push_later(world, 8) == PGUSHER_QUEUE_COALESCED);
    MUST(world, finish(world, c, order) == 10);
    MUST(world, order[1] == 7 && order[2] == 1 && order[8] == 8);
}

static void what_is_elsewhere_stays_there(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 3);
    holding = take(world, c, 3, 3);
    settle_one(world, c, holding, 0, VERDICT_NACK, 100 * LEASE_MS);
    settle_one(world, c, holding, 1, VERDICT_NACK, PGUSHER_QUEUE_BURY);
    MUST(world, push_later(world, 0) == PGUSHER_QUEUE_JOINED);
    MUST(world, push_later(world, 2) == PGUSHER_QUEUE_DIRTY);
    MUST(world, push_later(world, 3) == PGUSHER_QUEUE_COALESCED);
    MUST(world, push_later(world, 1) == PGUSHER_QUEUE_REVIVED && place(world, 1)->later);
    MUST(world, !place(world, 1)->failed);
}

static void plain_consumers_are_fed(struct world *world)
{
    push_range_later(world, 0, 9);
    MUST(world, waiting(world) == MANY && promote(world) == 0);
    push(world, 20);
    for (int doc = 0; doc < MANY; doc++)
        plain_handles(world, doc);
    plain_handles(world, 20);
    MUST(world, waiting(world) == 0);
    for (int doc = MANY; doc <= 9; doc++) {
        promote(world);
        MUST(world, waiting(world) == (size_t)(doc + MANY <= 10 ? MANY : 10 - doc));
        plain_handles(world, doc);
    }
    MUST(world, promote(world) == 0 && later(world) == 0);
}

/* The registry knows a consumer that has died: nobody recovers it where all are plain. */
static void a_dead_consumer_counts_for_nothing(struct world *world)
{
    struct handle *c = new_consumer(world);

    take(world, c, 1, 0);
    push_range_later(world, 0, 9);
    MUST(world, waiting(world) == FEW);
    crash(c);
    wait_for(world, LEASE_MS + 1);
    MUST(world, promote(world) == MANY - FEW && waiting(world) == MANY);
}

static void recovery_feeds_them_too(struct world *world)
{
    push_range_later(world, 0, 9);
    for (int doc = 0; doc < MANY; doc++)
        plain_handles(world, doc);
    MUST(world, waiting(world) == 0);
    recover(world);
    MUST(world, waiting(world) == MANY);
}

/* A consumer that gets much leaves something for one that is blocked at the list. */
static void leaves_some_for_others(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    take(world, c, 1, 0);
    take(world, other, 1, 0);
    push_range_later(world, 0, 9);
    ack(world, c, take(world, c, 5, 5));
    MUST(world, waiting(world) == FEW);
    move(world, other, 5);
    ack(world, other, take(world, other, 3, 3));
}

static void a_plain_copy_is_delivered(struct world *world)
{
    struct pgusher_queue_item item = doc_item(5);
    struct handle *c = new_consumer(world);

    world->inexact = true;
    take(world, c, 1, 0);
    push_range_later(world, 0, 9);
    freeReplyObject(world_redis(world, "RPUSH " QUEUE " %b", item.data, item.len));
    ack(world, c, take(world, c, 1, 1));
    MUST(world, !place(world, 5)->later && world->docs[5].indexed == 1);
}

static void nothing_is_given_while_paused(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range_later(world, 0, 9);
    world->paused = true;
    MUST(world, pgusher_queue_pause(world->producer, true) == 0);
    take(world, c, 9, 0);
    MUST(world, later(world) + waiting(world) == 10);
    world->paused = false;
    MUST(world, pgusher_queue_pause(world->producer, false) == 0);
    MUST(world, finish(world, c, NULL) == 10);
}

static void thrown_away(struct world *world)
{
    struct pgusher_queue_item item = doc_item(9);

    push_range_later(world, 0, 9);
    MUST(world, place(world, 9)->later && pgusher_queue_remove(world->producer, &item, 1, NULL) == 1);
    MUST(world, !place(world, 9)->later);
    MUST(world, pgusher_queue_purge_all(world->producer) == 9 && later(world) == 0);
    for (int doc = 0; doc <= 9; doc++)
        world->docs[doc].waived = world->docs[doc].pushed;
}

static void how_long(struct world *world)
{
    MUST(world, age_of_later(world) == -1);
    push_range_later(world, 0, MANY - 1);
    MUST(world, age_of_later(world) == -1);
    push_later(world, MANY);
    wait_for(world, 700);
    push_later(world, MANY + 1);
    MUST(world, age_of_later(world) == 700);
}

const struct fixed fixed_later[] = {
    {"later: what is pushed now overtakes it", overtaken, NATIVE},
    {"later: what changes comes sooner, once", comes_sooner_once_it_changes, NATIVE},
    {"later: what is elsewhere stays there", what_is_elsewhere_stays_there, NATIVE},
    {"later: plain consumers are fed", plain_consumers_are_fed, WITH_PLAIN},
    {"later: a dead consumer counts for nothing", a_dead_consumer_counts_for_nothing, WITH_PLAIN},
    {"later: recovery feeds plain consumers", recovery_feeds_them_too, WITH_PLAIN},
    {"later: who takes leaves some for others", leaves_some_for_others, NATIVE},
    {"later: what a plain program pushed comes once", a_plain_copy_is_delivered, NO_COALESCING},
    {"later: nothing is given while paused", nothing_is_given_while_paused, NATIVE},
    {"later: removed, purged", thrown_away, NATIVE},
    {"later: how long the oldest waits", how_long, NATIVE},
    {NULL, NULL, NATIVE},
};
