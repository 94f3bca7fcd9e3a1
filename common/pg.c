#include "common/pg.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pg_error.h"
#include "common/pg_hosts.h"
#include "common/pg_private.h"

enum { SILENCE_MS = 5000 };

static void on_silence(void *arg);
static void on_io(void *arg, bool readable, bool writable);

struct pg *pg_new(struct loop *loop, const struct pg_handlers *handlers, void *arg)
{
    struct pg *pg = mem_zalloc(sizeof(*pg));

    pg->loop = loop;
    pg->handlers = *handlers;
    pg->arg = arg;
    pg->tail = &pg->head;
    pg->io = io_new(loop, on_io, pg);
    pg->silence = timer_new(loop, on_silence, pg);
    return pg;
}

static void close_connection(struct pg *pg)
{
    io_set(pg->io, -1, false, false);
    timer_stop(pg->silence);
    pg_watch_free(pg->watch);
    pg_dial_free(pg->dial);
    PQfinish(pg->conn);
    pg->watch = NULL;
    pg->dial = NULL;
    pg->conn = NULL;
    pg->state = CLOSED;
    pg->paused = false;
    pg_requests_forget_prepared(pg);
}

static void tell_down(void *arg)
{
    struct pg *pg = arg;
    struct err why = pg->why_down;

    pg->going_down = false;
    if (pg->freed) {
        free(pg);
        return;
    }
    pg_requests_fail(pg, &why);
    if (!pg->freed)
        pg->handlers.down(pg->arg, &why);
}

void pg_go_down(struct pg *pg, const struct err *why)
{
    if (pg->going_down)
        return;
    close_connection(pg);
    pg->why_down = *why;
    pg->going_down = true;
    loop_defer(pg->loop, tell_down, pg);
}

void pg_drop(struct pg *pg, enum status status, const char *why)
{
    struct err err = ERR_NONE;

    err_set(&err, status, "%s", why);
    if (pg->state != CLOSED)
        pg_go_down(pg, &err);
}

static void free_now(void *arg)
{
    free(arg);
}

void pg_free(struct pg *pg)
{
    struct err why = {ST_LOST, "the connection was closed by its owner"};

    if (!pg)
        return;
    close_connection(pg);
    pg_requests_fail(pg, &why);
    io_free(pg->io);
    timer_free(pg->silence);
    pg_target_free(&pg->target);
    pg->freed = true;
    if (!pg->going_down)
        loop_defer(pg->loop, free_now, pg);
}

bool pg_is_up(const struct pg *pg)
{
    return pg->state == UP;
}

void pg_broken(struct pg *pg)
{
    struct err err = ERR_NONE;

    pg_lost_error(PQerrorMessage(pg->conn), &err);
    pg_go_down(pg, &err);
}

/* ---- connecting ---- */

static void on_dialed(void *arg, PGconn *conn, const struct err *err)
{
    struct pg *pg = arg;

    pg->conn = conn;
    if (!conn) {
        pg_go_down(pg, err);
        return;
    }
    pg_dial_free(pg->dial);
    pg->dial = NULL;
    pg->state = UP;
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pg->conn, 1) != 0) {
        pg_drop(pg, ST_AGAIN, "PostgreSQL: cannot switch the connection to non-blocking");
        return;
    }
    io_set(pg->io, PQsocket(pg->conn), true, false);
    pg->handlers.up(pg->arg);
    pg_requests_send(pg); /* it may have come while we were connecting; `up` may have dropped or freed us */
}

void pg_open(struct pg *pg, const struct pg_target *target)
{
    pg->state = CONNECTING;
    pg->heard_at_ms = clock_mono_ms();
    pg_target_free(&pg->target);
    pg->target = pg_target_copy(target);
    pg->dial = pg_dial_new(pg->loop, target, on_dialed, pg);
}

/* ---- silence ---- */

void pg_break_silence(struct pg *pg)
{
    pg_watch_free(pg->watch);
    pg->watch = NULL;
    pg->silence_told = false;
    pg->heard_at_ms = clock_mono_ms();
    timer_start(pg->silence, SILENCE_MS);
}

static void on_watched(void *arg, const char *dead, const char *unknown)
{
    struct pg *pg = arg;

    if (unknown && !pg->silence_told)
        log_warn("waiting for PostgreSQL, which has not answered for a while: %s", unknown);
    pg->silence_told = pg->silence_told || unknown;
    if (dead) {
        pg_drop(pg, ST_LOST, dead);
        return;
    }
    pg_watch_free(pg->watch);
    pg->watch = NULL;
    timer_start(pg->silence, SILENCE_MS);
}

static void on_silence(void *arg)
{
    struct pg *pg = arg;

    if (pg->head && pg->head->sent && !pg->paused)
        pg->watch = pg_watch_new(pg->loop, &pg->target, PQbackendPID(pg->conn), on_watched, pg);
}

static bool is_owed(const struct pg *pg)
{
    return pg->state == CONNECTING || (pg->state == UP && pg->head && pg->head->sent && !pg->paused);
}

int64_t pg_silent_ms(const struct pg *pg)
{
    return is_owed(pg) ? clock_mono_ms() - pg->heard_at_ms : 0;
}

uint64_t pg_answers(const struct pg *pg)
{
    return pg->answers;
}

/* ---- events ---- */

/* A handler may drop or free the connection. */
static void take_notifications(struct pg *pg)
{
    PGnotify *notify;

    while (pg->state == UP && (notify = PQnotifies(pg->conn))) {
        if (pg->handlers.notified)
            pg->handlers.notified(pg->arg, notify->extra);
        PQfreemem(notify);
    }
}

static void on_io(void *arg, bool readable, bool writable)
{
    struct pg *pg = arg;

    if (readable)
        pg_break_silence(pg);
    if (readable && !PQconsumeInput(pg->conn)) {
        pg_broken(pg);
        return;
    }
    if (writable)
        pg_requests_flush(pg);
    pg_requests_pump(pg);
    take_notifications(pg);
}
