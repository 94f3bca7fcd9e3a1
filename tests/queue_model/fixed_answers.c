/* Answers that are lost, connections that are cut, scripts that are forgotten, keys of other types: every
 * call may be repeated. */
#include "tests/queue_model/fixed_kit.h"

#include <string.h>

#include "tests/queue_model/fault.h"

#define MUST_BE_LOST(world, queue, call)                                                                     \
    do {                                                                                                     \
        fault_lose_answer(0);                                                                                \
        MUST(world, (call) == -1);                                                                           \
        MUST(world, fault_disarm());                                                                         \
        MUST(world, pgusher_queue_status(queue) == PGUSHER_QUEUE_LOST);                                      \
    } while (0)

static void of_a_push(struct world *world)
{
    struct pgusher_queue_item item = doc_item(0);
    struct handle *c = new_consumer(world);

    push(world, 1);
    world->docs[0].version++;
    MUST_BE_LOST(world, world->producer, pgusher_queue_push(world->producer, &item, 1, NULL));
    MUST(world, push(world, 0) == PGUSHER_QUEUE_COALESCED);
    MUST(world, finish(world, c, NULL) == 2);
}

static void of_an_ack(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct pgusher_queue_acked acked;
    struct holding *holding;

    push_range(world, 0, 1);
    holding = take(world, c, 2, 2);
    MUST_BE_LOST(world, c->queue, pgusher_queue_ack(c->queue, holding->batch, NULL, 0, &acked));
    world->docs[0].indexed = world->docs[1].indexed = 1;
    MUST(world, push(world, 0) == PGUSHER_QUEUE_QUEUED);
    take(world, c, 1, 1);
    MUST(world, pgusher_queue_ack(c->queue, holding->batch, NULL, 0, &acked) == 0);
    MUST(world, acked.acked == 0 && acked.requeued == 0 && acked.stale == 2);
    MUST(world, place(world, 0)->held);
    MUST(world, pgusher_queue_batch_settled(holding->batch, 0));
}

static void of_a_nack(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push(world, 0);
    holding = take(world, c, 1, 1);
    MUST_BE_LOST(world, c->queue, pgusher_queue_nack(c->queue, holding->batch, NULL, 0, "no", 0));
    MUST(world, pgusher_queue_nack(c->queue, holding->batch, NULL, 0, "no", 0) == 0);
    MUST(world, place(world, 0)->failures == 1);
    world->docs[0].failures = 1;
    look(world);
}

static void of_a_release(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 2);
    holding = take(world, c, 2, 2);
    MUST_BE_LOST(world, c->queue, pgusher_queue_release(c->queue, holding->batch, NULL, 0));
    MUST(world, pgusher_queue_release(c->queue, holding->batch, NULL, 0) == 0);
    MUST(world, waiting(world) == 3 && place(world, 0)->position == 0);
    holding->gone[0] = holding->gone[1] = true;
    look(world);
}

/* Its consumer lives on: what it was given without hearing of it is given again. */
static void of_a_reserve(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    struct holding *known, *holding;

    push_range(world, 0, 4);
    known = take(world, c, 1, 1);
    MUST_BE_LOST(world, c->queue, pgusher_queue_reserve(c->queue, 2, 0, &batch));
    c->unsure = true;
    MUST(world, push(world, 1) == PGUSHER_QUEUE_DIRTY);
    holding = take(world, c, 4, 4);
    for (int i = 0; i < 4; i++)
        MUST(world, holding->docs[i] == i + 1 && pgusher_queue_batch_attempt(holding->batch, (size_t)i) == 1);
    ack(world, c, holding);
    ack(world, c, known);
    finish(world, c, NULL);
    MUST(world, waiting(world) == 0 && place(world, 1)->listed == 0);
}

