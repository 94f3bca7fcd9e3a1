/* What `pgusher check` says of capture: does it stand, does it fire, may a worker read what it writes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/check.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"

enum { FIRING_KIND, FIRING_TABLE, FIRING_TRIGGER };

/* What schema.sql has for a fleet whose configuration does not say. */
enum { DEFAULT_LOOK_BACK_MS = 300000, DEFAULT_MAX_LAG_ROWS = 10000000, DEFAULT_MAX_LAG_AGE_MS = 86400000 };

char *check_watched_oids(const struct config *config, const struct catalog *catalog)
{
    struct names oids = {0};
    char *array;

    for (size_t i = 0; i < config->nprojections; i++)
        for (size_t j = 0; j < config->projections[i].nwatches; j++)
            names_add(&oids, catalog_find(catalog, config->projections[i].watches[j].table)->oid);
    array = array_literal((const char *const *)oids.list, oids.count);
    names_free(&oids);
    return array;
}

static int ask(struct session *session, const char *sql, const char *param, struct pg_rows **ret_rows,
               struct err *err)
{
    struct pg_query query = {.sql = sql, .params = &param, .nparams = param ? 1 : 0};

    return pg_run(session->pg, &query, ret_rows, err);
}

/* ---- who may install ---- */

/* "run: pgusher install", and what this role needs for that; the caller frees. NULL with err set. */
static char *how_to_install(struct session *session, const char *watched, struct err *err)
{
    struct pg_rows *rows = NULL;
    const char *role, *missing;
    char *text;

    if (ask(session, sql_check_install, watched, &rows, err) != 0)
        return NULL;
    role = pg_rows_get(rows, 0, 0, NULL);
    missing = pg_rows_get(rows, 0, 1, NULL);
    text = missing && *missing
               ? mem_printf("run: pgusher install, as a role that may; role %s would need %s", role, missing)
               : mem_strdup("run: pgusher install");
    pg_rows_free(rows);
    return text;
}

static void want_install(struct session *session, const char *watched, const char *what,
                         struct problems *problems, struct err *err)
{
    char *mend = how_to_install(session, watched, err);

    if (mend)
        problems_add(problems, PROBLEM_WARNING, "", "%s; %s", what, mend);
    free(mend);
}

/* ---- rights in the schema ---- */

static char *grants(void)
{
    const char *list[32];
    size_t count = 0;

    for (; capture_grants[count] && count < 31; count++)
        list[count] = capture_grants[count];
    list[count++] = "EXECUTE ON ALL FUNCTIONS IN SCHEMA pgusher";
    return array_literal(list, count);
}

/* Whether a worker of this role could do its work; otherwise says what it lacks. */
static bool check_rights(struct session *session, struct problems *problems, struct err *err)
{
    char *array = grants();
    struct pg_rows *rows = NULL;
    bool all = false;

    if (ask(session, sql_check_rights, array, &rows, err) == 0) {
        all = pg_rows_count(rows) == 0;
        for (int row = 0; row < pg_rows_count(rows); row++) {
            const char *grant = pg_rows_get(rows, row, 0, NULL), *role = pg_rows_get(rows, row, 1, NULL);

            problems_add(
                problems, PROBLEM_ERROR, "postgres",
                "role %s lacks what workers need in the schema pgusher; as the role that ran pgusher "
                "install: GRANT %s TO %s;",
                role, grant, role);
            if (strncmp(grant, "USAGE", 5) == 0)
                break; /* without it nothing else counts */
        }
    }
    pg_rows_free(rows);
    free(array);
    return all;
}

/* ---- what the fleet's row says ---- */

static int64_t or_default(int64_t said, int64_t otherwise)
{
    return said ? said : otherwise;
}

static bool row_differs(const struct config *config, const struct pg_rows *rows)
{
    return atoll(pg_rows_get(rows, 0, 1, NULL)) != or_default(config->look_back_ms, DEFAULT_LOOK_BACK_MS) ||
           atoll(pg_rows_get(rows, 0, 2, NULL)) != or_default(config->max_lag_rows, DEFAULT_MAX_LAG_ROWS) ||
           atoll(pg_rows_get(rows, 0, 3, NULL)) != or_default(config->max_lag_age_ms, DEFAULT_MAX_LAG_AGE_MS);
}

