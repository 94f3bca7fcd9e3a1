#include "tests/queue_model/native.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/queue_model/fault.h"
#include "tests/queue_model/report.h"

/* ---- coming and going ---- */

struct pgusher_queue *native_connect(struct world *world)
{
    struct pgusher_queue_options options = {
        .redis = world->url,
        .queue = QUEUE,
        .consumer = "m",
        .lease_ms = LEASE_MS,
        .max_failures = world->config->max_failures,
        .max_crashes = world->config->max_crashes,
        .plain_timeout_ms = PLAIN_TIMEOUT_MS,
        .coalesce = world->config->coalesce ? 1 : -1,
    };
    char error[256] = "";
    struct pgusher_queue *queue = pgusher_queue_open(&options, error, sizeof(error));

    if (!queue)
        world_broken(world, "no handle: %s", error);
    return queue;
}

struct handle *native_open(struct world *world)
{
    struct handle *handle = &world->handles[world->nhandles];

    if (world->nhandles == MAX_HANDLES)
        return NULL;
    memset(handle, 0, sizeof(*handle));
    handle->queue = native_connect(world);
    handle->alive = handle->queue != NULL;
    world->nhandles += handle->alive;
    return handle->alive ? handle : NULL;
}

struct handle *native_alive(struct world *world)
{
    size_t alive[MAX_HANDLES], count = 0;

    for (size_t i = 0; i < world->nhandles; i++) {
        if (world->handles[i].alive)
            alive[count++] = i;
    }
    if ((int)count < world->config->consumers)
        return native_open(world);
    return &world->handles[alive[world_below(world, count)]];
}

static void free_holdings(struct handle *handle)
{
    for (size_t i = 0; i < handle->nholdings; i++)
        pgusher_queue_batch_free(handle->holdings[i].batch);
    handle->nholdings = 0;
}

void handle_free(struct handle *handle)
{
    pgusher_queue_close(handle->queue);
    handle->queue = NULL;
    free_holdings(handle);
}

void native_close(struct world *world, struct handle *handle)
{
    char name[128];

    snprintf(name, sizeof(name), "%s", pgusher_queue_consumer(handle->queue));
    handle->alive = false;
    handle->deadline = 0;
    handle_free(handle);
    if (world_integer(world, "EXISTS " QUEUE ":processing:%s", name) != 0)
        world_broken(world, "%s left, and its list stayed", name);
}

static bool is_moved(const struct world *world, int doc)
{
    for (size_t i = 0; i < world->nhandles; i++) {
        if (world->handles[i].moved[doc])
            return true;
    }
    return false;
}

void native_begin_anew(struct world *world, int doc)
{
    world->docs[doc].failures = world->docs[doc].crashes = 0;
    world->docs[doc].unsure = is_moved(world, doc);
}

bool native_lost(struct world *world, const struct pgusher_queue *queue, const char *what)
{
    enum pgusher_queue_status status = pgusher_queue_status(queue);

    if (!fault_disarm() || (status != PGUSHER_QUEUE_LOST && status != PGUSHER_QUEUE_AGAIN))
        return world_broken(world, "%s failed (status %d): %s", what, status, pgusher_queue_error(queue));
    world_count(EVENT_LOST, 1);
    world_note(world, " answer lost");
    return true;
}

bool native_lost_renewal(struct world *world, struct handle *handle, const char *what)
{
    int64_t renewed = world->now + LEASE_MS;

    if (renewed < handle->deadline)
        handle->deadline = renewed; /* the clock went back meanwhile */
    return native_lost(world, handle->queue, what);
}

/* ---- leases ---- */

static bool has_lapsed(struct world *world, const char *consumer)
{
    return world_integer(world, "ZSCORE " QUEUE ":consumers %s", consumer) < world->now;
}

/* One delivery can be charged with one crash, once its consumer's lease has run out. */
static void credit_crash(struct world *world, const redisReply *item, const redisReply *holder)
{
    char consumer[128];
    uint64_t token;
    int doc = doc_of(item->str, (size_t)item->len);

    if (doc < 0 || sscanf(holder->str, "%" SCNu64 " %127s", &token, consumer) != 2)
        return;
    if (world->docs[doc].credited == token || !has_lapsed(world, consumer))
        return;
    world->docs[doc].credited = token;
    world->docs[doc].crashes++;
    world_count(EVENT_LAPSED, 1);
}

/* For good, even if the clock goes back then: others may have taken what it held. */
static void end_lease(struct handle *handle)
{
    handle->deadline = 0;
    for (size_t i = 0; i < handle->nholdings; i++)
        handle->holdings[i].lapsed = true;
}

void native_note_lapses(struct world *world)
{
    redisReply *held = world_redis(world, "HGETALL " QUEUE ":inflight");

    for (size_t i = 0; i + 1 < held->elements; i += 2)
        credit_crash(world, held->element[i], held->element[i + 1]);
    freeReplyObject(held);
    for (size_t i = 0; i < world->nhandles; i++) {
        if (world->handles[i].deadline < world->now)
            end_lease(&world->handles[i]);
    }
}