/* The consumer has something to leave, though it never heard of it. */
static void of_the_first_reserve(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world), *other = new_consumer(world);
    struct holding *holding;

    push_range(world, 0, 1);
    MUST(world, pgusher_queue_recover(c->queue) == 0); /* so the next answer is that of the reservation */
    MUST_BE_LOST(world, c->queue, pgusher_queue_reserve(c->queue, 2, 0, &batch));
    MUST(world, place(world, 0)->held && place(world, 1)->held);
    native_close(world, c);
    MUST(world, waiting(world) == 2 && place(world, 0)->position == 0 && !place(world, 0)->held);
    holding = take(world, other, 2, 2);
    MUST(world, holding->docs[0] == 0 && pgusher_queue_batch_attempt(holding->batch, 0) == 1);
}

static void of_a_reserve_that_gave_more(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    struct holding *holding;
    int order[16];

    push_range(world, 0, 9);
    take(world, c, 1, 1);
    MUST_BE_LOST(world, c->queue, pgusher_queue_reserve(c->queue, 6, 0, &batch));
    c->unsure = true;
    holding = take(world, c, 2, 2);
    MUST(world, holding->docs[0] == 1 && holding->docs[1] == 2);
    ack(world, c, holding);
    push_range(world, 0, 9);
    MUST(world, waiting(world) == 9 && finish(world, c, order) == 9);
    for (int i = 0; i < 9; i++)
        MUST(world, order[i] == (i < 7 ? i + 3 : i - 6));
}

static void of_a_reserve_while_paused(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);

    push_range(world, 0, 2);
    take(world, c, 1, 1);
    MUST_BE_LOST(world, c->queue, pgusher_queue_reserve(c->queue, 1, 0, &batch));
    c->unsure = true;
    MUST(world, pgusher_queue_pause(world->producer, true) == 0);
    world->paused = true;
    take(world, c, 5, 0);
    MUST(world, waiting(world) == 2 && place(world, 1)->position == 0 && !place(world, 1)->held);
}

/* Another consumer has taken over what the lost answer had given. */
static void of_a_reserve_then_recovered(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    push_range(world, 0, 1);
    take(world, c, 1, 1);
    MUST_BE_LOST(world, c->queue, pgusher_queue_reserve(c->queue, 1, 0, &batch));
    c->unsure = true;
    wait_for(world, LEASE_MS + 1);
    MUST(world, recover(world) == 2);
    take(world, other, 2, 2);
    take(world, c, 1, 0);
    MUST(world, place(world, 0)->held && place(world, 1)->held && !place(world, 0)->dirty);
}

static void of_ack_and_reserve(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    struct pgusher_queue_acked acked;
    struct holding *holding;

    push_range(world, 0, 3);
    holding = take(world, c, 2, 2);
    MUST_BE_LOST(world, c->queue, pgusher_queue_ack_reserve(c->queue, holding->batch, 1, &batch, &acked));
    c->unsure = true;
    world->docs[0].indexed = world->docs[1].indexed = 1;
    holding->gone[0] = holding->gone[1] = true;
    MUST(world, pgusher_queue_ack_reserve(c->queue, holding->batch, 1, &batch, &acked) == 1);
    MUST(world, acked.acked == 0 && acked.stale == 2);
    MUST(world, doc_of(pgusher_queue_batch_item(batch, 0, NULL), doc_item(2).len) == 2);
    MUST(world, pgusher_queue_ack(c->queue, batch, NULL, 0, NULL) == 1);
    pgusher_queue_batch_free(batch);
    world->docs[2].indexed = 1;
    MUST(world, finish(world, c, NULL) == 1);
}

static void of_a_removal(struct world *world)
{
    struct pgusher_queue_item item = doc_item(0);

    push(world, 0);
    fault_lose_answer(1);
    MUST(world, pgusher_queue_remove(world->producer, &item, 1, NULL) == -1);
    MUST(world, fault_disarm() && pgusher_queue_status(world->producer) == PGUSHER_QUEUE_LOST);
    MUST(world, pgusher_queue_remove(world->producer, &item, 1, NULL) == 0);
    MUST(world, waiting(world) == 0);
    world->docs[0].waived = world->docs[0].version;
}

