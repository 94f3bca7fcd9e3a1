#include "cdc/sink.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/document.h"
#include "cdc/metrics.h"
#include "cdc/packed.h"
#include "common/arena.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_error.h"
#include "lua/scripts.h"
#include "queue/enqueue.h"
#include "queue/tombstone.h"

enum {
    CALL_DOCUMENTS = 200,
    CALL_BYTES = 256 * 1024, /* a script call stays short, so that Redis serves others in between */
    /* bytes sent and not answered: the producer waits. Some 25 ms of Redis's work, for which a live change
     * that comes meanwhile waits, too. */
    OUTSTANDING_HIGH = 1 << 20,
    OUTSTANDING_LOW = 1 << 19,
    OPEN_CALLS = 128, /* being filled at a time, for as many routes */
    TOMBSTONE_TTL_MS = 10 * 60 * 1000,
};

/* Items for one queue, to be put in one of its lanes. */
struct lane {
    const struct queue_config *queue;
    enum queue_lane how;
    const char **items;
    size_t count;
    size_t capacity;
};

struct parcel {
    const struct plan_projection *projection;
    const char *key;
};

/* One script call and the documents in it, which are all of one route. */
struct shipment {
    struct sink *sink;
    struct script_call *call;
    struct buf tombstones; /* their keys, which come behind those of all documents */
    int route;
    int64_t sent_us;
    size_t bytes;
    size_t count;
    size_t capacity;
    struct parcel *parcels;
};

/* The shipments of one script that are being filled. A route has its place by its number; who needs a place
 * that another one has sends that one away. */
struct quay {
    const struct script *script;
    struct shipment *open[OPEN_CALLS];
};

struct sink {
    struct rconn *rconn;
    const struct config *config;
    struct sink_queueing queueing;
    struct tally *tally;
    struct sink_handlers handlers;
    void *arg;
    struct arena *arena; /* the keys */
    struct buf word;     /* of a call, while it is made */
    struct lane *lanes;  /* of changed documents, one for each queue; then of others */
    size_t nlanes;
    struct quay puts;
    struct quay removals;
    size_t outstanding; /* calls */
    size_t outstanding_bytes;
    bool waiting; /* the producer was told to */
    bool idle;    /* nothing outstanding: what sink_flush waits for */
    struct err err;
};

struct sink *sink_new(struct rconn *rconn, const struct config *config, struct sink_queueing queueing,
                      struct tally *tally, const struct sink_handlers *handlers, void *arg)
{
    struct sink *sink = mem_zalloc(sizeof(*sink));

    sink->rconn = rconn;
    sink->config = config;
    sink->queueing = queueing;
    sink->tally = tally;
    sink->handlers = *handlers;
    sink->arg = arg;
    sink->arena = arena_new();
    sink->idle = true;
    sink->puts.script = &script_put;
    sink->removals.script = &script_remove;
    sink->nlanes = 2 * config->nqueues;
    sink->lanes = mem_zalloc(sizeof(*sink->lanes) * (sink->nlanes + 1));
    for (size_t i = 0; i < config->nqueues; i++) {
        struct lane *changed = &sink->lanes[i], *others = &sink->lanes[config->nqueues + i];

        changed->queue = others->queue = &config->queues[i];
        changed->how = queueing.backlog ? LANE_LATER : LANE_NOW;
        others->how = LANE_SOONER;
    }
    return sink;
}

static void shipment_free(struct shipment *shipment)
{
    if (!shipment)
        return;
    script_call_free(shipment->call);
    buf_free(&shipment->tombstones);
    free(shipment->parcels);
    free(shipment);
}

static void quay_release(struct quay *quay)
{
    for (size_t i = 0; i < OPEN_CALLS; i++)
        shipment_free(quay->open[i]);
}

void sink_free(struct sink *sink)
{
    if (!sink)
        return;
    loop_run_until(rconn_loop(sink->rconn), &sink->idle);
    quay_release(&sink->puts);
    quay_release(&sink->removals);
    for (size_t i = 0; i < sink->nlanes; i++)
        free(sink->lanes[i].items);
    free(sink->lanes);
    arena_free(sink->arena);
    buf_free(&sink->word);
    free(sink);
}

/* ---- sending ---- */

