/* A session: one configuration at work. Its PostgreSQL and Redis connections, the plan, and what ties the two
 * servers together: the epoch and the dataset (see resume.h).
 *
 * It is opened as a whole and dies as a whole: when either connection goes, the other one is dropped at once,
 * so that nothing is written by a worker that may own nothing any more; the owner closes it and opens another
 * one. So no half-lost state can be carried on.
 *
 * Functions that talk to a server wait in the event loop for the answer; signals and timers go on meanwhile.
 */
#ifndef PGUSHER_SESSION_H
#define PGUSHER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "cdc/cursor.h"
#include "cdc/parts.h"
#include "cdc/plan.h"
#include "cdc/sink.h"
#include "common/log_repeat.h"
#include "common/pg.h"
#include "common/rconn.h"

/* The schema that this program installs, and the oldest program that works with that one. */
enum { SCHEMA_VERSION = 2, OLDEST_PROGRAM = 2 };

struct round;

/* Routes of the records beside the data: at least one on each primary. */
enum { MAX_RECORDS = 256 };
struct records {
    int routes[MAX_RECORDS];
    size_t count;
};

/* A payload that came with a NOTIFY and is not the number of one of our partitions. */
typedef void session_told_fn(void *arg, const char *payload);

struct session {
    struct loop *loop;
    const struct config *config;
    struct pg *pg;
    struct rconn *rconn;
    struct plan *plan;
    /* what pgusher.meta and pgusher.fleet say */
    char *number; /* the fleet's, in the names of its locks */
    int partitions;
    char *installed_at;
    char *database;        /* system identifier and name */
    char *former_database; /* see session_opener */
    bool quarantined;      /* there may be something in quarantine */
    /* the history of PostgreSQL and the contents of Redis, as settled by resume.h */
    int64_t epoch;
    char *dataset;         /* NULL: not settled */
    int64_t ordinal;       /* the highest in a version made so far */
    size_t max_word_bytes; /* that Redis takes; at a longer one it hangs up */
    struct records records;
    struct round *looking;     /* see beside_look */
    int64_t looked_at_ms;      /* when it was last known that the dataset is ours; 0: nobody looks */
    struct parts parts;        /* that are read by this session */
    bool *warned;              /* see session_opener */
    bool hushed;               /* one after another ends for the same reason: no news that it began */
    struct log_quota refusals; /* lines about documents that go to quarantine */
    struct tally tally;
    char *probe;          /* what it sends itself to see whether NOTIFY reaches it */
    bool probed;          /* it came back */
    bool deaf;            /* NOTIFY does not reach this session */
    bool replicas_follow; /* false once redis_wait was not met */
    bool changes_lost;    /* the changelog no longer goes back to the cursor */
    bool notified;        /* something changed in a partition of ours since this was last cleared */
    bool lost;            /* a connection went down */
    struct err why_lost;
    loop_fn *wake;         /* called when notified or lost becomes true; may be NULL */
    session_told_fn *told; /* may be NULL */
    void *arg;
};

/* Who opens a session. */
struct session_opener {
    const char *application;
    bool is_worker; /* may begin a dataset anew; listens */
    bool partial;   /* a broken projection is no reason to fail, unless all are */
    /* what an earlier session of this process used, and the highest ordinal it put into these contents of
     * Redis; NULL: there was none */
    int64_t epoch;
    int64_t ordinal;
    const char *dataset;
    const char *database; /* it followed this one, which may therefore be left for another one; NULL: none */
    bool *warned;         /* whether warnings about this configuration were logged already; NULL: log them */
};

/* Connects to both servers and prepares everything for work. NULL with err set. The config must outlive it.
 * `ret_session` is set before anything waits, so that session_abort can be called from a signal. */
struct session *session_open(struct loop *loop, const struct config *config,
                             const struct session_opener *opener, struct session **ret_session,
                             struct err *err);
void session_close(struct session *session); /* NULL-safe */
/* Makes whatever waits fail at once with ST_LOST. */
void session_abort(struct session *session, const char *why);
/* The same for a reason of its own; the first reason counts. */
void session_lose(struct session *session, const struct err *why);
/* False, and the session is lost, when this process stood still for so long (stopped, or its machine
 * suspended) that what it has read must not be written any more: others own its partitions, a new history may
 * be in force, and the tombstones of what was removed since may be gone. */
bool session_is_current(struct session *session);

/* The parts of session_open, for programs that want less. 0, or -1 with err set. */
int session_connect_pg(struct session *session, const char *application, struct err *err);
int session_connect_redis(struct session *session, struct err *err);
/* Connects to PostgreSQL only, finds the fleet and makes the plan, of which at least so many projections must
 * be whole. 0, or -1 with err set. */
int session_prepare_pg(struct session *session, const char *application, size_t whole, struct err *err);

/* LISTENs, and finds out whether anything is heard: session->deaf. 0, or -1 with err set. */
int session_listen(struct session *session, struct err *err);

/* Until `ms` have passed, `*done` is true or the session is lost. */
void session_wait(struct session *session, const bool *done, int64_t ms);

#endif
