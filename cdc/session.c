#include "cdc/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/snapshot.h"
#include "cdc/sql/texts.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/script_send.h"
#include "lua/scripts.h"
#include "queue/enqueue.h"

enum {
    STATE_VERSION,
    STATE_SEARCH_PATH,
    STATE_DONE,
    STATE_UPTO,
    STATE_AT_XID,
    STATE_AT_SEQ,
    STATE_IDENTITY,
    STATE_QUARANTINED,
    STATE_IS_PAST,
    STATE_OLDEST
};

/* ---- waiting for a connection ---- */

static void wake(struct session *session)
{
    if (session->wake)
        session->wake(session->wake_arg);
}

static void lose(struct session *session, const struct err *why)
{
    err_copy(&session->why_lost, why);
    session->lost = true;
    wake(session);
}

static void on_up(void *arg)
{
    (void)arg;
}

static void on_down(void *arg, const struct err *why)
{
    lose(arg, why);
}

static void on_notified(void *arg, const char *payload)
{
    struct session *session = arg;

    (void)payload;
    session->notified = true;
    wake(session);
}

static const struct pg_handlers pg_handlers = {on_up, on_down, on_notified};
static const struct rconn_handlers rconn_handlers = {on_up, on_down};

int session_connect_pg(struct session *session, const char *application, struct err *err)
{
    struct pg_target target = {session->config->postgres, session->config->postgres_password, application};
    struct pg_query pin = {.sql = sql_session, .script = true};

    session->pg = pg_new(session->loop, &pg_handlers, session);
    pg_open(session->pg, &target);
    while (!pg_is_up(session->pg) && !session->lost)
        loop_run_once(session->loop);
    if (session->lost) {
        err_copy(err, &session->why_lost);
        return -1;
    }
    return pg_run(session->pg, &pin, NULL, err);
}

int session_connect_redis(struct session *session, struct err *err)
{
    session->rconn = rconn_new(session->loop, &rconn_handlers, session);
    rconn_open(session->rconn, &session->config->redis);
    while (!rconn_is_up(session->rconn) && !session->lost)
        loop_run_once(session->loop);
    if (!session->lost)
        return 0;
    err_copy(err, &session->why_lost);
    return -1;
}

/* ---- state in PostgreSQL ---- */

static void not_installed(const struct session *session, struct err *err)
{
    err_clear(err);
    err_set(err, ST_CONFIG, "fleet \"%s\" is not installed in this database; run: pgusher install",
            session->config->fleet);
}

static void free_cursor(struct cursor *cursor)
{
    free(cursor->done);
    free(cursor->upto);
    free(cursor->at_xid);
    free(cursor->at_seq);
}

static void adopt_state(struct session *session, const struct pg_rows *rows)
{
    free_cursor(&session->cursor);
    session->cursor = (struct cursor){
        .done = mem_strdup(pg_rows_get(rows, 0, STATE_DONE, NULL)),
        .upto = mem_strdup(pg_rows_get(rows, 0, STATE_UPTO, NULL)),
        .at_xid = mem_strdup(pg_rows_get(rows, 0, STATE_AT_XID, NULL)),
        .at_seq = mem_strdup(pg_rows_get(rows, 0, STATE_AT_SEQ, NULL)),
    };
    session->quarantined = atoll(pg_rows_get(rows, 0, STATE_QUARANTINED, NULL));
}

static int pin_search_path(struct session *session, const char *search_path, struct err *err)
{
    const char *const params[] = {search_path};
    struct pg_query query = {
        .sql = "SELECT set_config('search_path', $1, false)", .params = params, .nparams = 1};

    return pg_run(session->pg, &query, NULL, err);
}

