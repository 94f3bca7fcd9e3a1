/* Where to go on: settles, when a session opens, whether PostgreSQL still has the history and Redis still the
 * contents that the fleet knew.
 *
 * PostgreSQL's history is named by system identifier and timeline. When it is another one (a standby was
 * promoted, a dump restored, the service moved) or went back in time (its snapshots are below ordinals that
 * are already in versions), documents in Redis may be ahead of the database: the epoch grows, so that
 * versions of now are above all older ones, and every key is compared with its row.
 *
 * Redis' contents are named by a dataset, a random word in the record beside the data and in pgusher.fleet.
 * When a primary has none or another one (new, flushed, replaced), everything is written.
 *
 * In both cases, and when the changelog no longer goes back to the cursor, rows in pgusher.backfill make the
 * fleet bring all documents in step, beside live changes. Who comes first does that, under a lock; the others
 * notice and begin a new session.
 */
#ifndef PGUSHER_RESUME_H
#define PGUSHER_RESUME_H

#include "cdc/session.h"

/* What is known on both sides. Texts may be NULL: nothing known. */
struct resume_facts {
    const char *identity;    /* of the server we talk to */
    int64_t now;             /* its snapshot ordinal */
    const char *pg_identity; /* as pgusher.fleet remembers it */
    const char *pg_dataset;
    const char *redis_identity;
    const char *redis_dataset; /* on all primaries */
    int64_t redis_ordinal;     /* the highest in a version */
};

enum resume_verdict {
    RESUME_GO_ON,
    RESUME_NEW_CONTENTS, /* of Redis */
    RESUME_NEW_HISTORY,  /* of PostgreSQL */
    RESUME_BACK_IN_TIME, /* PostgreSQL has the same name, but less than it had */
};

/* Pure. */
enum resume_verdict resume_judge(const struct resume_facts *facts);

/* Reads what PostgreSQL says of the fleet. 0, or -1 with err set. */
int resume_load(struct session *session, struct err *err);
/* Adds to an error that the role may not use what pgusher installed who knows which right it is. */
void resume_explain_rights(struct err *err);
/* Settles the epoch and the dataset. Only a worker begins a dataset for new contents of Redis; for others
 * session->dataset stays NULL then. 0, or -1 with err set. */
int resume_settle(struct session *session, bool is_worker, struct err *err);

/* The changelog does not go back to the cursor: all documents are brought in step. The session must then be
 * opened anew. 0, or -1 with err set. */
int resume_anew(struct session *session, const char *why, struct err *err);

/* A primary that got its first slots gets a record, too. 0, or -1 with err set. */
int resume_cover(struct session *session, struct err *err);

#endif
