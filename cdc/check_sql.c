/* What `pgusher check` finds out about the SQL of one projection: is the id unique, do lookups run, which
 * tables would be scanned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cdc/check.h"
#include "common/mem.h"

enum { LARGE_TABLE_ROWS = 10000 };

#define UNIQUE_TIMEOUT "10s"

/* Runs one statement. A refusal by PostgreSQL is the statement's fault and left in *ret_why; anything else in
 * err. */
static int try_sql(struct session *session, const char *sql, struct pg_rows **ret_rows, struct err *ret_why,
                   struct err *err)
{
    struct pg_query query = {.sql = sql};

    if (pg_run(session->pg, &query, ret_rows, ret_why) == 0)
        return 0;
    if (ret_why->status == ST_LOST)
        err_copy(err, ret_why);
    return -1;
}

static void run_quietly(struct session *session, const char *sql)
{
    struct err ignored = ERR_NONE;
    struct pg_query query = {.sql = sql};

    pg_run(session->pg, &query, NULL, &ignored);
}

/* ---- the id ---- */

static char *duplicates_sql(const struct plan_projection *plan, const struct relation *source)
{
    struct buf sql = BUF_NONE;
    struct buf columns = BUF_NONE;

    for (size_t i = 0; i < plan->config->nid; i++) {
        buf_puts(&columns, i ? ", " : "");
        pg_put_identifier(&columns, plan->config->id[i]);
    }
    buf_printf(&sql, "SELECT %s FROM %s GROUP BY %s HAVING count(*) > 1 LIMIT 1", columns.data,
               source->qualified, columns.data);
    buf_free(&columns);
    return buf_take(&sql);
}

static void check_unique(struct session *session, const struct plan_projection *plan,
                         const struct relation *source, struct problems *problems, struct err *err)
{
    char *place = mem_printf("projections.%s.id", plan->config->name);
    char *sql = duplicates_sql(plan, source);
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    run_quietly(session, "SET statement_timeout = '" UNIQUE_TIMEOUT "'");
    if (try_sql(session, sql, &rows, &why, err) == 0) {
        if (pg_rows_count(rows)) {
            const char *example = pg_rows_get(rows, 0, 0, NULL);

            problems_add(
                problems, PROBLEM_ERROR, place,
                "is not unique in %s: several rows with \"%s\" = %s; one id must give one row (\"rows\": "
                "\"many\" is for the other case)",
                source->qualified, plan->config->id[0], example ? example : "NULL");
        }
    } else if (strstr(why.text, "57014")) {
        problems_add(problems, PROBLEM_WARNING, place,
                     "could not be checked to be unique within " UNIQUE_TIMEOUT);
    } else if (why.status != ST_LOST) {
        problems_add(problems, PROBLEM_WARNING, place, "could not be checked to be unique: %s", why.text);
    }
    run_quietly(session, "SET statement_timeout = 0");
    pg_rows_free(rows);
    free(sql);
    free(place);
}

/* ---- plans ---- */

/* Adds "schema.table" of every sequential scan below this node of EXPLAIN (FORMAT JSON, VERBOSE). */
static void find_scans(const json_t *node, json_t *found)
{
    const char *type = json_string_value(json_object_get(node, "Node Type"));
    json_t *child;
    size_t i;

    if (type && strcmp(type, "Seq Scan") == 0) {
        char *name = mem_printf("\"%s\".\"%s\"", json_string_value(json_object_get(node, "Schema")),
                                json_string_value(json_object_get(node, "Relation Name")));

        json_object_set_new(found, name, json_true());
        free(name);
    }
    json_array_foreach (json_object_get(node, "Plans"), i, child)
        find_scans(child, found);
}

