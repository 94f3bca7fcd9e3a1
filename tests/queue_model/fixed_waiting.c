/* Whether an item waits, exactly, whatever happens at either end of the list. */
#include "tests/queue_model/fixed_kit.h"

static void waits_once(struct world *world)
{
    struct handle *c = new_consumer(world);

    MUST(world, push(world, 0) == PGUSHER_QUEUE_QUEUED);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_COALESCED);
    MUST(world, push(world, 1) == PGUSHER_QUEUE_QUEUED);
    ack(world, c, take(world, c, 1, 1));
    MUST(world, push(world, 0) == PGUSHER_QUEUE_QUEUED);
    MUST(world, push(world, 1) == PGUSHER_QUEUE_COALESCED);
    MUST(world, waiting(world) == 2);
}

static void same_item_twice_in_one_push(struct world *world)
{
    enum pgusher_queue_pushed outcomes[3];

    world->docs[0].version++;
    world->docs[1].version++;
    MUST(world, native_push(world, pgusher_queue_push, (const int[]){0, 1, 0}, 3, outcomes));
    MUST(world, outcomes[0] == PGUSHER_QUEUE_QUEUED && outcomes[1] == PGUSHER_QUEUE_QUEUED);
    MUST(world, outcomes[2] == PGUSHER_QUEUE_COALESCED);
}

/* One push into the drain of a queue whose foremost items have been released. */
static void push_into_drain(struct world *world, struct handle *c, int taken, int doc)
{
    bool waits;

    push_range(world, 0, 5);
    release(world, c, take(world, c, 4, 4));
    push(world, 6);
    if (taken)
        ack(world, c, take(world, c, (size_t)taken, (size_t)taken));
    waits = place(world, doc)->waiting == 1;
    MUST(world, push(world, doc) == (waits ? PGUSHER_QUEUE_COALESCED : PGUSHER_QUEUE_QUEUED));
    finish(world, c, NULL);
}

static void released_then_pushed_anywhere(struct world *world)
{
    struct handle *c = new_consumer(world);

    for (int taken = 0; taken <= 7; taken++) {
        for (int doc = 0; doc <= 6; doc++)
            push_into_drain(world, c, taken, doc);
    }
}

static void released_twice_over(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 9);
    for (size_t n = 1; n <= 10; n++)
        release(world, c, take(world, c, n, n));
    for (int doc = 0; doc <= 9; doc++)
        MUST(world, push(world, doc) == PGUSHER_QUEUE_COALESCED);
    MUST(world, finish(world, c, NULL) == 10);
}

static void release_keeps_order(struct world *world)
{
    struct handle *c = new_consumer(world);
    int order[16];

    push_range(world, 0, 6);
    release(world, c, take(world, c, 5, 5));
    MUST(world, finish(world, c, order) == 7);
    for (int i = 0; i < 7; i++)
        MUST(world, order[i] == i);
}

static void part_of_a_release(struct world *world)
{
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding, *released;

    push_range(world, 0, 5);
    holding = take(world, c, 4, 4);
    settle_one(world, c, holding, 3, VERDICT_RELEASE, 0);
    settle_one(world, c, holding, 1, VERDICT_RELEASE, 0);
    MUST(world, push(world, 1) == PGUSHER_QUEUE_COALESCED);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_DIRTY);
    released = take(world, other, 2, 2);
    MUST(world, released->docs[0] == 1 && released->docs[1] == 3);
    ack(world, other, released);
    ack(world, c, holding);
    MUST(world, place(world, 0)->waiting == 1 && place(world, 2)->waiting == 0);
}

/* Changed while in flight and then released: it waits at the front, once, and is not dirty. */
static void dirty_then_released(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_DIRTY);
    release(world, c, holding);
    MUST(world, waiting(world) == 1 && !place(world, 0)->dirty);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_COALESCED);
}

