/* One backfill, done by this session: a row of pgusher.backfill whose lock it holds.
 *
 * How far it is, is noted beside the data first (see task_note.h; not for those with a filter), then in its
 * row, not after every step: who takes it up does the last few documents again, and queues them, for its
 * owner may have died before it could.
 */
#ifndef PGUSHER_TASK_H
#define PGUSHER_TASK_H

#include "cdc/pace.h"
#include "cdc/resync.h"
#include "cdc/task_note.h"

struct task {
    struct task *next; /* of those at hand */
    size_t projection;
    char *name;     /* the projection's */
    char *filter;   /* a condition over its source; "": all documents */
    char *asked_at; /* tells it from one that replaced it */
    char *lock;
    enum task_phase phase;
    bool cancelled; /* only to be put away */
    bool repair;    /* the cache is not right before it is done */
    bool again;     /* Redis fell back: all from the first document to the last is queued */
    int64_t first;  /* so many documents to come, what the last owner wrote, may not be queued */
    char **position;
    int64_t documents;
    int64_t total; /* -1: not known */
    int64_t rate;  /* documents a second at most; 0: as fast as it goes */
    int64_t due_ms;
    int64_t noted; /* documents, and when */
    int64_t noted_ms;
    struct pace pace;
    struct resync_keys *walk;
};

/* Columns of claim_task.sql. */
enum task_column {
    TASK_PROJECTION,
    TASK_PHASE,
    TASK_POSITION,
    TASK_DOCUMENTS,
    TASK_ASKED_AT,
    TASK_REASON,
    TASK_BEGUN,
    TASK_MINE,
    TASK_FILTER,
    TASK_LOCK,
    TASK_REPAIR,
    TASK_RATE,
    TASK_TOTAL,
    TASK_WAIT_MS
};

/* How many documents the planner thinks there are, at once: counting may take long. -1: it does not say. */
int64_t task_estimate(struct session *session, size_t projection, const char *filter);

/* What was claimed. */
struct task *task_take(struct session *session, const struct pg_rows *rows, int row);
void task_free(struct session *session, struct task *task); /* NULL-safe; the lock stays */
/* It may be claimed by others. 0, or -1 with err set. */
int task_unlock(struct session *session, const struct task *task, struct err *err);

/* It cannot be done as it is, others can: it is tried again later. 0, or -1 with err set. */
int task_put_off(struct session *session, struct task *task, const struct err *why, struct err *err);

/* Each of these says by *ret_over that the task is none of this session's any more: it is done, put off,
 * paused, cancelled or replaced. 0, or -1 with err set. */

/* Right after it was claimed. */
int task_begin(struct session *session, struct task *task, bool *ret_over, struct err *err);
/* About `limit` documents, or keys, more; afterwards due_ms is when the next step should be made. */
int task_step(struct session *session, struct task *task, int limit, bool *ret_over, struct err *err);

#endif
