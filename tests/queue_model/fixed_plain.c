/* Plain programs at the same queue: RPOPLPUSH Q Q-processing, LREM Q-processing -1 ITEM, LPUSH Q ITEM. */
#include "tests/queue_model/fixed_kit.h"

#include <string.h>

static void plain_push(struct world *world, int doc)
{
    struct pgusher_queue_item item = doc_item(doc);

    world->docs[doc].version++;
    freeReplyObject(world_redis(world, "LPUSH " QUEUE " %b", item.data, item.len));
    world->docs[doc].pushed = world->docs[doc].version;
}

static void plain_take(struct world *world, int doc)
{
    redisReply *item = world_redis(world, "RPOPLPUSH " QUEUE " " QUEUE "-processing");

    MUST(world, item->type == REDIS_REPLY_STRING && doc_of(item->str, (size_t)item->len) == doc);
    freeReplyObject(item);
}

static void plain_done(struct world *world, int doc)
{
    struct pgusher_queue_item item = doc_item(doc);

    world->docs[doc].indexed = world->docs[doc].version;
    freeReplyObject(world_redis(world, "LREM " QUEUE "-processing -1 %b", item.data, item.len));
}

static void plain_consumers_leave_marks(struct world *world)
{
    push_range(world, 0, 5);
    for (int doc = 0; doc <= 2; doc++) {
        plain_take(world, doc);
        MUST(world, push(world, doc) == PGUSHER_QUEUE_QUEUED);
        MUST(world, push(world, doc) == PGUSHER_QUEUE_COALESCED);
        plain_done(world, doc);
    }
    MUST(world, waiting(world) == 6);
}

/* Not how it is meant; but nothing may be forgotten for it. */
static void plain_pushes_where_items_coalesce(struct world *world)
{
    world->inexact = true;
    push_range(world, 0, 2);
    for (int doc = 0; doc <= 2; doc++) {
        plain_take(world, doc);
        plain_done(world, doc);
    }
    for (int i = 0; i < 5; i++)
        plain_push(world, 3);
    for (int doc = 0; doc <= 2; doc++)
        MUST(world, push(world, doc) == PGUSHER_QUEUE_QUEUED);
    push_range(world, 0, 3);
}

static void set_coalesce(struct world *world, int coalesce)
{
    struct pgusher_queue_options options = {.redis = world->url, .queue = QUEUE, .coalesce = coalesce};
    struct pgusher_queue *queue = pgusher_queue_open(&options, NULL, 0);

    MUST(world, queue && pgusher_queue_recover(queue) == 0);
    pgusher_queue_close(queue);
}

static void coalescing_off_and_on(struct world *world)
{
    push_range(world, 0, 4);
    for (int doc = 0; doc <= 4; doc++) {
        plain_take(world, doc);
        plain_done(world, doc);
    }
    set_coalesce(world, -1);
    world->inexact = true;
    for (int i = 0; i < 8; i++)
        plain_push(world, 5 + i % 2);
    MUST(world, push(world, 5) == PGUSHER_QUEUE_QUEUED);
    set_coalesce(world, 1);
    for (int doc = 0; doc <= 4; doc++) {
        MUST(world, push(world, doc) == PGUSHER_QUEUE_QUEUED);
        MUST(world, push(world, doc) == PGUSHER_QUEUE_COALESCED);
    }
}

static void dead_then_pushed(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 1);
    holding = take(world, c, 2, 2);
    settle_one(world, c, holding, 0, VERDICT_NACK, PGUSHER_QUEUE_BURY);
    settle_one(world, c, holding, 1, VERDICT_NACK, 100 * LEASE_MS);
    plain_push(world, 0);
    plain_push(world, 1);
    holding = take(world, c, 2, 2);
    MUST(world, !place(world, 0)->dead && !place(world, 1)->delayed && !place(world, 0)->failed);
    MUST(world, pgusher_queue_batch_attempt(holding->batch, 0) == 1);
    MUST(world, pgusher_queue_batch_attempt(holding->batch, 1) == 2);
    ack(world, c, holding);
    MUST(world, !place(world, 1)->failed);
}

