/* More items than go into one call of a script, or into one command of Redis. */
#include "tests/queue_model/fixed_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 2500, CALL = PGUSHER_QUEUE_MAX_ITEMS, BATCHES = 3 };

static char names[MANY][16];
static struct pgusher_queue_item items[MANY];

static void name_items(void)
{
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "item:%d", i);

        items[i] = (struct pgusher_queue_item){names[i], (size_t)len};
    }
}

static void push_many(struct world *world)
{
    name_items();
    for (size_t i = 0; i < MANY; i += CALL)
        MUST(world,
             pgusher_queue_push(world->producer, items + i, MANY - i < CALL ? MANY - i : CALL, NULL) == 0);
}

static void push_call(struct world *world, enum pgusher_queue_pushed expected)
{
    static enum pgusher_queue_pushed outcomes[CALL];

    name_items();
    MUST(world, pgusher_queue_push(world->producer, items, CALL, outcomes) == 0);
    for (int i = 0; i < CALL; i++)
        MUST(world, outcomes[i] == expected);
}

static void many_in_one_call(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);

    push_call(world, PGUSHER_QUEUE_QUEUED);
    push_call(world, PGUSHER_QUEUE_COALESCED);
    MUST(world, pgusher_queue_reserve(c->queue, CALL, 0, &batch) == CALL);
    push_call(world, PGUSHER_QUEUE_DIRTY);
    MUST(world, pgusher_queue_ack(c->queue, batch, NULL, 0, NULL) == CALL);
    pgusher_queue_batch_free(batch);
    push_call(world, PGUSHER_QUEUE_COALESCED);
    MUST(world, waiting(world) == CALL && pgusher_queue_purge_all(world->producer) == CALL);
}

/* All in as many batches as it takes, each item where it was pushed. */
static void reserve_many(struct world *world, struct handle *c, struct pgusher_queue_batch **batches)
{
    size_t seen = 0;

    for (int i = 0; i < BATCHES; i++) {
        int count = pgusher_queue_reserve(c->queue, CALL, 0, &batches[i]);

        MUST(world, count > 0);
        for (int j = 0; j < count; j++, seen++)
            MUST(world, strcmp(pgusher_queue_batch_item(batches[i], (size_t)j, NULL), names[seen]) == 0);
    }
    MUST(world, seen == MANY && waiting(world) == 0);
}

static void free_batches(struct pgusher_queue_batch **batches)
{
    for (int i = 0; i < BATCHES; i++)
        pgusher_queue_batch_free(batches[i]);
}

static bool count_entry(void *arg, const struct pgusher_queue_entry *entry)
{
    size_t *count = arg;

    return entry->len > 0 && ++*count > 0;
}

static size_t count_each(struct world *world, enum pgusher_queue_place where)
{
    size_t count = 0;

    MUST(world, pgusher_queue_each(world->producer, where, 0, 0, count_entry, &count) == 0);
    return count;
}

static void bury_many(struct world *world, struct handle *c)
{
    struct pgusher_queue_batch *batches[BATCHES];

    reserve_many(world, c, batches);
    for (int i = 0; i < BATCHES; i++)
        pgusher_queue_nack(c->queue, batches[i], NULL, 0, "no", PGUSHER_QUEUE_BURY);
    free_batches(batches);
    MUST(world, count_each(world, PGUSHER_QUEUE_DEAD) == MANY);
}

static void many_dead_letters(struct world *world)
{
    struct handle *c = new_consumer(world);

    push_many(world);
    bury_many(world, c);
    MUST(world, pgusher_queue_replay_all(world->producer) == MANY);
    MUST(world, count_each(world, PGUSHER_QUEUE_WAITING) == MANY);
    MUST(world, pgusher_queue_purge_all(world->producer) == MANY);
    push_many(world);
    bury_many(world, c);
    MUST(world, pgusher_queue_purge_dead(world->producer) == MANY);
    MUST(world, count_each(world, PGUSHER_QUEUE_DEAD) == 0);
}

static void many_released(struct world *world)
{
    struct pgusher_queue_batch *batches[BATCHES];
    struct handle *c = new_consumer(world);

    push_many(world);
    reserve_many(world, c, batches);
    for (int i = BATCHES; i-- > 0;)
        MUST(world, pgusher_queue_release(c->queue, batches[i], NULL, 0) > 0);
    free_batches(batches);
    push_many(world);
    MUST(world, waiting(world) == MANY);
    reserve_many(world, c, batches);
    free_batches(batches);
    native_close(world, c);
    push_many(world);
    MUST(world, waiting(world) == MANY);
    c = new_consumer(world);
    reserve_many(world, c, batches);
    for (int i = 0; i < BATCHES; i++)
        MUST(world, pgusher_queue_ack(c->queue, batches[i], NULL, 0, NULL) > 0);
    free_batches(batches);
}

