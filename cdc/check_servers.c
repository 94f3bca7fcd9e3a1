/* What `pgusher check` asks PostgreSQL beside the parts that have files of their own. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/check.h"
#include "cdc/sql/texts.h"
#include "common/clock.h"

enum { MIN_SERVER_VERSION = 140000 };
enum { MIN_LAG_ROWS = 100000 };
enum { MAX_CLOCK_MS = 1000 };
enum { SERVER_VERSION, SERVER_STANDBY, SERVER_PREPARED, SERVER_CLOCK, SERVER_LOCKS, SERVER_TAKEN };

/* A quarter of the room, for there are other sessions, and workers beside this one. */
enum { LOCK_SHARE = 4 };

void check_settings(const struct config *config, struct problems *problems)
{
    if (config->http.text && !http_address_is_loopback(&config->http.address))
        problems_add(
            problems, PROBLEM_WARNING, "http",
            "whoever reaches %s reads how it stands, unencrypted, with keys of documents and what is wrong "
            "with them; from elsewhere better through a proxy with TLS to 127.0.0.1, or ssh -L",
            config->http.text);
    if (config->max_lag_rows && config->max_lag_rows < MIN_LAG_ROWS)
        problems_add(problems, PROBLEM_WARNING, "max_lag.rows",
                     "one statement that changes more than %" PRId64 " rows cuts this fleet loose, and all "
                     "documents are written anew; at least %d is advised",
                     config->max_lag_rows, MIN_LAG_ROWS);
}

void check_clock(int64_t theirs_ms, int64_t before_ms, const char *place, struct problems *problems)
{
    int64_t ahead = clock_offset_ms(theirs_ms, before_ms, clock_wall_ms());

    if (llabs(ahead) > MAX_CLOCK_MS)
        problems_add(problems, PROBLEM_WARNING, place,
                     "its clock is %.1f s %s that of this host: documents expire by the clock of Redis, and "
                     "ages are told by all of them; keep the hosts in step (NTP)",
                     (double)llabs(ahead) / 1000, ahead < 0 ? "behind" : "ahead of");
}

static void check_listen(struct session *session, struct problems *problems, struct err *err)
{
    if (session_listen(session, err) == 0 && session->deaf)
        problems_add(problems, PROBLEM_WARNING, "postgres",
                     "notifications are not delivered over this connection (a transaction pooler?): workers "
                     "would poll for changes; connect to the server itself");
}

static void judge_server(const struct pg_rows *rows, struct problems *problems)
{
    if (atoi(pg_rows_get(rows, 0, SERVER_VERSION, NULL)) < MIN_SERVER_VERSION)
        problems_add(problems, PROBLEM_ERROR, "postgres", "PostgreSQL 14 or newer is needed");
    if (pg_rows_get(rows, 0, SERVER_STANDBY, NULL)[0] == 't')
        problems_add(problems, PROBLEM_ERROR, "postgres",
                     "this server is a standby; add target_session_attrs=read-write to reach the primary");
    if (atoi(pg_rows_get(rows, 0, SERVER_PREPARED, NULL)) > 0)
        problems_add(
            problems, PROBLEM_WARNING, "postgres",
            "max_prepared_transactions is not 0: a transaction that woke a worker cannot be PREPAREd");
}

static int ask_server(struct session *session, const char *oids, struct pg_rows **ret_rows, struct err *err)
{
    struct pg_query query = {.sql = sql_check_server, .params = &oids, .nparams = 1};

    return pg_run(session->pg, &query, ret_rows, err);
}

static void check_server(struct session *session, struct problems *problems, struct err *err)
{
    int64_t before = clock_wall_ms();
    struct pg_rows *rows = NULL;

    if (ask_server(session, "{}", &rows, err) != 0)
        return;
    judge_server(rows, problems);
    check_clock(atoll(pg_rows_get(rows, 0, SERVER_CLOCK, NULL)), before, "postgres", problems);
    pg_rows_free(rows);
}

