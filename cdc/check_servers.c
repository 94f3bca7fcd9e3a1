/* What `pgusher check` asks PostgreSQL and Redis beyond the SQL of each projection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/check.h"
#include "cdc/needs.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"

enum { MIN_REDIS_MAJOR = 7 };
enum { MIN_SERVER_VERSION = 140000 };
enum { READ_SOURCE, READ_TABLE, READ_QUALIFIED, READ_KIND };

/* ---- coverage ---- */

static bool is_watched(const struct projection *projection, const struct catalog *catalog, const char *oid)
{
    for (size_t i = 0; i < projection->nwatches; i++)
        if (strcmp(catalog_find(catalog, projection->watches[i].table)->oid, oid) == 0)
            return true;
    return false;
}

static void report_read(const struct projection *projection, const struct catalog *catalog,
                        const struct pg_rows *reads, int row, struct problems *problems)
{
    char *place = mem_printf("projections.%s.watch", projection->name);
    const char *table = pg_rows_get(reads, row, READ_QUALIFIED, NULL);

    switch (pg_rows_get(reads, row, READ_KIND, NULL)[0]) {
    case 'r':
    case 'p':
        if (!is_watched(projection, catalog, pg_rows_get(reads, row, READ_TABLE, NULL)))
            problems_add(
                problems, PROBLEM_WARNING, place,
                "the source %s reads table %s, but no watch covers it: its changes will not refresh these "
                "documents",
                projection->source, table);
        break;
    default:
        problems_add(problems, PROBLEM_WARNING, place,
                     "the source %s reads %s, which is no plain table: its changes cannot be captured",
                     projection->source, table);
    }
    free(place);
}

static void check_coverage(struct session *session, const struct catalog *catalog, struct problems *problems,
                           struct err *err)
{
    char *oids = needs_source_oids(session->config, catalog);
    const char *const params[] = {oids};
    struct pg_query query = {.sql = sql_view_reads, .params = params, .nparams = 1};
    struct pg_rows *reads = NULL;

    if (pg_run(session->pg, &query, &reads, err) == 0)
        for (int row = 0; row < pg_rows_count(reads); row++)
            for (size_t i = 0; i < session->config->nprojections; i++) {
                const struct projection *projection = &session->config->projections[i];

                if (strcmp(catalog_find(catalog, projection->source)->oid,
                           pg_rows_get(reads, row, READ_SOURCE, NULL)) == 0)
                    report_read(projection, catalog, reads, row, problems);
            }
    pg_rows_free(reads);
    free(oids);
}

/* ---- capture ---- */

static void check_capture(struct session *session, const struct catalog *catalog, struct problems *problems,
                          struct err *err)
{
    const char *const params[] = {session->config->fleet};
    struct pg_query query = {
        .sql = "SELECT to_regclass('pgusher.fleet'), $1::text", .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;
    int tables, changed;
    char *script;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return;
    if (!pg_rows_get(rows, 0, 0, NULL)) {
        problems_add(problems, PROBLEM_WARNING, "",
                     "the database does not capture changes yet; run: pgusher install");
    } else {
        script = capture_compose(session->pg, session->config, catalog, &tables, &changed, err);
        if (script && changed)
            problems_add(problems, PROBLEM_WARNING, "",
                         "%d triggers and functions do not stand as this configuration needs them; run: "
                         "pgusher install",
                         changed);
        free(script);
    }
    pg_rows_free(rows);
}

/* ---- the server ---- */

static void check_listen(struct session *session, struct problems *problems, struct err *err)
{
    if (session_listen(session, err) == 0 && session->deaf)
        problems_add(problems, PROBLEM_WARNING, "postgres",
                     "notifications are not delivered over this connection (a transaction pooler?): workers "
                     "would poll for changes; connect to the server itself");
}

static void check_server(struct session *session, struct problems *problems, struct err *err)
{
    struct pg_query query = {.sql = "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),"
                                    " current_setting('max_prepared_transactions')::int"};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return;
    if (atoi(pg_rows_get(rows, 0, 0, NULL)) < MIN_SERVER_VERSION)
        problems_add(problems, PROBLEM_ERROR, "postgres", "PostgreSQL 14 or newer is needed");
    if (pg_rows_get(rows, 0, 1, NULL)[0] == 't')
        problems_add(problems, PROBLEM_ERROR, "postgres",
                     "this server is a standby; add target_session_attrs=read-write to reach the primary");
    if (atoi(pg_rows_get(rows, 0, 2, NULL)) > 0)
        problems_add(
            problems, PROBLEM_WARNING, "postgres",
            "max_prepared_transactions is not 0: a transaction that woke a worker cannot be PREPAREd");
    pg_rows_free(rows);
}

void check_database(struct session *session, struct problems *problems, struct err *err)
{
    struct catalog *catalog;

    check_server(session, problems, err);
    catalog = err->status == ST_OK ? catalog_load(session->pg, session->config, err) : NULL;
    if (!catalog)
        return;
    session->plan = plan_new(session->config, catalog, problems);
    if (session->plan) {
        for (size_t i = 0; i < session->plan->nprojections && err->status == ST_OK; i++)
            check_projection_sql(session, &session->plan->projections[i], catalog, problems, err);
        if (err->status == ST_OK)
            check_coverage(session, catalog, problems, err);
        if (err->status == ST_OK)
            check_capture(session, catalog, problems, err);
        if (err->status == ST_OK)
            check_listen(session, problems, err);
    }
    catalog_free(catalog);
}

/* ---- Redis ---- */

/* The value of "name:value" in an INFO text, copied; the caller frees. */
static char *info_value(const char *info, const char *name)
{
    char *prefix = mem_printf("\n%s:", name);
    const char *found = strstr(info, prefix);
    char *value = NULL;

    if (found) {
        found += strlen(prefix);
        value = mem_strndup(found, strcspn(found, "\r\n"));
    }
    free(prefix);
    return value;
}

static void judge_redis(const char *info, struct problems *problems)
{
    char *version = info_value(info, "redis_version");
    char *role = info_value(info, "role");
    char *policy = info_value(info, "maxmemory_policy");

    if (version && atoi(version) < MIN_REDIS_MAJOR)
        problems_add(problems, PROBLEM_ERROR, "redis", "Redis 7.0 or newer is needed, this is %s", version);
    if (role && strcmp(role, "master") != 0)
        problems_add(problems, PROBLEM_ERROR, "redis", "this Redis is a replica; name the primary");
    if (policy && strncmp(policy, "allkeys-", 8) == 0)
        problems_add(problems, PROBLEM_WARNING, "redis",
                     "maxmemory-policy %s may evict queues and documents without a date; use noeviction or "
                     "volatile-ttl",
                     policy);
    free(version);
    free(role);
    free(policy);
}

/* Each of them, for what is judged is set on each; but what is wrong everywhere is told once. */
void check_redis(struct session *session, struct problems *problems, struct err *err)
{
    struct rconn *rconn = session->rconn;
    size_t known = problems->count;

    for (size_t i = 0; problems->count == known && i < rconn_primaries(rconn); i++) {
        struct rreply *reply =
            rconn_run(rconn, rconn_primary_route(rconn, i), 1, (const char *const[]){"INFO"}, err);

        if (reply)
            judge_redis(rreply_string(reply, NULL), problems);
        rreply_free(reply);
    }
}
