/* One asynchronous PostgreSQL connection: requests wait in a line and are sent one after the other.
 *
 * It does not reconnect: when it goes down it says why, once, and its owner decides when to open it again.
 * Every request's `done` is called exactly once. An error with ST_LOST means the connection went away and the
 * outcome is unknown. Texts and parameters are copied by pg_send; rows are valid only during the callback.
 *
 * Which server of several: see pg_dial.h. What becomes of a connection whose other end is gone:
 *   host or network gone  the kernel ends it within about five seconds: keepalives, or tcp_user_timeout with
 *                         something under way (our defaults, where the conninfo says nothing)
 *   a query unanswered    it may take minutes, so no limit is set; but every five seconds of silence another
 *                         connection asks what became of the session (pg_watch.h). When it has ended, or its
 *                         answer was sent long ago, or another server is the primary, this one goes down
 *   nothing asked         nobody waits; the next query finds out
 *   a stopped server      (SIGSTOP, a stalled disk) its kernel still answers: with no other primary to go
 *                         to, we wait and say so
 *
 * Errors are classified here by SQLSTATE (PostgreSQL manual, appendix A):
 *   ST_AGAIN   serialization, deadlock, lock timeout, out of resources, cancelled
 *   ST_CONFIG  missing table, column or function, privileges, authentication; a foreign server is away
 *   ST_REFUSED the data: division by zero, bad cast, constraint, RAISE
 *   ST_LOST    the server ended the session, or the connection broke
 *
 * The classes of connection errors come from the same codes; an unreachable server is ST_AGAIN.
 */
#ifndef PGUSHER_PG_H
#define PGUSHER_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/status.h"

struct pg;
struct pg_rows;

struct pg_handlers {
    void (*up)(void *arg);
    void (*down)(void *arg, const struct err *why);   /* failed to connect, or lost; may pg_open again */
    void (*notified)(void *arg, const char *payload); /* each NOTIFY on a channel we LISTEN to; may be NULL */
};

struct pg_target {
    const char *conninfo; /* libpq conninfo or URI */
    const char *password; /* NULL: as libpq finds it */
    const char *application_name;
};

struct pg_query {
    const char *sql;
    const char *name; /* prepared under this name on first use in this connection; NULL: not prepared */
    const char *const *params; /* text format; NULL elements are SQL NULL */
    int nparams;
    bool script; /* several statements, no parameters, the result of the last one */
};

typedef void pg_rows_fn(void *arg, const struct pg_rows *rows);
typedef void pg_done_fn(void *arg, const struct pg_rows *rows, const struct err *err);

struct pg *pg_new(struct loop *loop, const struct pg_handlers *handlers, void *arg);
/* Pending requests are told ST_LOST before this returns. `down` is not called. NULL-safe. */
void pg_free(struct pg *pg);

/* Connects; up or down is called later, never from inside. Only while closed. */
void pg_open(struct pg *pg, const struct pg_target *target);
bool pg_is_up(const struct pg *pg);
/* Closes because of `why`: pending requests get ST_LOST, then `down` is called, all from the loop. */
void pg_drop(struct pg *pg, enum status status, const char *why);

/* done gets all rows; err is NULL on success, rows NULL on error. Given while connecting it is sent once up,
 * before what `up` itself sends; while closed it is told ST_LOST. */
void pg_send(struct pg *pg, const struct pg_query *query, pg_done_fn *done, void *arg);
/* As pg_send, but rows arrive in pieces while the server produces them; done then gets rows NULL. Memory
 * stays bounded by the largest row. */
void pg_stream(struct pg *pg, const struct pg_query *query, pg_rows_fn *rows, pg_done_fn *done, void *arg);
/* While paused nothing is read, so the server is slowed down through the socket. Not for longer than the
 * server's tcp_user_timeout: it takes us for dead. */
void pg_pause(struct pg *pg);
void pg_resume(struct pg *pg);

/* Waits in the loop for one answer; not from inside a callback. 0, or -1 with err set. The caller frees
 * *ret_rows with pg_rows_free; it may be NULL when not wanted. */
int pg_run(struct pg *pg, const struct pg_query *query, struct pg_rows **ret_rows, struct err *err);
void pg_rows_free(struct pg_rows *rows); /* NULL-safe */

/* How long the server owes us something, an answer or the connection; 0: it does not. */
int64_t pg_silent_ms(const struct pg *pg);
/* How often pg_run got an answer. */
uint64_t pg_answers(const struct pg *pg);

int pg_rows_count(const struct pg_rows *rows);
int pg_rows_columns(const struct pg_rows *rows);
const char *pg_rows_name(const struct pg_rows *rows, int column);
/* NULL for SQL NULL; ret_len may be NULL. NUL-terminated. */
const char *pg_rows_get(const struct pg_rows *rows, int row, int column, size_t *ret_len);

/* Appends text as an SQL literal / identifier, or as one element of an array literal (quoted). */
struct buf;
void pg_put_literal(struct buf *buf, const char *text);
void pg_put_identifier(struct buf *buf, const char *name);
void pg_put_array_element(struct buf *buf, const char *text, size_t len);

#endif
