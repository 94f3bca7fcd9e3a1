/* What `pgusher check` finds out about the SQL of one projection: is the id unique, do lookups run, which
 * tables would be scanned. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/check.h"
#include "common/mem.h"

#define NO_SUCH_OPERATOR "42883"
#define UNIQUE_TIMEOUT "10s"

/* ---- the id ---- */

/* A row with NULL in its id is no document. */
static char *duplicates_sql(const struct plan_projection *plan, const struct relation *source)
{
    struct buf sql = BUF_NONE;
    struct buf columns = BUF_NONE, given = BUF_NONE;

    for (size_t i = 0; i < template_columns(plan->config->key); i++) {
        buf_puts(&columns, i ? ", " : "");
        pg_put_identifier(&columns, template_column(plan->config->key, i));
    }
    for (size_t i = 0; i < plan->config->nid; i++) {
        buf_puts(&given, i ? " AND " : "");
        pg_put_identifier(&given, plan->config->id[i]);
        buf_puts(&given, " IS DISTINCT FROM NULL");
    }
    buf_printf(&sql, "SELECT %s FROM %s WHERE %s GROUP BY %s HAVING count(*) > 1 LIMIT 1", columns.data,
               source->qualified, given.data, columns.data);
    buf_free(&columns);
    buf_free(&given);
    return buf_take(&sql);
}

static void check_unique(struct session *session, const struct plan_projection *plan,
                         const struct relation *source, struct problems *problems, struct err *err)
{
    char *place = mem_printf("projections.%s.%s", plan->config->name, plan->config->many_rows ? "key" : "id");
    char *sql = duplicates_sql(plan, source);
    struct pg_query query = {.sql = sql};
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    check_set(session, "SET statement_timeout = '" UNIQUE_TIMEOUT "'", err);
    if (check_try(session, &query, &rows, &why, err) == 0) {
        if (pg_rows_count(rows)) {
            const char *example = pg_rows_get(rows, 0, 0, NULL);

            problems_add(problems, PROBLEM_ERROR, place,
                         "is not unique in %s: several rows with \"%s\" = %s; %s", source->qualified,
                         template_column(plan->config->key, 0), example ? example : "NULL",
                         plan->config->many_rows
                             ? "the columns of \"key\" together must tell the rows apart"
                             : "one id must give one row (\"rows\": \"many\" is for the other case)");
        }
    } else if (strstr(why.text, "57014")) {
        problems_add(problems, PROBLEM_WARNING, place,
                     "could not be checked to be unique within " UNIQUE_TIMEOUT);
    } else if (why.status != ST_LOST && why.status != ST_CONFIG) { /* that is found once more, and told */
        problems_add(problems, PROBLEM_WARNING, place, "could not be checked to be unique: %s", why.text);
    }
    check_set(session, "SET statement_timeout = 0", err);
    pg_rows_free(rows);
    free(sql);
    free(place);
}

/* Whether values of its type can be told from each other and put in order, as all statements do. */
static bool check_id_type(struct session *session, const struct plan_projection *plan,
                          const struct column *column, struct problems *problems, struct err *err)
{
    char *sql = mem_printf("SELECT x = ANY (NULL::%s[]), x > NULL::%s FROM (SELECT NULL::%s) q(x) ORDER BY x",
                           column->type, column->type, column->type);
    char *place = mem_printf("projections.%s.id", plan->config->name);
    struct pg_query query = {.sql = sql};
    struct err why = ERR_NONE;
    bool fits = check_try(session, &query, NULL, &why, err) == 0;

    if (!fits && strstr(why.text, "SQLSTATE " NO_SUCH_OPERATOR))
        problems_add(
            problems, PROBLEM_ERROR, place,
            "column \"%s\" is of type %s, and such values cannot be found by = ANY and put in order; let a "
            "view show it as text: CAST(… AS text)",
            column->name, column->type);
    else if (!fits && why.status != ST_LOST)
        problems_add(problems, PROBLEM_ERROR, place, "%s", why.text);
    free(place);
    free(sql);
    return fits;
}

