#include "common/pg.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pg_error.h"
#include "common/pg_private.h"

enum { CONNECT_DEADLINE_MS = 10000 };

static void on_connect_deadline(void *arg);
static void on_io(void *arg, bool readable, bool writable);

struct pg *pg_new(struct loop *loop, const struct pg_handlers *handlers, void *arg)
{
    struct pg *pg = mem_zalloc(sizeof(*pg));

    pg->loop = loop;
    pg->handlers = *handlers;
    pg->arg = arg;
    pg->tail = &pg->head;
    pg->io = io_new(loop, on_io, pg);
    pg->deadline = timer_new(loop, on_connect_deadline, pg);
    return pg;
}

static void close_connection(struct pg *pg)
{
    io_set(pg->io, -1, false, false);
    timer_stop(pg->deadline);
    PQfinish(pg->conn);
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
    timer_free(pg->deadline);
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
    struct buf why = BUF_NONE;

    buf_printf(&why, "PostgreSQL: %s", PQerrorMessage(pg->conn));
    while (why.len && why.data[why.len - 1] == '\n')
        why.data[--why.len] = '\0';
    pg_drop(pg, ST_LOST, why.data);
    buf_free(&why);
}

/* ---- connecting ---- */

static void on_connect_deadline(void *arg)
{
    pg_drop(arg, ST_AGAIN, "PostgreSQL: no answer while connecting");
}

static void drop_with_connect_error(struct pg *pg)
{
    struct err err = ERR_NONE;

    pg_connect_error(PQerrorMessage(pg->conn), &err);
    pg_go_down(pg, &err);
}

static void on_notice(void *arg, const char *message)
{
    (void)arg;
    log_info("PostgreSQL says: %.*s", (int)strcspn(message, "\n"), message);
}

static void connected(struct pg *pg)
{
    timer_stop(pg->deadline);
    pg->state = UP;
    PQsetErrorVerbosity(pg->conn, PQERRORS_DEFAULT);
    if (PQsetnonblocking(pg->conn, 1) != 0) {
        pg_drop(pg, ST_AGAIN, "PostgreSQL: cannot switch the connection to non-blocking");
        return;
    }
    io_set(pg->io, PQsocket(pg->conn), true, false);
    pg->handlers.up(pg->arg);
}

static void poll_connect(struct pg *pg)
{
    PostgresPollingStatusType status;

    io_set(pg->io, -1, false, false);
    status = PQconnectPoll(pg->conn);
    /* Asked for after the first message buffer exists; later servers' errors then carry their SQLSTATE. */
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    switch (status) {
    case PGRES_POLLING_OK:
        connected(pg);
        break;
    case PGRES_POLLING_FAILED:
        drop_with_connect_error(pg);
        break;
    default:
        io_set(pg->io, PQsocket(pg->conn), status == PGRES_POLLING_READING, status == PGRES_POLLING_WRITING);
    }
}

void pg_open(struct pg *pg, const struct pg_target *target)
{
    /* libpq takes the last of equal keywords and expands dbname in place: what stands before it is a
     * default that the conninfo may change, what stands behind it is not. */
    const char *const keywords[] = {"keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "password",
                                    "dbname",
                                    "application_name",
                                    "client_encoding",
                                    NULL};
    const char *const values[] = {
        "5", "3", "3", "10000", target->password, target->conninfo, target->application_name, "UTF8", NULL};

    pg->conn = PQconnectStartParams(keywords, values, 1);
    if (!pg->conn)
        abort();
    pg->state = CONNECTING;
    PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(pg->conn, on_notice, NULL);
    timer_start(pg->deadline, CONNECT_DEADLINE_MS);
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        drop_with_connect_error(pg);
        return;
    }
    io_set(pg->io, PQsocket(pg->conn), false, true);
}

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

    if (pg->state == CONNECTING) {
        poll_connect(pg);
        return;
    }
    if (readable && !PQconsumeInput(pg->conn)) {
        pg_broken(pg);
        return;
    }
    if (writable)
        pg_requests_flush(pg);
    pg_requests_pump(pg);
    take_notifications(pg);
}
