/* Inside pg.h: what its files share. */
#ifndef PGUSHER_PG_PRIVATE_H
#define PGUSHER_PG_PRIVATE_H

#include <libpq-fe.h>

#include "common/pg.h"
#include "common/pg_dial.h"
#include "common/pg_watch.h"

/* PGresult under a name that keeps libpq out of the other modules. */
struct pg_rows {
    PGresult *result;
};

enum pg_state { CLOSED, CONNECTING, UP };

struct request {
    struct request *next;
    char *sql;
    char *name;
    char **params;
    int nparams;
    bool script;
    bool sent;
    bool preparing; /* the answer awaited is PREPARE's */
    pg_rows_fn *on_rows;
    pg_done_fn *done;
    void *arg;
    PGresult *last;
    struct err err;
};

struct prepared {
    struct prepared *next;
    char *name;
};

struct pg {
    struct loop *loop;
    struct pg_handlers handlers;
    void *arg;
    enum pg_state state;
    PGconn *conn;
    struct pg_dial *dial; /* while connecting */
    struct pg_target target;
    struct timer *silence;  /* runs from when we asked, or heard, last */
    struct pg_watch *watch; /* asks why there is no answer */
    bool silence_told;
    int64_t heard_at_ms; /* or asked, when that was later */
    uint64_t answers;
    struct io *io;
    struct request *head;
    struct request **tail;
    struct prepared *prepared;
    struct err why_down;
    bool paused;
    bool going_down; /* tell_down is deferred */
    bool freed;
};

/* Closes the connection and tells why, from the loop. */
void pg_go_down(struct pg *pg, const struct err *why);
/* libpq says the connection is broken. */
void pg_broken(struct pg *pg);

/* Something was sent or heard, or we were not listening: the silence begins anew. */
void pg_break_silence(struct pg *pg);

/* The line of requests. */
void pg_requests_fail(struct pg *pg, const struct err *why);
void pg_requests_forget_prepared(struct pg *pg);
void pg_requests_send(struct pg *pg); /* the first in the line, if it can be and was not */
void pg_requests_flush(struct pg *pg);
void pg_requests_pump(struct pg *pg);

#endif
