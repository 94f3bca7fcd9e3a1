/* The fleet's backfills: rows of pgusher.backfill, each of which brings documents of one projection in step.
 * Any worker does any of them, some documents at a time, beside live changes; whose worker died is taken up
 * by another one where it stood. One at a time, but more while those at hand are held back by a rate.
 */
#ifndef PGUSHER_TASKS_H
#define PGUSHER_TASKS_H

#include "cdc/session.h"

struct tasks;

/* Which backfills. */
struct tasks_scope {
    const char *projections; /* an array literal */
    const char *filter;
};

/* scope NULL: all. Both must outlive it. */
struct tasks *tasks_new(struct session *session, const struct tasks_scope *scope);
void tasks_free(struct tasks *tasks); /* NULL-safe */

/* Any document of these projections may have gone: asks for backfills that look at every key and row.
 * queue_all: a run that died may have written what it did not queue. 0, or -1 with err set. */
int tasks_ask_repair(struct session *session, const char *const *projections, size_t count,
                     const char *reason, bool queue_all, struct err *err);

/* There may be new ones, or one that nobody does any more. */
void tasks_look_again(struct tasks *tasks);
/* A payload that the session was told. */
void tasks_told(struct tasks *tasks, const char *payload);
/* Live changes came just now: for some seconds steps are short, and take a fifth of the time, or a half where
 * the cache is not right before they are done. */
void tasks_yield(struct tasks *tasks);

/* Whether there may be one without which the cache is not right. */
bool tasks_are_needed(const struct tasks *tasks);
/* How long until the next step should be made, ms; 0: now; -1: not before somebody calls tasks_look_again. */
int64_t tasks_ms_left(const struct tasks *tasks);
/* Whether live changes took more than what is theirs, so that several steps are due at once. */
bool tasks_lag(const struct tasks *tasks);
/* Makes one step: looks for a task, or does some documents of one at hand. 0, or -1 with err set. */
int tasks_step(struct tasks *tasks, struct err *err);
/* When it gave ST_UNFIT: the projection that cannot be read, maybe for its plan is of another day. */
size_t tasks_unfit(const struct tasks *tasks);
/* Then, unless the session is begun anew: its task is tried again later, others may go on. */
void tasks_put_off(struct tasks *tasks, const struct err *why);

#endif