static void removed_from_the_middle(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct pgusher_queue_item item = doc_item(2);

    push_range(world, 0, 4);
    MUST(world, pgusher_queue_remove(world->producer, &item, 1, NULL) == 1);
    world->docs[2].waived = world->docs[2].pushed;
    world->inexact = true;
    MUST(world, push(world, 2) == PGUSHER_QUEUE_QUEUED);
    MUST(world, push(world, 4) == PGUSHER_QUEUE_COALESCED); /* it stands behind: its place is the same */
    push_range(world, 0, 4);
    MUST(world, waiting(world) <= 7); /* the two that stood before, once more at most */
    finish(world, c, NULL);
    MUST(world, waiting(world) == 0);
    MUST(world, push(world, 0) == PGUSHER_QUEUE_QUEUED && push(world, 0) == PGUSHER_QUEUE_COALESCED);
}

static void forget_meta(struct world *world)
{
    freeReplyObject(world_redis(world, "DEL " QUEUE ":meta"));
}

/* An eviction, or an operator. What waits is found again or queued twice; what does not wait is queued. */
static void counters_are_lost(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_range(world, 0, 5);
    ack(world, c, take(world, c, 3, 3));
    forget_meta(world);
    world->inexact = true;
    wait_for(world, 1); /* tokens begin with the clock */
    for (int doc = 0; doc <= 2; doc++)
        MUST(world, push(world, doc) == PGUSHER_QUEUE_QUEUED);
    push_range(world, 0, 5);
    finish(world, c, NULL);
}

static void purged(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 4);
    holding = take(world, c, 2, 2);
    MUST(world, pgusher_queue_purge_all(world->producer) == 5);
    for (int doc = 0; doc <= 4; doc++)
        world->docs[doc].waived = world->docs[doc].pushed;
    holding->gone[0] = holding->gone[1] = true;
    ack(world, c, holding);
    for (int doc = 0; doc <= 4; doc++)
        MUST(world, push(world, doc) == PGUSHER_QUEUE_QUEUED);
    MUST(world, finish(world, c, NULL) == 5);
}

static void paused(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 1);
    holding = take(world, c, 1, 1);
    MUST(world, pgusher_queue_pause(world->producer, true) == 0);
    world->paused = true;
    take(world, c, 5, 0);
    ack(world, c, holding);
    MUST(world, push(world, 2) == PGUSHER_QUEUE_QUEUED);
    take(world, c, 5, 0);
    MUST(world, pgusher_queue_pause(world->producer, false) == 0);
    world->paused = false;
    MUST(world, finish(world, c, NULL) == 2);
}

static void ages(struct world *world)
{
    struct handle *c = new_consumer(world);

    MUST(world, age_of_oldest(world) == -1);
    push(world, 0);
    wait_for(world, 5000);
    push(world, 1);
    wait_for(world, 300);
    push(world, 2);
    MUST(world, age_of_oldest(world) == 5300);
    ack(world, c, take(world, c, 1, 1));
    MUST(world, age_of_oldest(world) == 300);
    release(world, c, take(world, c, 2, 2));
    MUST(world, age_of_oldest(world) == 300);
    finish(world, c, NULL);
    wait_for(world, 5000);
    push(world, 0);
    MUST(world, age_of_oldest(world) == 0);
}

const struct fixed fixed_waiting[] = {
    {"an item waits once", waits_once, NATIVE},
    {"an item that stands twice in a push is queued once", same_item_twice_in_one_push, NATIVE},
    {"several are released, one of them is pushed at any point of the drain", released_then_pushed_anywhere,
     NATIVE},
    {"batches released again and again wait once", released_twice_over, NATIVE},
    {"what is released comes in its old order", release_keeps_order, NATIVE},
    {"a part of a batch is released", part_of_a_release, NATIVE},
    {"dirty, then released: once at the front", dirty_then_released, NATIVE},
    {"removed from the middle, then pushed", removed_from_the_middle, NATIVE},
    {"the counters are lost, the marks are not", counters_are_lost, NATIVE},
    {"how long the oldest waits", ages, NATIVE},
    {"all is thrown away, then pushed again", purged, NATIVE},
    {"while paused nothing is given, and producers go on", paused, NATIVE},
    {NULL, NULL, NATIVE},
};
