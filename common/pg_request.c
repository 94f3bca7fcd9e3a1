/* The line of requests of a connection, see pg.h: one is sent when the one before is answered. */
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/pg_error.h"
#include "common/pg_private.h"

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

void pg_requests_fail(struct pg *pg, const struct err *why)
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

void pg_requests_forget_prepared(struct pg *pg)
{
    while (pg->prepared) {
        struct prepared *prepared = pg->prepared;

        pg->prepared = prepared->next;
        free(prepared->name);
        free(prepared);
    }
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

void pg_requests_flush(struct pg *pg)
{
    int left = PQflush(pg->conn);

    if (left < 0)
        pg_broken(pg);
    else
        io_set(pg->io, PQsocket(pg->conn), !pg->paused, left > 0);
}

void pg_requests_send(struct pg *pg)
{
    struct request *request = pg->head;

    if (pg->state != UP || !request || request->sent)
        return;
    request->sent = true;
    if (!send_request(pg, request)) {
        pg_broken(pg);
        return;
    }
    if (request->on_rows && !request->preparing)
        PQsetSingleRowMode(pg->conn);
    pg_break_silence(pg);
    pg_requests_flush(pg);
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
    bool went_down = pg->why_down.status != ST_OK;
    struct err why = ERR_NONE;

    err_set(&why, ST_LOST, "%s", went_down ? pg->why_down.text : "PostgreSQL: not connected");
    if (pg->state == CLOSED && !pg->going_down)
        pg_requests_fail(pg, &why);
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
        pg_requests_send(pg);
}

void pg_send(struct pg *pg, const struct pg_query *query, pg_done_fn *done, void *arg)
{
    pg_stream(pg, query, NULL, done, arg);
}

void pg_pause(struct pg *pg)
{
    pg->paused = true;
    if (pg->state == UP)
        pg_requests_flush(pg);
}

static void resume_pump(void *arg)
{
    struct pg *pg = arg;

    if (pg->state == UP)
        pg_requests_pump(pg);
}

void pg_resume(struct pg *pg)
{
    if (!pg->paused)
        return;
    pg->paused = false;
    if (pg->state != UP)
        return;
    pg_break_silence(pg);
    pg_requests_flush(pg);
    loop_defer(pg->loop, resume_pump, pg);
}

static void set_result_error(struct err *err, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

    err_set(err, pg_classify_result(severity, sqlstate), "PostgreSQL: %s%s%s%s%s (SQLSTATE %s)",
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
        pg_go_down(pg, &request->err);
        return;
    }
    if (request->preparing && request->err.status == ST_OK) {
        request->preparing = false;
        request->sent = false;
        remember_prepared(pg, request->name);
        PQclear(request->last);
        request->last = NULL;
        pg_requests_send(pg);
        return;
    }
    finish_head(pg);
    pg_requests_send(pg);
}

void pg_requests_pump(struct pg *pg)
{
    while (pg->state == UP && !pg->paused && pg->head && pg->head->sent && !PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);

        if (result)
            take_result(pg->head, result);
        else
            request_ended(pg);
    }
}