static bool check_id_types(struct session *session, const struct plan_projection *plan,
                           const struct relation *source, struct problems *problems, struct err *err)
{
    bool fit = true;

    for (size_t i = 0; i < plan->config->nid && err->status == ST_OK; i++)
        fit =
            check_id_type(session, plan, relation_column(source, plan->config->id[i]), problems, err) && fit;
    return fit;
}

/* ---- lookups ---- */

static void check_lookup(struct plans *plans, const struct plan_projection *plan, size_t watch,
                         const char *place, struct err *err)
{
    struct session *session = plans->session;
    struct problems *problems = plans->problems;
    size_t ncolumns = plan->config->watches[watch].ncolumns;
    const char **params = mem_alloc(ncolumns * sizeof(*params));
    char *sql = mem_printf("SELECT * FROM (%s\n) l LIMIT 0", plan->lookups[watch]);
    struct pg_query query = {.sql = sql, .params = params, .nparams = (int)ncolumns};
    struct err why = ERR_NONE;
    struct pg_rows *rows = NULL;

    for (size_t i = 0; i < ncolumns; i++)
        params[i] = "{}";
    if (check_try(session, &query, &rows, &why, err) != 0) {
        if (why.status != ST_LOST)
            problems_add(problems, PROBLEM_ERROR, place, "%s", why.text);
    } else if ((size_t)pg_rows_columns(rows) != plan->config->nid) {
        problems_add(problems, PROBLEM_ERROR, place, "gives %d columns, but \"id\" has %zu",
                     pg_rows_columns(rows), plan->config->nid);
    } else {
        struct statement statement = {plan->lookups[watch], ncolumns, place, "the lookup", false};

        plans_check(plans, &statement, err);
    }
    pg_rows_free(rows);
    free(params);
    free(sql);
}

static void check_lookups(struct plans *plans, const struct plan_projection *plan, struct err *err)
{
    for (size_t i = 0; i < plan->config->nwatches && err->status == ST_OK; i++) {
        char *place;

        if (!plan->lookups[i])
            continue;
        place =
            mem_printf("projections.%s.watch.%s.lookup", plan->config->name, plan->config->watches[i].table);
        check_lookup(plans, plan, i, place, err);
        free(place);
    }
}

/* ---- the documents ---- */

static void check_statement(struct plans *plans, const struct plan_projection *plan, const char *member,
                            struct statement statement, struct err *err)
{
    char *place = mem_printf("projections.%s.%s", plan->config->name, member);

    statement.place = place;
    if (err->status == ST_OK)
        plans_check(plans, &statement, err);
    free(place);
}

/* What finds the documents whose date passes. */
static void check_in_order(struct plans *plans, const struct plan_projection *plan, struct err *err)
{
    const struct plan_stretch stretch = {"", PLAN_CHUNK};
    char *sql = plan_sql_documents(plan, &stretch, true);

    check_statement(plans, plan, "id",
                    (struct statement){.sql = sql,
                                       .nparams = plan->config->nid,
                                       .what = "reading documents in the order of id",
                                       .in_order = true},
                    err);
    free(sql);
}

void check_projection_sql(struct session *session, const struct plan_projection *plan,
                          const struct catalog *catalog, struct problems *problems, struct err *err)
{
    const struct relation *source = catalog_find(catalog, plan->config->source);
    struct plans plans = {.session = session, .problems = problems};
    size_t errors = problems->errors, nid = plan->config->nid;

    if (!check_id_types(session, plan, source, problems, err))
        return;
    check_set(session, "SET plan_cache_mode = force_generic_plan", err);
    check_unique(session, plan, source, problems, err);
    check_statement(
        &plans, plan, "source",
        (struct statement){.sql = plan->select_by_id, .nparams = nid, .what = "reading documents by id"},
        err);
    if (problems->errors == errors) {
        check_in_order(&plans, plan, err);
        if (plan->sweep_first)
            check_statement(&plans, plan, "expire_at",
                            (struct statement){.sql = plan->sweep_first,
                                               .nparams = 2,
                                               .what = "finding the documents whose date has passed"},
                            err);
    }
    check_lookups(&plans, plan, err);
    names_free(&plans.told);
}
