/* Inside resume.h: what its files share. */
#ifndef PGUSHER_RESUME_PRIVATE_H
#define PGUSHER_RESUME_PRIVATE_H

#include "cdc/beside.h"
#include "cdc/resume.h"

/* Both sides' answers; the facts point into them. */
struct knowledge {
    struct pg_rows *rows;
    struct beside beside;
    struct rreply *epoch; /* epoch, identity */
    int64_t pg_epoch;     /* as pgusher.fleet remembers it */
    struct resume_facts facts;
};

/* Asks both servers. 0, or -1 with err set. */
int knowledge_learn(struct session *session, struct knowledge *known, struct err *err);
void knowledge_forget(struct knowledge *known);

/* Finds the epoch of this history, a new one if it is another than before or went back in time. 0, or -1 with
 * err set: ST_AGAIN on a former primary. */
int knowledge_settle_epoch(struct session *session, const struct knowledge *known, bool back_in_time,
                           struct err *err);
/* PostgreSQL remembers the epoch, too, for the day when Redis forgets it. 0, or -1 with err set. */
int knowledge_remember_epoch(struct session *session, const struct knowledge *known, const char *dataset,
                             struct err *err);

/* Also when one of them is NULL. */
bool resume_differ(const char *a, const char *b);

#endif
