/* pgusher backfill: what is asked of the fleet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/verb_backfill.h"
#include "common/mem.h"
#include "queue/tool_output.h"

/* Counting may take long for a heavy view; the progress can do without. */
#define COUNT_TIMEOUT "3s"
/* What an operator asked for he may cancel; other reasons are the fleet's own. */
#define REASON "asked for by an operator"

static int64_t integer_of(const struct pg_rows *rows, int row, int column)
{
    return atoll(pg_rows_get(rows, row, column, NULL));
}

static bool is_true(const struct pg_rows *rows, int row, int column)
{
    return pg_rows_get(rows, row, column, NULL)[0] == 't';
}

/* ---- the filter ---- */

/* One statement, so that none can be hidden behind another one. */
static int try_prepare(struct session *session, const char *sql, struct err *err)
{
    char *text = mem_printf("PREPARE pgusher_where AS %s", sql);
    struct pg_query prepare = {.sql = text};
    struct pg_query ask = {.sql = "SELECT cardinality(parameter_types) FROM pg_prepared_statements"
                                  " WHERE name = 'pgusher_where'"};
    struct pg_query forget = {.sql = "DEALLOCATE pgusher_where"};
    struct pg_rows *rows = NULL;
    int result = -1;

    if (pg_run(session->pg, &prepare, NULL, err) == 0 && pg_run(session->pg, &ask, &rows, err) == 0)
        result = pg_run(session->pg, &forget, NULL, err);
    if (result == 0 && integer_of(rows, 0, 0)) {
        err_set(err, ST_REFUSED, "it has parameters ($1); write the values themselves");
        result = -1;
    }
    pg_rows_free(rows);
    free(text);
    return result;
}

/* What is an expression both in parentheses and behind CASE WHEN cannot end either of them by itself. */
static int check_filter(const struct backfill *backfill, const struct plan_projection *plan, struct err *err)
{
    char *in_case = mem_printf("SELECT CASE WHEN\n%s\nTHEN 1 END%s", backfill->filter, plan->from);
    char *in_where = plan_sql_all(plan, "1", backfill->filter);
    struct err why = ERR_NONE;
    int result = try_prepare(backfill->session, in_case, &why);

    if (result == 0)
        result = try_prepare(backfill->session, in_where, &why);
    if (result != 0 && !backfill->session->lost)
        err_set(err, ST_REFUSED, "--where is not a condition over the columns of %s: %s",
                plan->config->source, why.text);
    err_copy(err, &why);
    free(in_case);
    free(in_where);
    return result;
}

int backfill_check_filter(const struct backfill *backfill, struct err *err)
{
    const struct plan *plan = backfill->session->plan;

    for (size_t i = 0; i < plan->nprojections; i++)
        if (tool_wants(backfill->tool, plan->projections[i].config->name) &&
            check_filter(backfill, &plan->projections[i], err) != 0)
            return -1;
    return 0;
}

/* ---- asking ---- */

int backfill_count_workers(struct backfill *backfill, struct err *err)
{
    const char *const params[] = {backfill->session->number};
    struct pg_query query = {
        .sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted"
               " AND classid::bigint = 1885828469 AND objid::bigint = $1"
               " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        .params = params,
        .nparams = 1};
    struct pg_rows *rows = NULL;

    if (pg_run(backfill->session->pg, &query, &rows, err) != 0)
        return -1;
    backfill->workers = integer_of(rows, 0, 0);
    pg_rows_free(rows);
    return 0;
}

int64_t backfill_count(struct session *session, size_t projection, const char *filter)
{
    struct err err = ERR_NONE;
    char *sql = plan_sql_all(&session->plan->projections[projection], "count(*)", filter);
    struct pg_query limit = {.sql = "SET statement_timeout = '" COUNT_TIMEOUT "'"};
    struct pg_query unlimited = {.sql = "SET statement_timeout = 0"};
    struct pg_query count = {.sql = sql};
    struct pg_rows *rows = NULL;
    int64_t total = -1;

    if (pg_run(session->pg, &limit, NULL, &err) == 0 && pg_run(session->pg, &count, &rows, &err) == 0)
        total = integer_of(rows, 0, 0);
    err_clear(&err);
    pg_run(session->pg, &unlimited, NULL, &err);
    pg_rows_free(rows);
    free(sql);
    return total;
}