static void forgotten_scripts(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;

    for (int doc = 0; doc < 4; doc++) {
        freeReplyObject(world_redis(world, "SCRIPT FLUSH"));
        push(world, doc);
        freeReplyObject(world_redis(world, "SCRIPT FLUSH"));
        holding = take(world, c, 1, 1);
        freeReplyObject(world_redis(world, "SCRIPT FLUSH"));
        ack(world, c, holding);
    }
    push_range(world, 0, 1);
    holding = take(world, c, 1, 1);
    freeReplyObject(world_redis(world, "SCRIPT FLUSH"));
    holding = native_ack_reserve(world, c, holding, 1);
    MUST(world, holding && holding->docs[0] == 1);
    look(world);
}

static void cut_connections(struct world *world)
{
    struct handle *c = new_consumer(world);
    struct holding *holding;
    int done = -1;

    push(world, 0);
    holding = take(world, c, 1, 1);
    freeReplyObject(world_redis(world, "CLIENT KILL TYPE normal SKIPME yes"));
    for (int i = 0; i < 2 && done < 0; i++)
        done = pgusher_queue_ack(c->queue, holding->batch, NULL, 0, NULL);
    MUST(world, done == 1);
    world->docs[0].indexed = 1;
    MUST(world, place(world, 0)->listed == 0);
}

/* Another program uses one of the names: nothing may be half done. */
static void key_of_another_type(struct world *world)
{
    static const char *const keys[] = {"",         ":marks", ":inflight", ":dirty",     ":meta",
                                       ":delayed", ":dead",  ":failures", ":consumers", ":later"};
    struct pgusher_queue_item item = doc_item(0);
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    char before[41], after[41];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        freeReplyObject(world_redis(world, "FLUSHALL"));
        freeReplyObject(world_redis(world, "SET test:now %lld", (long long)world->now));
        freeReplyObject(world_redis(world, "SET " QUEUE "%s occupied", keys[i]));
        world_digest(world, before);
        MUST(world, pgusher_queue_push(world->producer, &item, 1, NULL) == -1);
        MUST(world, pgusher_queue_status(world->producer) == PGUSHER_QUEUE_REFUSED);
        MUST(world, pgusher_queue_replay(world->producer, &item, 1, NULL) == -1);
        MUST(world, pgusher_queue_reserve(c->queue, 1, 0, &batch) == -1 && batch == NULL);
        MUST(world, pgusher_queue_status(c->queue) == PGUSHER_QUEUE_REFUSED);
        world_digest(world, after);
        if (i != 4) /* the settings go to Q:meta when a handle introduces itself */
            MUST(world, i == 0 || strcmp(before, after) == 0);
    }
    freeReplyObject(world_redis(world, "FLUSHALL"));
    freeReplyObject(world_redis(world, "SET test:now %lld", (long long)world->now));
}

const struct fixed fixed_answers[] = {
    {"the answer of a push is lost", of_a_push, NATIVE},
    {"the answer of an ack is lost", of_an_ack, NATIVE},
    {"the answer of a nack is lost: counted once", of_a_nack, NATIVE},
    {"the answer of a release is lost", of_a_release, NATIVE},
    {"the answer of a reserve is lost: given again", of_a_reserve, NATIVE},
    {"the answer of the first reserve is lost, then its consumer leaves", of_the_first_reserve, NATIVE},
    {"the answer of a larger reserve is lost", of_a_reserve_that_gave_more, NATIVE},
    {"the answer of a reserve is lost, then a pause", of_a_reserve_while_paused, NATIVE},
    {"the answer of a reserve is lost, then the lease runs out", of_a_reserve_then_recovered, NATIVE},
    {"the answer of an ack with a reserve is lost", of_ack_and_reserve, NATIVE},
    {"the answer of a removal is lost", of_a_removal, NATIVE},
    {"Redis forgets the scripts", forgotten_scripts, NATIVE},
    {"connections are cut", cut_connections, NATIVE},
    {"a key of another type", key_of_another_type, NATIVE},
    {NULL, NULL, NATIVE},
};