/* *ret_identity is the caller's. */
static int load_state(struct session *session, char **ret_identity, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {.sql = sql_fleet_state, .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;
    int result = -1;

    if (pg_run(session->pg, &query, &rows, err) != 0) {
        if (err->status == ST_CONFIG && strstr(err->text, "pgusher."))
            not_installed(session, err);
        return -1;
    }
    if (pg_rows_count(rows) == 0) {
        not_installed(session, err);
    } else if (atoi(pg_rows_get(rows, 0, STATE_VERSION, NULL)) < SCHEMA_VERSION ||
               atoi(pg_rows_get(rows, 0, STATE_OLDEST, NULL)) > SCHEMA_VERSION) {
        err_set(err, ST_CONFIG,
                "schema pgusher is of version %s, this program needs %d; run: pgusher install",
                pg_rows_get(rows, 0, STATE_VERSION, NULL), SCHEMA_VERSION);
    } else if (strstr(pg_rows_get(rows, 0, STATE_IDENTITY, NULL), "standby")) {
        err_set(err, ST_AGAIN, "PostgreSQL is a standby, not a primary; add target_session_attrs=read-write");
    } else if (pg_rows_get(rows, 0, STATE_IS_PAST, NULL)[0] != 't') {
        err_set(err, ST_CONFIG,
                "the cursor of fleet \"%s\" is ahead of this database, which must have been restored or "
                "moved; run: "
                "pgusher uninstall, install and backfill",
                session->config->fleet);
    } else {
        adopt_state(session, rows);
        *ret_identity = mem_strdup(pg_rows_get(rows, 0, STATE_IDENTITY, NULL));
        result = pin_search_path(session, pg_rows_get(rows, 0, STATE_SEARCH_PATH, NULL), err);
    }
    pg_rows_free(rows);
    return result;
}

static void problems_to_err(const struct problems *problems, struct err *err)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        if (problem->level == PROBLEM_WARNING)
            log_warn("%s: %s", problem->place, problem->text);
        else if (err->status == ST_OK)
            err_set(err, ST_CONFIG, "%s: %s", problem->place, problem->text);
        else
            log_error("%s: %s", problem->place, problem->text);
    }
}

static int load_plan(struct session *session, struct err *err)
{
    struct problems problems = {0};
    struct catalog *catalog = catalog_load(session->pg, session->config, err);

    if (!catalog)
        return -1;
    session->plan = plan_new(session->config, catalog, &problems);
    problems_to_err(&problems, err);
    problems_free(&problems);
    if (session->plan && plan_load_routes(session->plan, catalog, session->pg, err) != 0) {
        plan_free(session->plan);
        session->plan = NULL;
    }
    catalog_free(catalog);
    return session->plan ? 0 : -1;
}

/* ---- state in Redis ---- */

struct epoch_answer {
    struct session *session;
    bool done;
    struct err err;
};

static void on_epoch(void *arg, const struct rreply *reply, const struct err *err)
{
    struct epoch_answer *answer = arg;

    answer->done = true;
    if (err)
        answer->err = *err;
    else
        answer->session->epoch = rreply_integer(reply);
}

static int load_epoch(struct session *session, const char *identity, struct err *err)
{
    struct script_call *call = script_call_new(&script_epoch);
    struct epoch_answer answer = {session, false, ERR_NONE};

    script_key(call, "pgusher:epoch", 13);
    script_arg(call, identity, strlen(identity));
    script_send(call, session->rconn, on_epoch, &answer);
    loop_run_until(session->loop, &answer.done);
    if (answer.err.status == ST_OK)
        return 0;
    err_copy(err, &answer.err);
    return -1;
}

static int configure_queues(struct session *session, struct err *err)
{
    for (size_t i = 0; i < session->config->nqueues; i++)
        if (enqueue_configure(session->rconn, &session->config->queues[i], err) != 0)
            return -1;
    return 0;
}

static int prepare(struct session *session, const char *application, struct err *err)
{
    struct pg_query listen = {.sql = "LISTEN pgusher"};
    char *identity = NULL;
    int result = -1;

    if (session_connect_pg(session, application, err) == 0 && load_state(session, &identity, err) == 0 &&
        load_plan(session, err) == 0 && session_connect_redis(session, err) == 0 &&
        load_epoch(session, identity, err) == 0 && configure_queues(session, err) == 0)
        result = pg_run(session->pg, &listen, NULL, err);
    free(identity);
    return result;
}

int session_own(struct session *session, bool *ret_owned, struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {.sql = "SELECT pg_try_advisory_lock(1885828468, hashtext($1))",
                             .name = "own",
                             .params = params,
                             .nparams = 1};
    struct pg_rows *rows = NULL;
    char *identity = NULL;
    int result = 0;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    *ret_owned = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    if (*ret_owned)
        result = load_state(session, &identity, err);
    free(identity);
    return result;
}

struct session *session_open(struct loop *loop, const struct config *config, const char *application,
                             struct session **ret_session, struct err *err)
{
    struct session *session = mem_zalloc(sizeof(*session));

    session->loop = loop;
    session->config = config;
    *ret_session = session;
    if (prepare(session, application, err) != 0) {
        session_close(session);
        *ret_session = NULL;
    }
    return *ret_session;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    pg_free(session->pg);
    rconn_free(session->rconn);
    plan_free(session->plan);
    free_cursor(&session->cursor);
    free(session);
}

void session_abort(struct session *session, const char *why)
{
    struct err err = {ST_LOST, ""};

    snprintf(err.text, sizeof(err.text), "%s", why);
    if (session->pg)
        pg_drop(session->pg, ST_LOST, why);
    if (session->rconn)
        rconn_drop(session->rconn, ST_LOST, why);
    lose(session, &err);
}
