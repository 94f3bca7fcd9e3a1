/* Which changes that wait in the changelog lead to a document: those whose keys are its id, and those for
 * which a watch's lookup yields it. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/verb_explain.h"
#include "common/mem.h"

enum {
    SHOWN = 20,        /* changes */
    LOOKED_UP = 10000, /* changes that lookups are tried for; as many are counted before one */
};
enum { CHANGE_PART, CHANGE_XID, CHANGE_SEQ, CHANGE_CAPTURE, CHANGE_KEYS, CHANGE_AGE };

static const struct plan_projection *plan_of(const struct story *story)
{
    return &story->session->plan->projections[story->projection];
}

/* ---- asking the changelog ---- */

static int ask(struct story *story, const char *condition, int limit, struct pg_rows **ret_rows,
               struct err *err)
{
    const char *const params[] = {story->session->config->fleet, story->session->number};
    const char *hole = strchr(strstr(sql_explain_changes, "AND (@"), '@');
    char *sql = mem_printf("%.*s%s%s LIMIT %d", (int)(hole - sql_explain_changes), sql_explain_changes,
                           condition, hole + 1, limit);
    struct pg_query query = {.sql = sql, .params = params, .nparams = 2};
    int result = pg_run(story->session->pg, &query, ret_rows, err);

    free(sql);
    return result;
}

/* How many changes of its partition come before it. */
static int count_before(struct story *story, const struct pg_rows *rows, int row, json_t *change,
                        struct err *err)
{
    char *condition =
        mem_printf("c.part = %s AND (c.xid, c.seq) < ('%s', %s)", pg_rows_get(rows, row, CHANGE_PART, NULL),
                   pg_rows_get(rows, row, CHANGE_XID, NULL), pg_rows_get(rows, row, CHANGE_SEQ, NULL));
    struct pg_rows *before = NULL;
    int result = ask(story, condition, LOOKED_UP, &before, err);

    if (result == 0) {
        json_object_set_new(change, "behind", json_integer(pg_rows_count(before)));
        json_object_set_new(change, "behind_is_least", json_boolean(pg_rows_count(before) == LOOKED_UP));
    }
    pg_rows_free(before);
    free(condition);
    return result;
}

/* Who reads this partition. */
static int find_owner(struct story *story, const char *part, json_t *change, struct err *err)
{
    const char *const params[] = {story->session->config->fleet, story->session->number, part};
    struct pg_query query = {
        .sql =
            "SELECT coalesce(w.host || ':' || w.pid, 'backend ' || h.pid) FROM pgusher.holders($2) h"
            " LEFT JOIN pgusher.worker w ON w.fleet = $1 AND w.backend = h.pid WHERE h.part = $3::smallint",
        .params = params,
        .nparams = 3};
    struct pg_rows *rows = NULL;
    int result = pg_run(story->session->pg, &query, &rows, err);

    if (result == 0 && pg_rows_count(rows))
        json_object_set_new(change, "owner", json_string(pg_rows_get(rows, 0, 0, NULL)));
    pg_rows_free(rows);
    return result;
}

static json_t *describe(const struct pg_rows *rows, int row, const char *table)
{
    const char *keys = pg_rows_get(rows, row, CHANGE_KEYS, NULL);
    json_t *change =
        json_pack("{s:i, s:s, s:f}", "partition", atoi(pg_rows_get(rows, row, CHANGE_PART, NULL)), "table",
                  table, "seconds", atof(pg_rows_get(rows, row, CHANGE_AGE, NULL)));

    json_object_set_new(change, "keys", keys ? json_string(keys) : json_string("TRUNCATE"));
    return change;
}

static int add_change(struct story *story, const struct pg_rows *rows, int row, const char *table,
                      struct err *err)
{
    json_t *changes = json_object_get(story->facts, "changes");
    json_t *change = describe(rows, row, table);

    json_array_append_new(changes, change);
    if (count_before(story, rows, row, change, err) != 0)
        return -1;
    return find_owner(story, pg_rows_get(rows, row, CHANGE_PART, NULL), change, err);
}

/* ---- whose keys are the id ---- */

static void put_direct(struct buf *sql, const struct story *story, const struct plan_route *route)
{
    buf_printf(sql, "c.capture = %d AND (c.keys IS NULL", route->capture);
    if (!plan_of(story)->config->watches[route->watch].lookup) {
        buf_puts(sql, " OR (");
        for (size_t i = 0; i < story->config->nid; i++) {
            buf_printf(sql, "%sc.keys[%d] = ", i ? " AND " : "", route->positions[i] + 1);
            pg_put_literal(sql, explain_id(story)[i]);
        }
        buf_putc(sql, ')');
    }
    buf_putc(sql, ')');
}

static int add_direct(struct story *story, const struct plan_route *route, struct err *err)
{
    const char *table = plan_of(story)->config->watches[route->watch].table;
    struct buf condition = BUF_NONE;
    struct pg_rows *rows = NULL;
    int result;

    put_direct(&condition, story, route);
    result = ask(story, condition.data, SHOWN, &rows, err);
    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++)
        result = add_change(story, rows, row, table, err);
    pg_rows_free(rows);
    buf_free(&condition);
    return result;
}

/* ---- that a lookup follows ---- */

/* The distinct values of a watch's columns among the changes, and which change had each first. */
struct candidates {
    const struct plan_route *route;
    const struct watch *watch;
    struct ids *values;
    int *rows;
};