static void warn_if_large(struct session *session, const char *table, const char *place, const char *what,
                          struct problems *problems, struct err *err)
{
    const char *const params[] = {table};
    struct pg_query query = {.sql = "SELECT reltuples::bigint FROM pg_class WHERE oid = $1::regclass",
                             .params = params,
                             .nparams = 1};
    struct pg_rows *rows = NULL;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return;
    if (atoll(pg_rows_get(rows, 0, 0, NULL)) > LARGE_TABLE_ROWS)
        problems_add(problems, PROBLEM_WARNING, place,
                     "%s is a sequential scan of %s (about %s rows) each time; is an index missing?", what,
                     table, pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
}

static void report_scans(struct session *session, const char *plan_text, const char *place, const char *what,
                         struct problems *problems, struct err *err)
{
    json_t *plan = json_loads(plan_text, 0, NULL);
    json_t *found = json_object();
    const char *table;
    json_t *value;

    find_scans(json_object_get(json_array_get(plan, 0), "Plan"), found);
    json_object_foreach (found, table, value) {
        (void)value;
        warn_if_large(session, table, place, what, problems, err);
    }
    json_decref(found);
    json_decref(plan);
}

/* Prepares the statement (all mistakes in it show here), and looks at its plan for unknown parameters. */
static void check_statement(struct session *session, const char *statement, size_t nparams, const char *place,
                            const char *what, struct problems *problems, struct err *err)
{
    char *prepare = mem_printf("PREPARE pgusher_check AS %s", statement);
    struct buf explain = BUF_NONE;
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    buf_puts(&explain, "EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE pgusher_check(");
    for (size_t i = 0; i < nparams; i++)
        buf_puts(&explain, i ? ", NULL" : "NULL");
    buf_puts(&explain, ")");
    if (try_sql(session, prepare, NULL, &why, err) == 0) {
        if (try_sql(session, explain.data, &rows, &why, err) == 0)
            report_scans(session, pg_rows_get(rows, 0, 0, NULL), place, what, problems, err);
        run_quietly(session, "DEALLOCATE pgusher_check");
    }
    if (why.status != ST_OK && why.status != ST_LOST)
        problems_add(problems, PROBLEM_ERROR, place, "%s", why.text);
    pg_rows_free(rows);
    buf_free(&explain);
    free(prepare);
}

/* ---- lookups ---- */

static void check_lookup_columns(struct session *session, const struct plan_projection *plan, size_t watch,
                                 const char *place, struct problems *problems, struct err *err)
{
    size_t ncolumns = plan->config->watches[watch].ncolumns;
    const char **params = mem_alloc(ncolumns * sizeof(*params));
    char *sql = mem_printf("SELECT * FROM (%s) l LIMIT 0", plan->lookups[watch]);
    struct pg_query query = {.sql = sql, .params = params, .nparams = (int)ncolumns};
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    for (size_t i = 0; i < ncolumns; i++)
        params[i] = "{}";
    if (pg_run(session->pg, &query, &rows, &why) != 0) {
        if (why.status == ST_LOST)
            err_copy(err, &why);
        else
            problems_add(problems, PROBLEM_ERROR, place, "%s", why.text);
    } else if ((size_t)pg_rows_columns(rows) != plan->config->nid) {
        problems_add(problems, PROBLEM_ERROR, place, "gives %d columns, but \"id\" has %zu",
                     pg_rows_columns(rows), plan->config->nid);
    } else {
        check_statement(session, plan->lookups[watch], ncolumns, place, "the lookup", problems, err);
    }
    pg_rows_free(rows);
    free(params);
    free(sql);
}

void check_projection_sql(struct session *session, const struct plan_projection *plan,
                          const struct catalog *catalog, struct problems *problems, struct err *err)
{
    char *place = mem_printf("projections.%s.source", plan->config->name);

    run_quietly(session, "SET plan_cache_mode = force_generic_plan");
    check_unique(session, plan, catalog_find(catalog, plan->config->source), problems, err);
    check_statement(session, plan->select_by_id, plan->config->nid, place, "reading documents by id",
                    problems, err);
    free(place);
    for (size_t i = 0; i < plan->config->nwatches; i++) {
        if (!plan->lookups[i])
            continue;
        place =
            mem_printf("projections.%s.watch.%s.lookup", plan->config->name, plan->config->watches[i].table);
        check_lookup_columns(session, plan, i, place, problems, err);
        free(place);
    }
}