static void take(struct asked_list *asked, const struct pg_rows *rows)
{
    asked->count = (size_t)pg_rows_count(rows);
    asked->list = mem_zalloc(sizeof(*asked->list) * (asked->count + 1));
    for (size_t i = 0; i < asked->count; i++)
        asked->list[i] = (struct asked){.projection = mem_strdup(pg_rows_get(rows, (int)i, 0, NULL)),
                                        .asked_at = mem_strdup(pg_rows_get(rows, (int)i, 1, NULL)),
                                        .is_new = is_true(rows, (int)i, 2),
                                        .documents = integer_of(rows, (int)i, 3),
                                        .total = -1,
                                        .keys = -1};
}

/* It is part of the backfill's primary key. */
static void explain_long_filter(const struct backfill *backfill, struct err *err)
{
    if (!strstr(err->text, "SQLSTATE 54000"))
        return;
    err_clear(err);
    err_set(
        err, ST_REFUSED,
        "--where is too long to be kept (%zu bytes; 2,000 always can be); write the ids into a table that "
        "workers may read, and --where \"id IN (SELECT id FROM …)\", or ask in several parts",
        strlen(backfill->filter));
}

int backfill_ask(const struct backfill *backfill, struct asked_list *asked, struct err *err)
{
    char rate[24];
    const char *const params[] = {backfill->config->fleet, backfill->names, backfill->filter,
                                  backfill->tool->rate ? rate : NULL, REASON};
    struct pg_query query = {.sql = sql_ask_backfill, .params = params, .nparams = 5};
    struct pg_rows *rows = NULL;

    snprintf(rate, sizeof(rate), "%lld", (long long)backfill->tool->rate);
    if (pg_run(backfill->session->pg, &query, &rows, err) != 0) {
        explain_long_filter(backfill, err);
        return -1;
    }
    take(asked, rows);
    pg_rows_free(rows);
    return 0;
}

void backfill_asked_free(struct asked_list *asked)
{
    for (size_t i = 0; i < asked->count; i++) {
        free(asked->list[i].projection);
        free(asked->list[i].asked_at);
        free(asked->list[i].error);
    }
    free(asked->list);
}

/* ---- steering ---- */

static const char *what_to_do(const struct tool *tool, const char **ret_done)
{
    if (tool->given & FLAG_PAUSE) {
        *ret_done = "paused";
        return "pause";
    }
    *ret_done = tool->given & FLAG_RESUME ? "goes on" : "cancelled";
    return tool->given & FLAG_RESUME ? "resume" : "cancel";
}

static void report(const struct backfill *backfill, const struct pg_rows *rows, const char *what,
                   const char *done)
{
    json_t *list = json_array();

    for (int row = 0; row < pg_rows_count(rows); row++) {
        const char *projection = pg_rows_get(rows, row, 0, NULL), *filter = pg_rows_get(rows, row, 1, NULL);

        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b}", "projection", projection, "filter",
                                              filter, "reason", pg_rows_get(rows, row, 2, NULL), "done",
                                              is_true(rows, row, 3)));
        if (!backfill->tool->json && is_true(rows, row, 3))
            printf("%s%s%s: %s\n", projection, *filter ? " where " : "", filter, done);
    }
    if (backfill->tool->json)
        output_json(
            json_pack("{s:s, s:s, s:o}", "fleet", backfill->config->fleet, "asked", what, "backfills", list));
    else
        json_decref(list);
}

/* What was meant and cannot be. */
static void judge(const struct pg_rows *rows, const char *what, struct err *err)
{
    if (pg_rows_count(rows) == 0)
        err_set(err, ST_REFUSED, "there is no backfill to %s (pgusher status lists them)", what);
    for (int row = 0; row < pg_rows_count(rows); row++)
        if (!is_true(rows, row, 3))
            err_set(err, ST_REFUSED,
                    "the backfill of %s was not asked for by an operator but is needed, or the cache is not "
                    "right: %s. It can be paused, not cancelled",
                    pg_rows_get(rows, row, 0, NULL), pg_rows_get(rows, row, 2, NULL));
}

int backfill_steer(const struct backfill *backfill, struct err *err)
{
    const char *done, *what = what_to_do(backfill->tool, &done);
    const char *const params[] = {backfill->config->fleet, backfill->names, what, REASON};
    struct pg_query query = {.sql = sql_steer_backfill, .params = params, .nparams = 4};
    struct pg_rows *rows = NULL;

    if (pg_run(backfill->session->pg, &query, &rows, err) != 0)
        return -1;
    report(backfill, rows, what, done);
    judge(rows, what, err);
    pg_rows_free(rows);
    return err->status == ST_OK ? 0 : -1;
}
