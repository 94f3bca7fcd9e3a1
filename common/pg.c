#include "common/pg.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/pg_error.h"

enum { CONNECT_DEADLINE_MS = 10000 };

/* PGresult under a name that keeps libpq out of the other modules. */
struct pg_rows {
    PGresult *result;
};

enum state { CLOSED, CONNECTING, UP };

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
    enum state state;
    PGconn *conn;
    struct io *io;
    struct timer *deadline;
    struct request *head;
    struct request **tail;
    struct prepared *prepared;
    struct err why_down;
    bool paused;
    bool going_down; /* tell_down is deferred */
    bool freed;
};

static void pump(struct pg *pg);
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

static void request_free(struct request *request)
{
    for (int i = 0; i < request->nparams; i++)
        free(request->params[i]);
    free(request->params);
    free(request->sql);
    free(request->name);
    PQclear(request->last);
    free(request);
}

static struct request *unlink_head(struct pg *pg)
{
    struct request *request = pg->head;

    pg->head = request->next;
    if (!pg->head)
        pg->tail = &pg->head;
    return request;
}

/* Calls done for the request at the head, exactly once. */
static void finish_head(struct pg *pg)
{
    struct request *request = unlink_head(pg);
    struct pg_rows rows = {request->last};

    if (request->err.status != ST_OK)
        request->done(request->arg, NULL, &request->err);
    else
        request->done(request->arg, request->last ? &rows : NULL, NULL);
    request->last = rows.result; /* NULL when pg_run took it */
    request_free(request);
}

static void fail_all(struct pg *pg, const struct err *why)
{
    struct request *request = pg->head;

    pg->head = NULL;
    pg->tail = &pg->head;
    while (request) {
        struct request *next = request->next;

        err_set(&request->err, ST_LOST, "%s", why->text);
        request->done(request->arg, NULL, &request->err);
        request_free(request);
        request = next;
    }
}

static void forget_prepared(struct pg *pg)
{
    while (pg->prepared) {
        struct prepared *prepared = pg->prepared;

        pg->prepared = prepared->next;
        free(prepared->name);
        free(prepared);
    }
}

static void close_connection(struct pg *pg)
{
    io_set(pg->io, -1, false, false);
    timer_stop(pg->deadline);
    PQfinish(pg->conn);
    pg->conn = NULL;
    pg->state = CLOSED;
    pg->paused = false;
    forget_prepared(pg);
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
    fail_all(pg, &why);
    if (!pg->freed)
        pg->handlers.down(pg->arg, &why);
}

static void go_down(struct pg *pg, const struct err *why)
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
        go_down(pg, &err);
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
    fail_all(pg, &why);
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

/* ---- connecting ---- */

static void on_connect_deadline(void *arg)
{
    pg_drop(arg, ST_AGAIN, "PostgreSQL: no answer while connecting");
}

static void drop_with_connect_error(struct pg *pg)
{
    struct err err = ERR_NONE;

    pg_connect_error(PQerrorMessage(pg->conn), &err);
    go_down(pg, &err);
}

static void send_head(struct pg *pg);

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
    timer_start(pg->deadline, CONNECT_DEADLINE_MS);
    if (PQstatus(pg->conn) == CONNECTION_BAD) {
        drop_with_connect_error(pg);
        return;
    }
    io_set(pg->io, PQsocket(pg->conn), false, true);
}

/* ---- requests ---- */