static void receive(struct shipment *shipment, enum stage stage, const struct err *err)
{
    struct sink *sink = shipment->sink;

    metrics_reply(stage, shipment->sent_us, err ? err->status : ST_OK);
    if (err)
        err_copy(&sink->err, err);
    sink->outstanding--;
    sink->outstanding_bytes -= shipment->bytes;
    shipment_free(shipment);
    sink->idle = sink->outstanding == 0;
    if (sink->waiting && sink->outstanding_bytes <= OUTSTANDING_LOW) {
        sink->waiting = false;
        sink->handlers.pressure(sink->arg, false);
    }
}

static void send_off(struct shipment *shipment, struct script_call *call, rconn_fn *on_reply)
{
    struct sink *sink = shipment->sink;

    shipment->sent_us = clock_mono_us();
    shipment->bytes = script_call_bytes(call);
    sink->outstanding++;
    sink->outstanding_bytes += shipment->bytes;
    sink->idle = false;
    script_send(call, sink->rconn, on_reply, shipment);
    if (!sink->waiting && sink->outstanding_bytes > OUTSTANDING_HIGH) {
        sink->waiting = true;
        sink->handlers.pressure(sink->arg, true);
    }
}

/* ---- queues ---- */

static void on_enqueued(void *arg, const struct rreply *reply, const struct err *err)
{
    struct shipment *shipment = arg;

    if (!err)
        shipment->sink->tally->queued += enqueue_count_new(reply);
    receive(shipment, STAGE_ENQUEUE, err);
}

static void enqueue_lane(struct sink *sink, struct lane *lane)
{
    struct shipment *shipment;
    struct script_call *call;

    if (lane->count == 0)
        return;
    shipment = mem_zalloc(sizeof(*shipment));
    shipment->sink = sink;
    call = enqueue_call_new(lane->queue->name, lane->how);
    for (size_t i = 0; i < lane->count; i++)
        script_arg(call, lane->items[i], strlen(lane->items[i]));
    lane->count = 0;
    send_off(shipment, call, on_enqueued);
}

/* ---- outcomes ---- */

static struct lane *find_lane(struct sink *sink, const char *queue, bool changed)
{
    struct lane *lanes = sink->lanes + (changed ? 0 : sink->config->nqueues);

    for (size_t i = 0; i < sink->config->nqueues; i++)
        if (strcmp(lanes[i].queue->name, queue) == 0)
            return &lanes[i];
    return NULL;
}

static void remember_item(struct sink *sink, const struct plan_projection *projection, const char *key,
                          bool changed)
{
    for (size_t i = 0; i < projection->config->nqueues; i++) {
        struct lane *lane = find_lane(sink, projection->config->queues[i], changed);

        lane->items = mem_grow(lane->items, lane->count, &lane->capacity, sizeof(*lane->items));
        lane->items[lane->count++] = key;
        if (lane->count == ENQUEUE_MAX_ITEMS)
            enqueue_lane(sink, lane);
    }
}

static void take_outcome(struct sink *sink, const struct parcel *parcel, const struct rreply *reply)
{
    struct tally *tally = sink->tally;
    bool changed = false;

    if (rreply_type(reply) == RREPLY_ERROR) {
        const char *text = rreply_string(reply, NULL);
        enum status status = redis_error_classify(text);

        metrics.replies[status]++;
        if (status != ST_REFUSED) {
            err_set(&sink->err, status, "Redis: %s", text);
            return;
        }
        sink->handlers.refused(sink->arg, parcel->projection, parcel->key, text);
        return;
    }
    switch (rreply_integer(reply)) {
    case 1:
        tally->put++;
        changed = true;
        break;
    case 2:
        tally->removed++;
        changed = true;
        break;
    case 3:
        tally->absent++;
        break;
    case 4: /* Redis may have dropped it just now; a backfill would tell of all the past */
        tally->absent++;
        changed = parcel->projection->config->expire_at && !sink->queueing.backlog;
        break;
    case 5: /* whoever removed it may have died since; this row may be the last that leads here */
        tally->absent++;
        changed = true;
        break;
    case -1:
        tally->stale++;
        break;
    default:
        tally->unchanged++;
    }
    changed |= sink->queueing.all;
    if (changed || !sink->queueing.backlog)
        remember_item(sink, parcel->projection, parcel->key, changed);
}

