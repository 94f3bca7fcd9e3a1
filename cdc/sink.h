/* Where documents go: guarded writes into Redis, then the queues.
 *
 * Documents are collected into script calls and sent as soon as a call is full; replies come in while more
 * are built. What a write changed is an item for the projection's queues from its reply on; items are told in
 * full calls while more documents are written, and the rest by sink_enqueue.
 *
 * The order that loses nothing: a document's put, its reply, its item, every reply; only then may the cursor
 * move. An item that was not told when a step failed is forgotten with the sink: its owner queues unchanged
 * documents, too, until it has caught up (see sink_queueing).
 */
#ifndef PGUSHER_SINK_H
#define PGUSHER_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "cdc/plan.h"
#include "common/rconn.h"

struct sink;

struct tally {
    int64_t put;
    int64_t unchanged;
    int64_t removed;
    int64_t absent;  /* to be removed, but was not there */
    int64_t stale;   /* a newer version was there */
    int64_t refused; /* counted by the quarantine */
    int64_t queued;  /* items that did not wait already */
};

/* Called for a document that cannot be written (its key holds something that is not a hash). */
typedef void sink_refused_fn(void *arg, const struct plan_projection *projection, const char *key,
                             const char *error);
/* Called when so much is outstanding that the producer should wait (true), and when it may go on (false). */
typedef void sink_pressure_fn(void *arg, bool wait);

struct sink_handlers {
    sink_refused_fn *refused;
    sink_pressure_fn *pressure;
};

/* How the items of a sink are queued. */
struct sink_queueing {
    /* documents are queued though they are unchanged, because the last owner may have died between the write
     * and the enqueue */
    bool all;
    /* a backfill's: they wait until nothing else does. Otherwise they are live changes, and of a document
     * that a backfill has just written its waiting item comes sooner. */
    bool backlog;
};

/* The tally grows; it outlives the sink. */
struct sink *sink_new(struct rconn *rconn, const struct config *config, struct sink_queueing queueing,
                      struct tally *tally, const struct sink_handlers *handlers, void *arg);
/* What is outstanding is waited for (it cannot take longer than the deadline of rconn). NULL-safe. */
void sink_free(struct sink *sink);

/* fields: nfields times name, value as resp_put_bulk writes them. expire_ms < 0: never. */
void sink_put(struct sink *sink, const struct plan_projection *projection, const char *key, int64_t version,
              int64_t expire_ms, const struct buf *fields, size_t nfields);
void sink_remove(struct sink *sink, const struct plan_projection *projection, const char *key,
                 int64_t version);

/* Sends what is collected without waiting, so that Redis works while more is read. */
void sink_send(struct sink *sink);
/* Sends what is collected and waits for every reply, then the same for the queues. 0, or -1 with err set when
 * any failed. */
int sink_enqueue(struct sink *sink, struct err *err);

#endif