/* A plan that is kept takes a lock on each partition and each index of it before it looks at the ids. */
static void check_locks(struct session *session, const struct catalog *catalog, struct problems *problems,
                        struct err *err)
{
    char *oids = needs_source_oids(session->config, catalog);
    struct pg_rows *rows = NULL;

    if (ask_server(session, oids, &rows, err) == 0) {
        int64_t room = atoll(pg_rows_get(rows, 0, SERVER_LOCKS, NULL));
        int64_t taken = atoll(pg_rows_get(rows, 0, SERVER_TAKEN, NULL));

        if (taken * LOCK_SHARE > room)
            problems_add(problems, PROBLEM_WARNING, "postgres",
                         "the sources are made of %" PRId64 " tables, partitions and indexes, and the server "
                         "has room for %" PRId64 " locks: raise max_locks_per_transaction, or statements may "
                         "fail with \"out of shared memory\"",
                         taken, room);
    }
    pg_rows_free(rows);
    free(oids);
}

/* Rows that are hidden from a reader are rows that are gone. */
static void report_trust(const struct pg_rows *rows, int row, struct problems *problems)
{
    const char *what = pg_rows_get(rows, row, 1, NULL), *role = pg_rows_get(rows, row, 2, NULL);

    if (strcmp(pg_rows_get(rows, row, 0, NULL), "open") == 0)
        problems_add(problems, PROBLEM_WARNING, "postgres",
                     "everybody may create functions and operators in schema %s, which is on the search_path "
                     "of role %s: some could be called in the workers' statements, with the rights of that "
                     "role; REVOKE CREATE ON SCHEMA %s FROM PUBLIC;",
                     what, role, what);
    else
        problems_add(problems, PROBLEM_WARNING, "postgres",
                     "row-level security of table %s hides rows from role %s, as which it is read: their "
                     "documents would be removed, or never be written; ALTER ROLE %s BYPASSRLS; or CREATE "
                     "POLICY … ON %s FOR SELECT TO %s USING (true);",
                     what, role, role, what, role);
}

static void check_trust(struct session *session, const struct catalog *catalog, struct problems *problems,
                        struct err *err)
{
    char *oids = needs_source_oids(session->config, catalog), *schemas = catalog_schemas(session->pg, err);
    const char *const params[] = {oids, schemas};
    struct pg_query query = {.sql = sql_check_trust, .params = params, .nparams = 2};
    struct pg_rows *rows = NULL;

    if (schemas && pg_run(session->pg, &query, &rows, err) == 0)
        for (int row = 0; row < pg_rows_count(rows); row++)
            report_trust(rows, row, problems);
    pg_rows_free(rows);
    free(schemas);
    free(oids);
}

typedef void check_fn(struct session *session, const struct catalog *catalog, struct problems *problems,
                      struct err *err);

static void check_statements(struct session *session, const struct catalog *catalog,
                             struct problems *problems, struct err *err)
{
    for (size_t i = 0; i < session->plan->nprojections && err->status == ST_OK; i++)
        check_projection_sql(session, &session->plan->projections[i], catalog, problems, err);
}

void check_database(struct session *session, struct problems *problems, struct err *err)
{
    static check_fn *const checks[] = {check_trust, check_statements, check_coverage, check_locks,
                                       check_capture};
    struct catalog *catalog;

    check_server(session, problems, err);
    catalog = err->status == ST_OK ? catalog_load(session->pg, session->config, err) : NULL;
    if (!catalog)
        return;
    session->plan = plan_new(session->config, catalog, problems);
    for (size_t i = 0; session->plan && i < sizeof(checks) / sizeof(checks[0]); i++)
        if (err->status == ST_OK)
            checks[i](session, catalog, problems, err);
    if (session->plan && err->status == ST_OK)
        check_listen(session, problems, err);
    catalog_free(catalog);
}
