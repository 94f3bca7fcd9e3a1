/* What consumers and producers do that use the library. */
#include <string.h>

#include "tests/queue_model/expect.h"
#include "tests/queue_model/fault.h"
#include "tests/queue_model/native.h"
#include "tests/queue_model/report.h"
#include "tests/queue_model/steps.h"

enum { CHANGED_PERCENT = 80, LOOK_CLOSELY_PERCENT = 10, READ_AT_ONCE_PERCENT = 60 };

static int any_doc(struct world *world)
{
    return (int)world_below(world, (size_t)world->config->docs);
}

/* The source changes; its producer has yet to say so. */
void step_change(struct world *world)
{
    world->docs[any_doc(world)].version++;
}

static size_t choose_docs(struct world *world, int *docs)
{
    size_t wanted = 1 + world_below(world, 4), count = 0;

    while (count < wanted) {
        int doc = any_doc(world);
        bool known = false;

        for (size_t i = 0; i < count; i++)
            known = known || docs[i] == doc;
        if (!known)
            docs[count++] = doc;
    }
    return count;
}

static void push_some(struct world *world, push_fn *push)
{
    static struct snapshot before;
    enum pgusher_queue_pushed outcomes[MAX_BATCH];
    bool closely = world->config->coalesce && !world->inexact && world_percent(world, LOOK_CLOSELY_PERCENT);
    int docs[MAX_BATCH];
    size_t count = choose_docs(world, docs);

    for (size_t i = 0; i < count; i++) {
        world->docs[docs[i]].version +=
            world_percent(world, CHANGED_PERCENT) || !world->docs[docs[i]].version;
        world_note(world, " %d", docs[i]);
    }
    if (closely) {
        fault_disarm();
        snapshot_take(world, &before);
    }
    if (native_push(world, push, docs, count, outcomes) && closely)
        expect_pushed(world, &before, docs, count, outcomes);
}

void step_push(struct world *world)
{
    push_some(world, pgusher_queue_push);
}

void step_push_later(struct world *world)
{
    push_some(world, pgusher_queue_push_later);
}

static void name_handle(struct world *world, const struct handle *handle)
{
    world_note(world, " c%td", handle - world->handles);
}

/* NULL: it holds nothing. */
static struct holding *any_holding(struct world *world, struct handle *handle)
{
    if (!handle || handle->nholdings == 0)
        return NULL;
    return &handle->holdings[world_below(world, handle->nholdings)];
}

void step_reserve(struct world *world)
{
    struct handle *handle = native_alive(world);
    struct holding *holding;

    if (!handle || handle->nholdings == MAX_HOLDINGS)
        return;
    name_handle(world, handle);
    holding = native_reserve(world, handle, 1 + world_below(world, MAX_BATCH));
    if (holding && world_percent(world, READ_AT_ONCE_PERCENT))
        native_read(world, holding);
}

void step_ack_reserve(struct world *world)
{
    struct handle *handle = native_alive(world);
    struct holding *holding = any_holding(world, handle);

    if (!holding || handle->nholdings == MAX_HOLDINGS)
        return;
    name_handle(world, handle);
    native_ack_reserve(world, handle, holding, 1 + world_below(world, MAX_BATCH));
}

void step_read(struct world *world)
{
    struct handle *handle = native_alive(world);
    struct holding *holding = any_holding(world, handle);

    if (!holding)
        return;
    name_handle(world, handle);
    native_read(world, holding);
}

static void swap(size_t *a, size_t *b)
{
    size_t kept = *a;

    *a = *b;
    *b = kept;
}

/* All, or some of what is not settled yet, in any order. */
static struct choice choose_items(struct world *world, const struct holding *holding)
{
    struct choice choice = {.all = world_percent(world, 40)};

    for (size_t i = 0; i < holding->count && !choice.all; i++) {
        if (!pgusher_queue_batch_settled(holding->batch, i))
            choice.index[choice.count++] = i;
    }
    for (size_t i = 1; i < choice.count; i++)
        swap(&choice.index[i], &choice.index[world_below(world, i + 1)]);
    if (choice.count > 1)
        choice.count = 1 + world_below(world, choice.count);
    return choice;
}

static int64_t choose_delay(struct world *world)
{
    static const int64_t special[] = {PGUSHER_QUEUE_BACKOFF, PGUSHER_QUEUE_BURY, 0, LEASE_MS};
    size_t which = world_below(world, 12);

    return which < 4 ? special[which] : (int64_t)world_below(world, MAX_DELAY_MS);
}

static enum verdict choose_verdict(struct world *world)
{
    size_t chosen = world_below(world, 100);

    return chosen < 60 ? VERDICT_ACK : chosen < 82 ? VERDICT_NACK : VERDICT_RELEASE;
}

static void settle_some(struct world *world, struct handle *handle)
{
    static const char *const names[] = {"ack", "nack", "release"};
    struct holding *holding = any_holding(world, handle);
    enum verdict verdict = choose_verdict(world);
    struct choice choice;

    if (!holding)
        return;
    choice = choose_items(world, holding);
    name_handle(world, handle);
    world_note(world, " %s", names[verdict]);
    for (size_t i = 0; i < (choice.all ? holding->count : choice.count); i++)
        world_note(world, " %d", holding->docs[choice.all ? i : choice.index[i]]);
    native_settle(world, handle, holding, verdict, &choice, choose_delay(world));
}

void step_settle(struct world *world)
{
    settle_some(world, native_alive(world));
}

void step_heartbeat(struct world *world)
{
    struct handle *handle = native_alive(world);

    if (handle)
        native_heartbeat(world, handle);
}

static bool is_registered(struct world *world, const struct handle *handle)
{
    return world_integer(world, "ZSCORE " QUEUE ":consumers %s", pgusher_queue_consumer(handle->queue)) != 0;
}

/* A consumer reserves before it blocks, and never blocks as long as its lease: it is registered when
 * something comes. */
void step_move(struct world *world)
{
    struct handle *handle = native_alive(world);

    if (!handle || !is_registered(world, handle))
        return;
    name_handle(world, handle);
    native_move(world, handle);
}

/* It may come back: then it is a zombie. */
void step_crash(struct world *world)
{
    struct handle *handle = native_alive(world);

    if (!handle)
        return;
    name_handle(world, handle);
    handle->alive = false;
}

static struct handle *any_crashed(struct world *world)
{
    for (size_t tries = 0; world->nhandles && tries < 8; tries++) {
        size_t back = world_below(world, world->nhandles < 16 ? world->nhandles : 16);
        struct handle *handle = &world->handles[world->nhandles - 1 - back];

        if (!handle->alive && handle->queue)
            return handle;
    }
    return NULL;
}

/* One that was thought dead goes on where it was. */
void step_come_back(struct world *world)
{
    struct handle *handle = any_crashed(world);

    if (!handle)
        return;
    name_handle(world, handle);
    switch (world_below(world, 4)) {
    case 0:
        native_heartbeat(world, handle);
        break;
    case 1:
        handle->alive = true;
        break;
    default:
        settle_some(world, handle);
    }
}

void step_close(struct world *world)
{
    struct handle *handle = native_alive(world);

    if (!handle)
        return;
    fault_disarm();
    name_handle(world, handle);
    native_close(world, handle);
}