static void pushed_while_in_flight(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    plain_push(world, 0);
    plain_push(world, 0);
    take(world, c, 5, 0);
    MUST(world, place(world, 0)->dirty);
    ack(world, c, holding);
    ack(world, c, take(world, c, 5, 1));
    take(world, c, 5, 0);
}

/* In the hands of the dead for as long as is allowed, and seen there from the first look to the last. */
static void taken_back_in_time(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 1);
    plain_take(world, 0);
    plain_take(world, 1);
    MUST(world, recover(world) == 0);
    wait_for(world, PLAIN_TIMEOUT_MS - 1);
    MUST(world, recover(world) == 0);
    plain_done(world, 1);
    wait_for(world, 1);
    MUST(world, recover(world) == 1);
    MUST(world, place(world, 0)->plain == 0 && place(world, 0)->waiting == 1);
    ack(world, c, take(world, c, 5, 1));
}

static void taken_back_while_in_flight(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    plain_take(world, 0);
    recover(world);
    push(world, 0);
    wait_for(world, PLAIN_TIMEOUT_MS);
    holding = take(world, c, 1, 1);
    MUST(world, place(world, 0)->plain == 1 || place(world, 0)->dirty);
    recover(world);
    MUST(world, place(world, 0)->plain == 0 && place(world, 0)->dirty && place(world, 0)->waiting == 0);
    ack(world, c, holding);
    MUST(world, waiting(world) == 1);
}

static void taken_back_while_waiting_or_delayed(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 1);
    plain_take(world, 0);
    plain_take(world, 1);
    recover(world);
    push(world, 0);
    nack(world, c, take(world, c, 1, 1), 2 * PLAIN_TIMEOUT_MS);
    push(world, 1);
    wait_for(world, PLAIN_TIMEOUT_MS);
    MUST(world, recover(world) == 2);
    MUST(world, waiting(world) == 1 && place(world, 0)->delayed && place(world, 1)->waiting);
}

static void two_copies_one_at_a_time(struct world *world)
{
    push(world, 0);
    plain_take(world, 0);
    push(world, 0);
    plain_take(world, 0);
    recover(world);
    wait_for(world, PLAIN_TIMEOUT_MS);
    MUST(world, recover(world) == 1 && place(world, 0)->plain == 1);
    MUST(world, recover(world) == 0);
    wait_for(world, PLAIN_TIMEOUT_MS);
    MUST(world, recover(world) == 1 && place(world, 0)->plain == 0);
    MUST(world, waiting(world) == 1);
}

static void removed_from_plain_hands(struct world *world)
{
    struct pgusher_queue_item item = doc_item(0);

    push_range(world, 0, 1);
    plain_take(world, 0);
    recover(world);
    MUST(world, pgusher_queue_remove(world->producer, &item, 1, NULL) == 1);
    world->docs[0].waived = world->docs[0].pushed;
    look(world);
    MUST(world, place(world, 0)->plain == 0);
}

const struct fixed fixed_plain[] = {
    {"plain consumers leave marks behind", plain_consumers_leave_marks, WITH_PLAIN},
    {"plain pushes to a queue that coalesces lose nothing", plain_pushes_where_items_coalesce, WITH_PLAIN},
    {"coalescing is turned off and on again", coalescing_off_and_on, WITH_PLAIN},
    {"a plain push of what is dead or delayed leaves it in one place", dead_then_pushed, NO_COALESCING},
    {"plain pushes of what is in flight make it go round once", pushed_while_in_flight, NO_COALESCING},
    {"plain consumers' items are taken back in time, not before", taken_back_in_time, WITH_PLAIN},
    {"taken back while another holds it: dirty", taken_back_while_in_flight, WITH_PLAIN},
    {"taken back while it waits or is delayed: nothing more", taken_back_while_waiting_or_delayed,
     WITH_PLAIN},
    {"two copies are taken back one at a time", two_copies_one_at_a_time, WITH_PLAIN},
    {"removed from the hands of plain consumers", removed_from_plain_hands, WITH_PLAIN},
    {NULL, NULL, NATIVE},
};