static void on_applied(void *arg, const struct rreply *reply, const struct err *err)
{
    struct shipment *shipment = arg;
    struct sink *sink = shipment->sink;

    if (!err && rreply_count(reply) != shipment->count)
        err_set(&sink->err, ST_LOST, "Redis: a script gave %zu answers for %zu documents",
                rreply_count(reply), shipment->count);
    else if (!err)
        for (size_t i = 0; i < shipment->count; i++)
            take_outcome(sink, &shipment->parcels[i], rreply_at(reply, i));
    receive(shipment, STAGE_PUT, err);
}

/* ---- documents ---- */

static void ship(struct shipment **open)
{
    struct shipment *shipment = *open;
    struct script_call *call;

    if (!shipment)
        return;
    *open = NULL;
    call = shipment->call;
    shipment->call = NULL;
    script_keys_raw(call, &shipment->tombstones, shipment->count);
    send_off(shipment, call, on_applied);
}

void sink_send(struct sink *sink)
{
    for (size_t i = 0; i < OPEN_CALLS; i++) {
        ship(&sink->puts.open[i]);
        ship(&sink->removals.open[i]);
    }
}

static struct shipment *shipment_new(struct sink *sink, const struct script *script, int route)
{
    struct shipment *shipment = mem_zalloc(sizeof(*shipment));

    shipment->sink = sink;
    shipment->route = route;
    shipment->call = script_call_new(script);
    script_arg_int(shipment->call, TOMBSTONE_TTL_MS);
    return shipment;
}

static bool has_room(const struct shipment *shipment, int route)
{
    return shipment->route == route && shipment->count < CALL_DOCUMENTS &&
           script_call_bytes(shipment->call) <= CALL_BYTES;
}

/* A shipment of this route with room for one more document. */
static struct shipment *with_room(struct sink *sink, struct quay *quay, int route)
{
    struct shipment **open = &quay->open[route % OPEN_CALLS];

    if (*open && !has_room(*open, route))
        ship(open);
    if (!*open)
        *open = shipment_new(sink, quay->script, route);
    return *open;
}

static void add_tombstone_key(struct shipment *shipment, const char *key, size_t len)
{
    struct sink *sink = shipment->sink;

    buf_clear(&sink->word);
    tombstone_add_key(&sink->word, key, len);
    resp_put_bulk(&shipment->tombstones, sink->word.data, sink->word.len);
}

static struct script_call *add_document(struct sink *sink, struct quay *quay,
                                        const struct plan_projection *projection, const char *key)
{
    size_t len = strlen(key);
    struct shipment *shipment = with_room(sink, quay, rconn_route(sink->rconn, key, len));

    shipment->parcels =
        mem_grow(shipment->parcels, shipment->count, &shipment->capacity, sizeof(*shipment->parcels));
    shipment->parcels[shipment->count++] = (struct parcel){projection, arena_copy(sink->arena, key, len + 1)};
    script_key(shipment->call, key, len);
    add_tombstone_key(shipment, key, len);
    return shipment->call;
}

void sink_put(struct sink *sink, const struct plan_projection *projection, const char *key, int64_t version,
              int64_t expire_ms, const struct buf *fields, size_t nfields)
{
    struct script_call *call = add_document(sink, &sink->puts, projection, key);
    char digest[DIGEST_LENGTH + 1];

    document_digest(fields, expire_ms, digest);
    buf_clear(&sink->word);
    packed_add(&sink->word, version, digest, fields, nfields);
    script_arg_int(call, expire_ms < 0 ? 0 : expire_ms);
    script_arg(call, sink->word.data, sink->word.len);
}

void sink_remove(struct sink *sink, const struct plan_projection *projection, const char *key,
                 int64_t version)
{
    script_arg_int(add_document(sink, &sink->removals, projection, key), version);
}

/* Waits for every reply. */
static int flush(struct sink *sink, struct err *err)
{
    sink_send(sink);
    loop_run_until(rconn_loop(sink->rconn), &sink->idle);
    if (sink->err.status == ST_OK)
        return 0;
    err_copy(err, &sink->err);
    err_clear(&sink->err);
    return -1;
}

int sink_enqueue(struct sink *sink, struct err *err)
{
    if (flush(sink, err) != 0)
        return -1;
    for (size_t i = 0; i < sink->nlanes; i++)
        enqueue_lane(sink, &sink->lanes[i]);
    if (flush(sink, err) != 0)
        return -1;
    arena_reset(sink->arena);
    return 0;
}
