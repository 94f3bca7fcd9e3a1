/* What is noted beside the data (see position.h) about a backfill, before the database is told: how far it
 * is. When Redis falls back to an older state, the note falls back with the documents, and so shows what the
 * row in pgusher.backfill, or its absence, does not know.
 */
#ifndef PGUSHER_TASK_NOTE_H
#define PGUSHER_TASK_NOTE_H

#include "cdc/session.h"

enum task_phase { TASK_KEYS, TASK_ROWS, TASK_DONE };

struct task_state {
    const char *projection;
    const char *asked_at; /* which backfill of it */
    enum task_phase phase;
    int64_t documents; /* in the phase of rows */
};

/* 0, or -1 with err set. */
int task_note_write(struct session *session, const struct task_state *state, struct err *err);
/* *ret_holds: no primary has an older state. The walk through the keys begins anew in any case, so a state in
 * that phase holds. 0, or -1 with err set. */
int task_note_holds(struct session *session, const struct task_state *state, bool *ret_holds,
                    struct err *err);
/* *ret_open: a primary has the note of one that was not done. 0, or -1 with err set. */
int task_note_is_open(struct session *session, const char *projection, bool *ret_open, struct err *err);

#endif