bool native_heartbeat(struct world *world, struct handle *handle)
{
    bool known = handle->deadline >= world->now;
    int renewed = pgusher_queue_heartbeat(handle->queue);

    if (renewed < 0)
        return native_lost_renewal(world, handle, "heartbeat");
    if (known && renewed != 1)
        return world_broken(world, "7: the lease of %s runs, and its heartbeat says %d",
                            pgusher_queue_consumer(handle->queue), renewed);
    if (renewed)
        handle->deadline = world->now + LEASE_MS;
    return true;
}

/* ---- pushing ---- */

static void note_pushed(struct world *world, int doc, enum pgusher_queue_pushed outcome)
{
    struct doc *known = &world->docs[doc];

    known->pushed = known->version;
    if (outcome == PGUSHER_QUEUE_REVIVED)
        native_begin_anew(world, doc);
}

bool native_push(struct world *world, push_fn *push, const int *docs, size_t count,
                 enum pgusher_queue_pushed *outcomes)
{
    struct pgusher_queue_item items[MAX_BATCH] = {{NULL, 0}};
    int failed;

    for (size_t i = 0; i < count; i++)
        items[i] = doc_item(docs[i]);
    failed = push(world->producer, items, count, outcomes);
    if (failed && !native_lost(world, world->producer, "push"))
        return false;
    for (size_t i = 0; failed && i < count; i++)
        world->docs[docs[i]].unsure = true; /* it may have been revived */
    if (failed && push(world->producer, items, count, outcomes) != 0)
        return world_broken(world, "push failed: %s", pgusher_queue_error(world->producer));
    for (size_t i = 0; i < count; i++)
        note_pushed(world, docs[i], outcomes[i]);
    return true;
}

/* ---- reserving ---- */

static bool check_item(struct world *world, struct holding *holding, size_t i)
{
    size_t len;
    const char *data = pgusher_queue_batch_item(holding->batch, i, &len);
    int attempt = pgusher_queue_batch_attempt(holding->batch, i);
    int doc = holding->docs[i] = doc_of(data, len);
    const struct doc *known = &world->docs[doc < 0 ? 0 : doc];

    holding->read[i] = -1;
    if (doc < 0)
        return world_broken(world, "reserve gave what nobody pushed: %s", data);
    for (size_t j = 0; j < i; j++) {
        if (holding->docs[j] == doc)
            return world_broken(world, "reserve gave event:%d twice in one batch", doc);
    }
    if (attempt < 1 || (config_is_native(world->config) && attempt > 1 + known->failures + known->crashes))
        return world_broken(world, "12: attempt %d at event:%d, which failed %d and crashed %d times at most",
                            attempt, doc, known->failures, known->crashes);
    return true;
}

static struct holding *take_batch(struct world *world, struct handle *handle,
                                  struct pgusher_queue_batch *batch)
{
    struct holding *holding = &handle->holdings[handle->nholdings++];

    memset(holding, 0, sizeof(*holding));
    holding->batch = batch;
    holding->token = pgusher_queue_batch_token(batch);
    holding->count = pgusher_queue_batch_count(batch);
    if (holding->token <= world->last_token)
        world_broken(world, "8: token %" PRIu64 " after %" PRIu64, holding->token, world->last_token);
    world->last_token = holding->token;
    world_count(EVENT_GIVEN, holding->count);
    for (size_t i = 0; i < holding->count && check_item(world, holding, i); i++)
        world_note(world, " %d", holding->docs[i]);
    return holding;
}

struct holding *native_take(struct world *world, struct handle *handle, struct pgusher_queue_batch *batch,
                            int count, size_t max)
{
    struct holding *holding;

    handle->deadline = world->now + LEASE_MS;
    if ((count > 0) != (batch != NULL) || (batch && (int)pgusher_queue_batch_count(batch) != count))
        world_broken(world, "reserve says %d, and its batch is another", count);
    if (count > 0 && world->paused)
        world_broken(world, "reserve gave %d items while the queue is paused", count);
    if (count > (int)max) {
        world_broken(world, "reserve gave %d items; %zu were asked for", count, max);
        pgusher_queue_batch_free(batch);
        return NULL;
    }
    holding = batch ? take_batch(world, handle, batch) : NULL;
    memset(handle->moved, 0, sizeof(handle->moved));
    handle->unsure = false;
    return holding;
}

struct holding *native_reserve(struct world *world, struct handle *handle, size_t max)
{
    struct pgusher_queue_batch *batch = NULL;
    int count = pgusher_queue_reserve(handle->queue, max, 0, &batch);

    if (count < 0) {
        handle->unsure = true;
        native_lost_renewal(world, handle, "reserve");
        return NULL;
    }
    return native_take(world, handle, batch, count, max);
}

void native_read(struct world *world, struct holding *holding)
{
    for (size_t i = 0; i < holding->count; i++) {
        if (holding->read[i] < 0)
            holding->read[i] = world->docs[holding->docs[i]].version;
    }
}

void native_move(struct world *world, struct handle *handle)
{
    const char *name = pgusher_queue_consumer(handle->queue);
    redisReply *moved = world_redis(world, "LMOVE " QUEUE " " QUEUE ":processing:%s RIGHT LEFT", name);
    int doc = moved->type == REDIS_REPLY_STRING ? doc_of(moved->str, (size_t)moved->len) : -1;

    if (doc >= 0) {
        handle->moved[doc]++;
        world->docs[doc].unsure = true;
        world_count(EVENT_MOVED, 1);
    }
    world_note(world, " %d", doc);
    freeReplyObject(moved);
}
