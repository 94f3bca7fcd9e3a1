/* A session: one configuration at work. Its PostgreSQL and Redis connections, the plan, the fleet's cursor
 * and the epoch.
 *
 * It is opened as a whole and dies as a whole: when either connection goes, the owner closes it and opens
 * another one, which reads the cursor again. So no half-lost state can be carried on.
 *
 * Functions that talk to a server wait in the event loop for the answer; signals and timers go on meanwhile.
 */
#ifndef PGUSHER_SESSION_H
#define PGUSHER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "cdc/plan.h"
#include "cdc/sink.h"
#include "common/pg.h"
#include "common/rconn.h"

/* The schema that this program installs, and the oldest program that works with that one. */
enum { SCHEMA_VERSION = 2, OLDEST_PROGRAM = 2 };

/* As pgusher.fleet keeps it, in PostgreSQL's text form. */
struct cursor {
    char *done;
    char *upto; /* NULL between batches */
    char *at_xid;
    char *at_seq;
};

struct session {
    struct loop *loop;
    const struct config *config;
    struct pg *pg;
    struct rconn *rconn;
    struct plan *plan;
    struct cursor cursor;
    int64_t epoch;
    int64_t quarantined; /* documents in quarantine when the session began, and since */
    struct tally tally;
    bool notified; /* a NOTIFY arrived since this was last cleared */
    bool lost;     /* a connection went down */
    struct err why_lost;
    loop_fn *wake; /* called when notified or lost becomes true; may be NULL */
    void *wake_arg;
};

/* Connects to both servers and prepares everything for work. NULL with err set. The config must outlive it.
 * `ret_session` is set before anything waits, so that session_abort can be called from a signal. */
struct session *session_open(struct loop *loop, const struct config *config, const char *application,
                             struct session **ret_session, struct err *err);
void session_close(struct session *session); /* NULL-safe */
/* Makes whatever waits fail at once with ST_LOST. */
void session_abort(struct session *session, const char *why);

/* Tries to become the fleet's owner: of all workers of a fleet one works, the others stand by and take over
 * as soon as its session ends. *ret_owned says whether it worked; then the cursor is the last owner's. 0, or
 * -1 with err set. */
int session_own(struct session *session, bool *ret_owned, struct err *err);

/* The parts of session_open, for programs that want less. 0, or -1 with err set. */
int session_connect_pg(struct session *session, const char *application, struct err *err);
int session_connect_redis(struct session *session, struct err *err);

#endif