static void collect(struct candidates *candidates, const struct pg_rows *rows)
{
    candidates->rows = mem_zalloc(sizeof(int) * (size_t)(pg_rows_count(rows) + 1));
    for (int row = 0; row < pg_rows_count(rows); row++) {
        const char *values[MAX_ID_COLUMNS];
        char **keys;
        size_t before = ids_count(candidates->values);
        size_t count = array_parse(pg_rows_get(rows, row, CHANGE_KEYS, NULL), &keys);
        bool complete = true;

        for (size_t i = 0; i < candidates->watch->ncolumns; i++) {
            values[i] = keys[candidates->route->positions[i]];
            complete = complete && values[i];
        }
        if (complete)
            ids_add(candidates->values, values);
        if (ids_count(candidates->values) > before)
            candidates->rows[before] = row;
        for (size_t i = 0; i < count; i++)
            free(keys[i]);
        free(keys);
    }
}

static char *compose_lookup(const struct story *story, const struct candidates *candidates)
{
    struct buf sql = BUF_NONE;

    buf_printf(&sql, "SELECT FROM (%s\n) l(", plan_of(story)->lookups[candidates->route->watch]);
    for (size_t i = 0; i < story->config->nid; i++)
        buf_printf(&sql, "%sc%zu", i ? ", " : "", i);
    buf_puts(&sql, ") WHERE ");
    for (size_t i = 0; i < story->config->nid; i++)
        buf_printf(&sql, "%sc%zu::text = $%zu::text", i ? " AND " : "", i,
                   candidates->watch->ncolumns + i + 1);
    buf_puts(&sql, " LIMIT 1");
    return buf_take(&sql);
}

/* Whether the first `count` of the values lead to the document. */
static int yields(struct story *story, const struct candidates *candidates, size_t count, bool *ret_yields,
                  struct err *err)
{
    size_t ncolumns = candidates->watch->ncolumns, nid = story->config->nid;
    const char **params = mem_zalloc(sizeof(*params) * (ncolumns + nid));
    char *sql = compose_lookup(story, candidates);
    struct pg_query query = {.sql = sql, .params = params, .nparams = (int)(ncolumns + nid)};
    struct pg_rows *rows = NULL;
    int result;

    for (size_t i = 0; i < ncolumns; i++)
        params[i] = ids_array(candidates->values, 0, count, i);
    for (size_t i = 0; i < nid; i++)
        params[ncolumns + i] = explain_id(story)[i];
    result = pg_run(story->session->pg, &query, &rows, err);
    *ret_yields = result == 0 && pg_rows_count(rows) > 0;
    for (size_t i = 0; i < ncolumns; i++)
        free((char *)params[i]);
    pg_rows_free(rows);
    free(params);
    free(sql);
    return result;
}

/* The oldest change that leads there: the smallest number of values that do. */
static int find_first(struct story *story, const struct candidates *candidates, size_t *ret_first,
                      bool *ret_found, struct err *err)
{
    size_t low = 0, high = ids_count(candidates->values);

    *ret_found = false;
    if (high == 0)
        return 0;
    if (yields(story, candidates, high, ret_found, err) != 0)
        return -1;
    while (*ret_found && high - low > 1) {
        size_t middle = low + (high - low) / 2;
        bool enough;

        if (yields(story, candidates, middle, &enough, err) != 0)
            return -1;
        *(enough ? &high : &low) = middle;
    }
    *ret_first = high - 1;
    return 0;
}

static int try_lookup(struct story *story, const struct candidates *candidates, const struct pg_rows *rows,
                      struct err *err)
{
    struct err why = ERR_NONE;
    size_t first = 0;
    bool found;

    if (find_first(story, candidates, &first, &found, &why) == 0)
        return found ? add_change(story, rows, candidates->rows[first], candidates->watch->table, err) : 0;
    if (why.status == ST_LOST) {
        err_copy(err, &why);
        return -1;
    }
    json_array_append_new(
        json_object_get(story->facts, "notes"),
        json_sprintf("the lookup of watch %s failed: %s", candidates->watch->table, why.text));
    return 0;
}

static int add_looked_up(struct story *story, const struct plan_route *route, struct err *err)
{
    struct candidates candidates = {.route = route, .watch = &plan_of(story)->config->watches[route->watch]};
    char *condition = mem_printf("c.capture = %d AND c.keys IS NOT NULL", route->capture);
    struct pg_rows *rows = NULL;
    int result = ask(story, condition, LOOKED_UP, &rows, err);

    free(condition);
    if (result == 0) {
        candidates.values = ids_new(candidates.watch->ncolumns);
        collect(&candidates, rows);
        result = try_lookup(story, &candidates, rows, err);
        if (pg_rows_count(rows) == LOOKED_UP)
            json_array_append_new(json_object_get(story->facts, "notes"),
                                  json_sprintf("only the oldest %d changes of table %s were looked up",
                                               LOOKED_UP, candidates.watch->table));
        ids_free(candidates.values);
        free(candidates.rows);
    }
    pg_rows_free(rows);
    return result;
}

int explain_changes(struct story *story, struct err *err)
{
    const struct plan *plan = story->session->plan;

    json_object_set_new(story->facts, "changes", json_array());
    for (size_t i = 0; i < plan->nroutes; i++) {
        const struct plan_route *route = &plan->routes[i];

        if (route->projection != story->projection)
            continue;
        if (add_direct(story, route, err) != 0)
            return -1;
        if (plan_of(story)->config->watches[route->watch].lookup && add_looked_up(story, route, err) != 0)
            return -1;
    }
    return 0;
}