static bool is_prepared(const struct pg *pg, const char *name)
{
    for (const struct prepared *p = pg->prepared; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

static void remember_prepared(struct pg *pg, const char *name)
{
    struct prepared *prepared = mem_alloc(sizeof(*prepared));

    prepared->name = mem_strdup(name);
    prepared->next = pg->prepared;
    pg->prepared = prepared;
}

static int send_request(struct pg *pg, struct request *request)
{
    const char *const *params = (const char *const *)request->params;

    if (request->script)
        return PQsendQuery(pg->conn, request->sql);
    if (!request->name)
        return PQsendQueryParams(pg->conn, request->sql, request->nparams, NULL, params, NULL, NULL, 0);
    if (is_prepared(pg, request->name))
        return PQsendQueryPrepared(pg->conn, request->name, request->nparams, params, NULL, NULL, 0);
    request->preparing = true;
    return PQsendPrepare(pg->conn, request->name, request->sql, 0, NULL);
}

static void drop_broken(struct pg *pg)
{
    struct buf why = BUF_NONE;

    buf_printf(&why, "PostgreSQL: %s", PQerrorMessage(pg->conn));
    while (why.len && why.data[why.len - 1] == '\n')
        why.data[--why.len] = '\0';
    pg_drop(pg, ST_LOST, why.data);
    buf_free(&why);
}

static void flush(struct pg *pg)
{
    int left = PQflush(pg->conn);

    if (left < 0)
        drop_broken(pg);
    else
        io_set(pg->io, PQsocket(pg->conn), !pg->paused, left > 0);
}

static void send_head(struct pg *pg)
{
    struct request *request = pg->head;

    if (pg->state != UP || !request || request->sent)
        return;
    request->sent = true;
    if (!send_request(pg, request)) {
        drop_broken(pg);
        return;
    }
    if (request->on_rows && !request->preparing)
        PQsetSingleRowMode(pg->conn);
    flush(pg);
}

static struct request *request_new(const struct pg_query *query, pg_done_fn *done, void *arg)
{
    struct request *request = mem_zalloc(sizeof(*request));

    request->sql = mem_strdup(query->sql);
    request->name = mem_strdup(query->name);
    request->script = query->script;
    request->nparams = query->nparams;
    request->params = mem_zalloc(sizeof(char *) * (size_t)(query->nparams + 1));
    for (int i = 0; i < query->nparams; i++)
        request->params[i] = mem_strdup(query->params[i]);
    request->done = done;
    request->arg = arg;
    return request;
}

static void fail_unopened(void *arg)
{
    struct pg *pg = arg;
    struct err why = {ST_LOST, "PostgreSQL: not connected"};

    if (pg->state == CLOSED && !pg->going_down)
        fail_all(pg, &why);
}

void pg_stream(struct pg *pg, const struct pg_query *query, pg_rows_fn *rows, pg_done_fn *done, void *arg)
{
    struct request *request = request_new(query, done, arg);

    request->on_rows = rows;
    *pg->tail = request;
    pg->tail = &request->next;
    if (pg->state == CLOSED && !pg->going_down)
        loop_defer(pg->loop, fail_unopened, pg);
    else if (pg->head == request)
        send_head(pg);
}

void pg_send(struct pg *pg, const struct pg_query *query, pg_done_fn *done, void *arg)
{
    pg_stream(pg, query, NULL, done, arg);
}

void pg_pause(struct pg *pg)
{
    pg->paused = true;
    if (pg->state == UP)
        flush(pg);
}

static void resume_pump(void *arg)
{
    struct pg *pg = arg;

    if (pg->state == UP)
        pump(pg);
}

void pg_resume(struct pg *pg)
{
    if (!pg->paused)
        return;
    pg->paused = false;
    if (pg->state != UP)
        return;
    flush(pg);
    loop_defer(pg->loop, resume_pump, pg);
}

static void set_result_error(struct err *err, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    err_set(err, pg_classify(sqlstate), "PostgreSQL: %s%s%s%s%s (SQLSTATE %s)",
            text ? text : PQresultErrorMessage(result), detail ? "; " : "", detail ? detail : "",
            hint ? "; " : "", hint ? hint : "", sqlstate ? sqlstate : "none");
}

/* Takes ownership of result. */
static void take_result(struct request *request, PGresult *result)
{
    struct pg_rows rows = {result};

    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
        if (request->err.status == ST_OK)
            request->on_rows(request->arg, &rows);
        PQclear(result);
        return;
    case PGRES_TUPLES_OK:
        if (request->on_rows) {
            PQclear(result);
            return;
        }
        /* fall through */
    case PGRES_COMMAND_OK:
    case PGRES_EMPTY_QUERY:
        PQclear(request->last);
        request->last = result;
        return;
    default:
        set_result_error(&request->err, result);
        PQclear(result);
    }
}

static void request_ended(struct pg *pg)
{
    struct request *request = pg->head;

    if (request->err.status == ST_LOST) {
        go_down(pg, &request->err);
        return;
    }
    if (request->preparing && request->err.status == ST_OK) {
        request->preparing = false;
        request->sent = false;
        remember_prepared(pg, request->name);
        PQclear(request->last);
        request->last = NULL;
        send_head(pg);
        return;
    }
    finish_head(pg);
    send_head(pg);
}

static void pump(struct pg *pg)
{
    while (pg->state == UP && !pg->paused && pg->head && pg->head->sent && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);

        if (result)
            take_result(pg->head, result);
        else
            request_ended(pg);
    }
}

static void take_notifications(struct pg *pg)
{
    PGnotify *notify;
    bool some = false;

    while ((notify = PQnotifies(pg->conn))) {
        PQfreemem(notify);
        some = true;
    }
    if (some && pg->handlers.notified)
        pg->handlers.notified(pg->arg);
}

static void on_io(void *arg, bool readable, bool writable)
{
    struct pg *pg = arg;

    if (pg->state == CONNECTING) {
        poll_connect(pg);
        return;
    }
    if (readable && !PQconsumeInput(pg->conn)) {
        drop_broken(pg);
        return;
    }
    if (writable)
        flush(pg);
    pump(pg);
    if (pg->state == UP)
        take_notifications(pg);
}

/* ---- rows ---- */

int pg_rows_count(const struct pg_rows *rows)
{
    return PQntuples(rows->result);
}

int pg_rows_columns(const struct pg_rows *rows)
{
    return PQnfields(rows->result);
}

const char *pg_rows_column(const struct pg_rows *rows, int column)
{
    return PQfname(rows->result, column);
}

const char *pg_rows_get(const struct pg_rows *rows, int row, int column, size_t *ret_len)
{
    if (PQgetisnull(rows->result, row, column))
        return NULL;
    if (ret_len)
        *ret_len = (size_t)PQgetlength(rows->result, row, column);
    return PQgetvalue(rows->result, row, column);
}

void pg_rows_free(struct pg_rows *rows)
{
    if (!rows)
        return;
    PQclear(rows->result);
    free(rows);
}

struct waiting {
    bool done;
    struct pg_rows *rows;
    struct err *err;
};

static void on_waited(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct waiting *waiting = arg;
    struct pg_rows *given = (struct pg_rows *)rows;

    waiting->done = true;
    if (err) {
        err_copy(waiting->err, err);
        return;
    }
    if (!rows)
        return;
    waiting->rows = mem_zalloc(sizeof(*waiting->rows));
    waiting->rows->result = given->result;
    given->result = NULL;
}

int pg_run(struct pg *pg, const struct pg_query *query, struct pg_rows **ret_rows, struct err *err)
{
    struct waiting waiting = {false, NULL, err};

    pg_send(pg, query, on_waited, &waiting);
    loop_run_until(pg->loop, &waiting.done);
    if (err->status != ST_OK)
        return -1;
    if (ret_rows)
        *ret_rows = waiting.rows;
    else
        pg_rows_free(waiting.rows);
    return 0;
}
