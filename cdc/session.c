#include "cdc/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cdc/beside.h"
#include "cdc/resume.h"
#include "cdc/sql/texts.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "queue/enqueue.h"

enum {
    PROBE_MS = 1000,
    USUAL_MAX_WORD_BYTES = 512 << 20,
    STANDSTILL_MS = 20000, /* longer than a slow Redis takes to answer the look of every second */
};

/* ---- waiting for a connection ---- */

static void wake(struct session *session)
{
    if (session->wake)
        session->wake(session->arg);
}

void session_lose(struct session *session, const struct err *why)
{
    if (session->lost)
        return;
    err_copy(&session->why_lost, why);
    session->lost = true;
    if (session->pg)
        pg_drop(session->pg, ST_LOST, why->text);
    if (session->rconn)
        rconn_drop(session->rconn, ST_LOST, why->text);
    wake(session);
}

bool session_is_current(struct session *session)
{
    int64_t age = clock_boot_ms() - session->looked_at_ms;

    if (session->looked_at_ms && age > STANDSTILL_MS)
        session_abort(session, "this process stood still for too long");
    return !session->lost;
}

static void on_up(void *arg)
{
    (void)arg;
}

static void on_down(void *arg, const struct err *why)
{
    session_lose(arg, why);
}

/* A number is that of a partition in which something changed. */
static void on_notified(void *arg, const char *payload)
{
    struct session *session = arg;

    if (!isdigit((unsigned char)*payload)) {
        session->probed |= session->probe && strcmp(payload, session->probe) == 0;
        if (session->told)
            session->told(session->arg, payload);
    } else if (parts_has(&session->parts, atoi(payload))) {
        session->notified = true;
        wake(session);
    }
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

/* Where CONFIG is not allowed the limit is hardly another than the usual one. */
static void learn_limit(struct session *session)
{
    const char *const words[] = {"CONFIG", "GET", "proto-max-bulk-len"};
    struct err refused = ERR_NONE;
    struct rreply *reply =
        rconn_run(session->rconn, rconn_primary_route(session->rconn, 0), 3, words, &refused);
    const char *bytes = reply && rreply_count(reply) == 2 ? rreply_string(rreply_at(reply, 1), NULL) : NULL;

    session->max_word_bytes = bytes && atoll(bytes) > 0 ? (size_t)atoll(bytes) : USUAL_MAX_WORD_BYTES;
    rreply_free(reply);
}

int session_connect_redis(struct session *session, struct err *err)
{
    session->rconn = rconn_new(session->loop, &rconn_handlers, session);
    rconn_open(session->rconn, &session->config->redis);
    while (!rconn_is_up(session->rconn) && !session->lost)
        loop_run_once(session->loop);
    if (!session->lost)
        learn_limit(session);
    if (!session->lost)
        return 0;
    err_copy(err, &session->why_lost);
    return -1;
}

/* ---- the plan ---- */

/* Once, not at each outage. */
static void log_warnings(struct session *session, const struct problems *problems)
{
    if (session->warned && *session->warned)
        return;
    for (size_t i = 0; i < problems->count; i++)
        if (problems->list[i].level == PROBLEM_WARNING)
            log_warn("%s: %s", problems->list[i].place, problems->list[i].text);
    if (session->warned)
        *session->warned = true;
}

/* The first broken projection is the error, the others are logged. */
static int check_plan(const struct plan *plan, size_t whole, struct err *err)
{
    if (plan_count_whole(plan) >= whole)
        return 0;
    for (size_t i = 0; i < plan->nprojections; i++) {
        const char *broken = plan->projections[i].broken;

        if (broken && err->status != ST_OK)
            log_error("%s", broken);
        else if (broken)
            err_set(err, ST_CONFIG, "%s", broken);
    }
    return err->status == ST_OK ? 0 : -1;
}

/* At least so many projections must not be broken. */
static int load_plan(struct session *session, size_t whole, struct err *err)
{
    struct problems problems = {0};
    struct catalog *catalog = catalog_load(session->pg, session->config, err);

    if (!catalog)
        return -1;
    session->plan = plan_new_partial(session->config, catalog, &problems);
    log_warnings(session, &problems);
    problems_free(&problems);
    if (plan_load_routes(session->plan, catalog, session->pg, err) != 0 ||
        check_plan(session->plan, whole, err) != 0) {
        plan_free(session->plan);
        session->plan = NULL;
    }
    catalog_free(catalog);
    return session->plan ? 0 : -1;
}

/* ---- opening ---- */

static int configure_queues(struct session *session, struct err *err)
{
    for (size_t i = 0; i < session->config->nqueues; i++)
        if (enqueue_configure(session->rconn, &session->config->queues[i], err) != 0)
            return -1;
    return 0;
}

static void end_wait(void *arg)
{
    *(bool *)arg = true;
}

void session_wait(struct session *session, const bool *done, int64_t ms)
{
    bool over = false;
    struct timer *timer = timer_new(session->loop, end_wait, &over);

    timer_start(timer, ms);
    while (!over && !*done && !session->lost)
        loop_run_once(session->loop);
    timer_free(timer);
}

/* Behind a transaction pooler LISTEN succeeds and nothing ever comes, so it is tried. */
int session_listen(struct session *session, struct err *err)
{
    struct pg_query listen = {.sql = "LISTEN pgusher"};
    struct pg_query probe = {.sql = "SELECT pg_notify('pgusher', $1)", .nparams = 1};

    session->probe = mem_printf("probe %ld %lld", (long)getpid(), (long long)clock_mono_ms());
    probe.params = (const char *const *)&session->probe;
    if (pg_run(session->pg, &listen, NULL, err) != 0 || pg_run(session->pg, &probe, NULL, err) != 0)
        return -1;
    session_wait(session, &session->probed, PROBE_MS);
    session->deaf = !session->probed;
    return 0;
}

static int listen_to_changes(struct session *session, const char *application, struct err *err)
{
    char *name = mem_printf("%s (polling)", application);
    const char *const params[] = {name};
    struct pg_query rename = {
        .sql = "SELECT set_config('application_name', $1, false)", .params = params, .nparams = 1};
    int result = session_listen(session, err);

    if (result == 0 && session->deaf) {
        log_warn(
            "NOTIFY does not reach this session (is there a transaction pooler in between?); polling for "
            "changes instead. Connect to PostgreSQL directly");
        result = pg_run(session->pg, &rename, NULL, err);
    }
    free(name);
    return result;
}

int session_prepare_pg(struct session *session, const char *application, size_t whole, struct err *err)
{
    if (session_connect_pg(session, application, err) != 0 || resume_load(session, err) != 0)
        return -1;
    return load_plan(session, whole, err);
}

static int prepare(struct session *session, const struct session_opener *opener, struct err *err)
{
    size_t whole = opener->partial ? 1 : session->config->nprojections;

    if (session_prepare_pg(session, opener->application, whole, err) != 0 ||
        session_connect_redis(session, err) != 0 || resume_settle(session, opener->is_worker, err) != 0 ||
        configure_queues(session, err) != 0)
        return -1;
    return opener->is_worker ? listen_to_changes(session, opener->application, err) : 0;
}

struct session *session_open(struct loop *loop, const struct config *config,
                             const struct session_opener *opener, struct session **ret_session,
                             struct err *err)
{
    struct session *session = mem_zalloc(sizeof(*session));

    session->loop = loop;
    session->config = config;
    session->epoch = opener->epoch;
    session->ordinal = opener->ordinal;
    session->dataset = mem_strdup(opener->dataset);
    session->former_database = mem_strdup(opener->database);
    session->replicas_follow = true;
    session->warned = opener->warned;
    *ret_session = session;
    if (prepare(session, opener, err) != 0) {
        session_close(session);
        *ret_session = NULL;
    }
    return *ret_session;
}

void session_close(struct session *session)
{
    if (!session)
        return;
    session->lost = true; /* what is outstanding need not say so */
    session->wake = NULL;
    session->told = NULL;
    beside_forget(session);
    pg_free(session->pg);
    rconn_free(session->rconn);
    plan_free(session->plan);
    free(session->number);
    free(session->installed_at);
    free(session->database);
    free(session->former_database);
    free(session->dataset);
    free(session->probe);
    free(session);
}

void session_abort(struct session *session, const char *why)
{
    struct err err = {ST_LOST, ""};

    snprintf(err.text, sizeof(err.text), "%s", why);
    session_lose(session, &err);
}