static void many_recovered(struct world *world)
{
    struct pgusher_queue_batch *batches[BATCHES];
    struct handle *c = new_consumer(world), *other = new_consumer(world);

    push_many(world);
    reserve_many(world, c, batches);
    free_batches(batches);
    world_pass(world, LEASE_MS + 1);
    MUST(world, pgusher_queue_recover(world->producer) == MANY);
    reserve_many(world, other, batches);
    MUST(world, pgusher_queue_batch_attempt(batches[2], 7) == 2);
    free_batches(batches);
    MUST(world, pgusher_queue_purge_all(world->producer) == MANY);
}

static void many_removed(struct world *world)
{
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    static bool done[MANY];

    push_many(world);
    MUST(world, pgusher_queue_reserve(c->queue, CALL, 0, &batch) == CALL);
    MUST(world,
         pgusher_queue_remove(world->producer, items, MANY, done) == MANY && done[0] && done[MANY - 1]);
    MUST(world, pgusher_queue_ack(c->queue, batch, NULL, 0, NULL) == 0);
    pgusher_queue_batch_free(batch);
    MUST(world, waiting(world) == 0);
}

static void many_delayed(struct world *world)
{
    struct pgusher_queue_batch *batches[BATCHES];
    struct handle *c = new_consumer(world);

    push_many(world);
    reserve_many(world, c, batches);
    for (int i = 0; i < BATCHES; i++)
        MUST(world, pgusher_queue_nack(c->queue, batches[i], NULL, 0, "later", 500) > 0);
    free_batches(batches);
    MUST(world, count_each(world, PGUSHER_QUEUE_DELAYED) == MANY);
    world_pass(world, 500);
    for (size_t given = 0; given < MANY;) {
        int count = pgusher_queue_reserve(c->queue, CALL, 0, &batches[0]);

        MUST(world, count > 0 && pgusher_queue_ack(c->queue, batches[0], NULL, 0, NULL) == count);
        pgusher_queue_batch_free(batches[0]);
        given += (size_t)count;
    }
    MUST(world, count_each(world, PGUSHER_QUEUE_DELAYED) == 0);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A queue without coalescing holds everything twice; what a call takes first is in flight for the rest of it.
 */
static void copies_in_one_call(struct world *world)
{
    const char *given[CALL];
    struct pgusher_queue_batch *batch;
    struct handle *c = new_consumer(world);
    int count;

    push_many(world);
    MUST(world, pgusher_queue_purge_all(world->producer) == MANY);
    MUST(world, pgusher_queue_push(world->producer, items, 700, NULL) == 0);
    MUST(world, pgusher_queue_push(world->producer, items, 700, NULL) == 0);
    count = pgusher_queue_reserve(c->queue, CALL, 0, &batch);
    MUST(world, count == 700);
    for (int i = 0; i < count; i++)
        given[i] = pgusher_queue_batch_item(batch, (size_t)i, NULL);
    qsort(given, (size_t)count, sizeof(given[0]), by_text);
    for (int i = 1; i < count; i++)
        MUST(world, strcmp(given[i - 1], given[i]) != 0);
    MUST(world, pgusher_queue_ack(c->queue, batch, NULL, 0, NULL) == 700);
    pgusher_queue_batch_free(batch);
    MUST(world, pgusher_queue_purge_all(world->producer) > 0);
}

/* One comes and one goes every second, and the queue is never empty: it does not seem older and older. */
static void ages_in_a_lasting_backlog(struct world *world)
{
    enum { BACKLOG = 1000, SECONDS = 4000, SECOND = 1000 };
    struct handle *c = new_consumer(world);
    struct pgusher_queue_batch *batch;
    char name[24];

    for (int i = 0; i < SECONDS; i++) {
        struct pgusher_queue_item item = {name, (size_t)snprintf(name, sizeof(name), "item:%d", i)};

        world_pass(world, SECOND);
        MUST(world, pgusher_queue_push(world->producer, &item, 1, NULL) == 0);
        if (i < BACKLOG)
            continue;
        MUST(world, pgusher_queue_reserve(c->queue, 1, 0, &batch) == 1);
        MUST(world, pgusher_queue_ack(c->queue, batch, NULL, 0, NULL) == 1);
        pgusher_queue_batch_free(batch);
    }
    MUST(world, age_of_oldest(world) >= (BACKLOG - 2) * SECOND);
    MUST(world, age_of_oldest(world) <= 2 * BACKLOG * SECOND);
    MUST(world, pgusher_queue_purge_all(world->producer) == BACKLOG);
    MUST(world, age_of_oldest(world) == -1);
}

const struct fixed fixed_many[] = {
    {"a thousand items in one call", many_in_one_call, NATIVE},
    {"thousands of dead letters are replayed and purged", many_dead_letters, NATIVE},
    {"thousands are released, and wait once in their old order", many_released, NATIVE},
    {"thousands are recovered", many_recovered, NATIVE},
    {"thousands are removed", many_removed, NATIVE},
    {"thousands become due", many_delayed, NATIVE},
    {"copies in one call, beyond the first five hundred", copies_in_one_call, NO_COALESCING},
    {"how long the oldest waits in a backlog that lasts", ages_in_a_lasting_backlog, NATIVE},
    {NULL, NULL, NATIVE},
};
