/* What this worker says of itself, as a row in pgusher.worker: for people, see pgusher status. Nothing
 * depends on it, and that it cannot be written is nobody's trouble.
 *
 * It is written without waiting for the answer: when a session begins, every two seconds while something
 * changes, also in the middle of it, once when that is over, and otherwise twice a minute. It lives as long
 * as the process; sessions come and go.
 */
#ifndef PGUSHER_WORKER_ROW_H
#define PGUSHER_WORKER_ROW_H

#include <stdbool.h>

#include <jansson.h>

#include "cdc/session.h"

struct worker_row;

struct worker_row *worker_row_new(void);
void worker_row_free(struct worker_row *row); /* NULL-safe; after the session was closed */

/* The session is the one it tells of from now on; NULL: there is none. */
void worker_row_begin(struct worker_row *row, struct session *session);
/* What ended the last session. */
void worker_row_failed(struct worker_row *row, const struct err *why);
const char *worker_row_failure(const struct worker_row *row); /* NULL: none did */

/* A page was applied; age_ms: what feed_age_ms says afterwards. */
void worker_row_applied(struct worker_row *row, size_t changes, int64_t age_ms);
/* What it is at: "awake", "asleep", "polling: why". A constant. */
void worker_row_gate(struct worker_row *row, const char *gate);
const char *worker_row_gate_now(const struct worker_row *row);

/* What it would write now; the caller's. NULL: there is no session. */
json_t *worker_row_json(const struct worker_row *row);
int64_t worker_row_age_ms(const struct worker_row *row); /* the process */

/* What it is at, for people, on one line; NULL: there is no session. The caller frees. */
char *worker_row_text(const struct worker_row *row);

/* When it is time; to be called once a second. */
void worker_row_write(struct worker_row *row);
/* This worker ends as it should. */
void worker_row_remove(struct worker_row *row);

#endif
