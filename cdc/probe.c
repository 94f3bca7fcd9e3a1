#include "cdc/probe.h"

#include <stdlib.h>

#include "common/mem.h"

/* With an empty array for each parameter. The number of columns that come, or -1 with err set. */
static int run(struct session *session, const char *sql, size_t nparams, struct err *err)
{
    const char **params = mem_alloc(sizeof(*params) * nparams);
    struct pg_query query = {.sql = sql, .params = params, .nparams = (int)nparams};
    struct pg_rows *rows = NULL;
    int columns = -1;

    for (size_t i = 0; i < nparams; i++)
        params[i] = "{}";
    if (pg_run(session->pg, &query, &rows, err) == 0)
        columns = pg_rows_columns(rows);
    pg_rows_free(rows);
    free(params);
    return columns;
}

static int run_lookup(struct session *session, const struct plan_projection *plan, size_t watch,
                      struct err *err)
{
    char *sql = mem_printf("SELECT * FROM (%s\n) l LIMIT 0", plan->lookups[watch]);
    int columns = run(session, sql, plan->config->watches[watch].ncolumns, err);

    free(sql);
    if (columns >= 0 && (size_t)columns != plan->config->nid)
        err_set(err, ST_UNFIT, "gives %d columns, but \"id\" has %zu", columns, plan->config->nid);
    err_context(err, "projections.%s.watch.%s.lookup", plan->config->name,
                plan->config->watches[watch].table);
    return err->status == ST_OK ? 0 : -1;
}

static int run_statements(struct session *session, const struct plan_projection *plan, struct err *err)
{
    if (plan->broken) {
        err_set(err, ST_UNFIT, "%s", plan->broken);
        return -1;
    }
    if (run(session, plan->select_by_id, plan->config->nid, err) < 0) {
        err_context(err, "projection %s", plan->config->name);
        return -1;
    }
    for (size_t i = 0; i < plan->config->nwatches; i++)
        if (plan->lookups[i] && run_lookup(session, plan, i, err) != 0)
            return -1;
    return 0;
}

int probe_projection(struct session *session, size_t projection, struct err *err)
{
    struct problems problems = {0};
    struct catalog *catalog = catalog_load(session->pg, session->config, err);
    struct plan *plan;
    int result;

    if (!catalog)
        return -1;
    plan = plan_new_partial(session->config, catalog, &problems);
    result = plan_load_routes(plan, catalog, session->pg, err);
    if (result == 0)
        result = run_statements(session, &plan->projections[projection], err);
    if (err->status == ST_CONFIG || err->status == ST_REFUSED)
        err->status = ST_UNFIT;
    problems_free(&problems);
    plan_free(plan);
    catalog_free(catalog);
    return result;
}
