/* Where a fleet's cursors are kept: in PostgreSQL, where they decide what the changelog may forget, and
 * beside the data in Redis, on every primary, where they decide what has to be applied again after Redis lost
 * something.
 *
 * Beside the data means the hash pgusher:fleet:<name> (in a cluster one on each primary, with a hash tag that
 * lives there): dataset, epoch, ordinal, p0, p1 … with the cursor of each partition, and
 * backfill:<projection> (see task_note.h). It is replicated and persisted in one order with the documents, so
 * whatever a Redis forgot, the cursor in it is not ahead of it. PostgreSQL's own is for the same reason not
 * ahead of what a crash of PostgreSQL left: a cursor beside the data may have passed transactions that were
 * not flushed, and after a crash others get their numbers. So a session begins where both say that all before
 * is applied.
 */
#ifndef PGUSHER_POSITION_H
#define PGUSHER_POSITION_H

#include "cdc/session.h"

/* Partitions with one cursor. */
struct position {
    struct cursor cursor;
    struct parts parts;
    bool unsaved; /* beside the data */
    bool unsaved_in_pg;
    int64_t saved_in_pg_at_ms; /* monotonic */
};

/* The cursors of these partitions: for each the one of PostgreSQL, held back to what every Redis primary says
 * is applied. ret_cursors has room for MAX_PARTITIONS and is indexed by partition; the caller frees each.
 * *ret_resumable: the changelog still holds every change since. 0, or -1 with err set. */
int position_load(struct session *session, const struct parts *parts, struct cursor *ret_cursors,
                  bool *ret_resumable, struct err *err);

/* Only PostgreSQL's, of all partitions. */
int position_load_all_from_pg(struct session *session, struct cursor *ret_cursors, struct err *err);

/* 0, or -1 with err set. When the fleet's cursors speak of another dataset by now, PostgreSQL's stay as they
 * are: the session will hear of it. Saving beside the data waits for replicas first where the configuration
 * says so; when they do not answer in time, nothing is saved, `unsaved` stays, and it is no error. */
int position_save_beside(struct session *session, struct position *position, struct err *err);
int position_save_in_pg(struct session *session, struct position *position, struct err *err);

/* Opens the gates that are held and gives the ownership up; the other workers are told. */
int position_release(struct session *session, const struct parts *parts, const struct parts *held,
                     struct err *err);

#endif