/* NULL with err set. */
static char *unknown_fleet(struct session *session, struct err *err)
{
    struct pg_rows *rows = NULL;
    const char *names, *near = NULL;
    char **list = NULL, *what;
    size_t count = 0;

    if (ask(session, "SELECT array_agg(name) FROM pgusher.fleet", NULL, &rows, err) != 0)
        return NULL;
    names = pg_rows_get(rows, 0, 0, NULL);
    if (names)
        count = array_parse(names, &list);
    near = suggest(session->config->fleet, (const char *const *)list, count);
    what = mem_printf("fleet %s is not installed in this database yet%s%s%s", session->config->fleet,
                      near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
    pg_rows_free(rows);
    return what;
}

/* Whether all stands as the configuration wants it; otherwise says what does not, and how to mend it. */
static bool check_fleet(struct session *session, const char *watched, struct problems *problems,
                        struct err *err)
{
    struct pg_rows *rows = NULL;
    char *what = NULL;
    bool stands;

    if (ask(session,
            "SELECT f.name, (extract(epoch FROM f.look_back) * 1000)::bigint, f.max_lag_rows,"
            " (extract(epoch FROM f.max_lag_age) * 1000)::bigint"
            " FROM pgusher.fleet f WHERE f.name = $1",
            session->config->fleet, &rows, err) != 0)
        return false;
    if (pg_rows_count(rows) == 0)
        what = unknown_fleet(session, err);
    else if (row_differs(session->config, rows))
        what =
            mem_strdup("look_back or max_lag is another one in the configuration than at the last install");
    stands = !what && err->status == ST_OK;
    if (what)
        want_install(session, watched, what, problems, err);
    free(what);
    pg_rows_free(rows);
    return stands;
}

/* ---- triggers ---- */

static void check_drift(struct session *session, const struct catalog *catalog, const char *watched,
                        struct problems *problems, struct err *err)
{
    int tables, changed = 0;
    struct err why = ERR_NONE;
    char *script = capture_compose(session->pg, session->config, catalog, &tables, &changed, &why);
    char *what = mem_printf(
        "triggers and functions do not stand as this configuration needs them (%d to change)", changed);

    if (why.status == ST_CONFIG)
        problems_add(problems, PROBLEM_ERROR, "", "%s", why.text);
    else if (why.status != ST_OK)
        err_copy(err, &why);
    else if (changed)
        want_install(session, watched, what, problems, err);
    free(what);
    free(script);
}

static void report_silence(const struct pg_rows *rows, int row, struct problems *problems)
{
    const char *kind = pg_rows_get(rows, row, FIRING_KIND, NULL);
    const char *what = pg_rows_get(rows, row, FIRING_TABLE, NULL);

    if (strcmp(kind, "disabled") == 0)
        problems_add(problems, PROBLEM_WARNING, "",
                     "trigger %s on %s is disabled: its changes are not captured; ALTER TABLE %s ENABLE "
                     "TRIGGER %s; and then: pgusher backfill",
                     pg_rows_get(rows, row, FIRING_TRIGGER, NULL), what, what,
                     pg_rows_get(rows, row, FIRING_TRIGGER, NULL));
    else if (strcmp(kind, "replica") == 0)
        problems_add(problems, PROBLEM_WARNING, "",
                     "session_replication_role = replica is set for %s: what these sessions change fires no "
                     "trigger and is not captured; ALTER ROLE … RESET session_replication_role",
                     strcmp(what, "-") == 0 ? "all roles" : what);
    else
        problems_add(problems, PROBLEM_WARNING, "",
                     "logical replication writes into %s: such changes are not captured; run pgusher where "
                     "they are made, or backfill from time to time",
                     what);
}

static void check_firing(struct session *session, const char *watched, struct problems *problems,
                         struct err *err)
{
    struct pg_rows *rows = NULL;

    if (ask(session, sql_check_capture, watched, &rows, err) != 0)
        return;
    for (int row = 0; row < pg_rows_count(rows); row++)
        report_silence(rows, row, problems);
    pg_rows_free(rows);
}

/* ---- all of it ---- */

static void check_installed(struct session *session, const struct catalog *catalog, const char *watched,
                            struct problems *problems, struct err *err)
{
    struct pg_rows *rows = NULL;
    bool current;

    if (ask(session, "SELECT schema_version FROM pgusher.meta", NULL, &rows, err) != 0)
        return;
    current = pg_rows_count(rows) == 1 && atoi(pg_rows_get(rows, 0, 0, NULL)) == SCHEMA_VERSION;
    pg_rows_free(rows);
    if ((!current || check_fleet(session, watched, problems, err)) && err->status == ST_OK)
        check_drift(session, catalog, watched, problems, err);
    if (err->status == ST_OK)
        check_firing(session, watched, problems, err);
}

void check_capture(struct session *session, const struct catalog *catalog, struct problems *problems,
                   struct err *err)
{
    char *watched = check_watched_oids(session->config, catalog);
    struct pg_rows *rows = NULL;

    /* The schema alone may have been made for who is going to install. */
    if (ask(session,
            "SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'pgusher' AND c.relname = 'meta'",
            NULL, &rows, err) == 0) {
        if (pg_rows_count(rows) == 0)
            want_install(session, watched, "the database does not capture changes yet", problems, err);
        else if (check_rights(session, problems, err))
            check_installed(session, catalog, watched, problems, err);
    }
    pg_rows_free(rows);
    free(watched);
}
