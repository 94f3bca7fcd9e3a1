/* What is kept beside the data: a record on each Redis primary (see position.h), which tells whether its
 * contents are still those that the fleet takes them for.
 *
 * A record moves with its slot of a cluster, so afterwards a primary may have several, or none: then it gets
 * one. Each record names the routes of all, so one that vanished with its server is missed.
 */
#ifndef PGUSHER_BESIDE_H
#define PGUSHER_BESIDE_H

#include "cdc/position.h"

/* What all records say together. */
struct beside {
    char *dataset;   /* NULL: there are none, one is missing, or they differ */
    int64_t ordinal; /* the highest */
    int64_t epoch;   /* the highest in a record; -1: none */
};

/* Also finds session->records. 0, or -1 with err set. The caller frees ret_beside->dataset. */
int beside_read(struct session *session, struct beside *ret_beside, struct err *err);

/* Which other database's workers were here within the last seconds; NULL: none. The caller frees
 * *ret_database. 0, or -1 with err set. */
int beside_stranger(struct session *session, char **ret_database, struct err *err);

/* Begins the record of a dataset anew on every primary, with a cursor for each partition and a note for each
 * projection that it is still to be filled: there is never a record without them, so that whatever state
 * Redis falls back to, it says how far it is. 0, or -1 with err set. */
int beside_begin(struct session *session, const char *dataset, const struct cursor *cursors, struct err *err);

/* Whether a primary has no record, because slots moved there. */
bool beside_is_uncovered(const struct session *session);
/* Gives it one, a copy of the others. Under the lock that keeps others from doing the same. 0, or -1 with err
 * set. */
int beside_cover(struct session *session, struct err *err);

/* The cursor of one partition as each record has it: calls fn with its text (NULL: it has none). */
typedef void beside_cursors_fn(void *arg, int part, const char *text);
int beside_cursors(struct session *session, const struct parts *parts, beside_cursors_fn *fn, void *arg,
                   struct err *err);

/* A field of each record: calls fn with its text (NULL: there is none). */
typedef void beside_note_fn(void *arg, const char *text);
int beside_field(struct session *session, const char *name, beside_note_fn *fn, void *arg, struct err *err);
/* Writes it into every record. 0, or -1 with err set, as beside_save. */
int beside_set_field(struct session *session, const char *name, const char *text, struct err *err);

/* The note about the backfill of a projection (see task_note.h); calls fn with each record's (NULL: none). */
int beside_notes(struct session *session, const char *projection, beside_note_fn *fn, void *arg,
                 struct err *err);
int beside_note(struct session *session, const char *projection, const char *text, struct err *err);

/* Waits until as many replicas of every primary as redis_wait says have all that was written so far.
 * *ret_enough says whether they have within the time. 0, or -1 with err set. */
int beside_wait(struct session *session, bool *ret_enough, struct err *err);

/* Saves in every record. 0, or -1 with err set: ST_LOST when one is not ours any more. */
int beside_save(struct session *session, const struct position *position, struct err *err);

/* Looks, without waiting, whether every record is still ours; if not, the session is lost. At most one look
 * is under way. */
void beside_look(struct session *session);
/* The session ends; the look under way, if any, concerns nobody. */
void beside_forget(struct session *session);

/* What went wrong because the key holds something of another program's says so. */
void beside_name_key(struct err *err, const char *key);

#endif
