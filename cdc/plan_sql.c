#include "cdc/plan_sql.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

static void put_id_list(struct buf *sql, const struct projection *projection)
{
    for (size_t i = 0; i < projection->nid; i++) {
        buf_puts(sql, i ? ", s." : "s.");
        pg_put_identifier(sql, projection->id[i]);
    }
}

/* None of it is NULL. IS NOT NULL would also be false of a composite value with a NULL in it. */
static void put_id_given(struct buf *sql, const struct projection *projection)
{
    for (size_t i = 0; i < projection->nid; i++) {
        buf_puts(sql, i ? " AND s." : "s.");
        pg_put_identifier(sql, projection->id[i]);
        buf_puts(sql, " IS DISTINCT FROM NULL");
    }
}

static void put_date(struct buf *sql, const struct projection *projection)
{
    buf_puts(sql, "s.");
    pg_put_identifier(sql, projection->expire_at);
}

/* Whether the date is a timestamptz; others are read as UTC. */
static bool is_exact(const struct projection *projection, const struct relation *source)
{
    return strcmp(relation_column(source, projection->expire_at)->base_type, "timestamp with time zone") == 0;
}

static void put_expire(struct buf *sql, const struct projection *projection, const struct relation *source)
{
    struct buf at = BUF_NONE;

    if (!projection->expire_at) {
        buf_puts(sql, "NULL::text");
        return;
    }
    put_date(&at, projection);
    if (!is_exact(projection, source))
        buf_puts(&at, "::timestamp AT TIME ZONE 'UTC'");
    buf_printf(sql,
               "CASE WHEN pg_catalog.isfinite(%s) THEN pg_catalog.floor(EXTRACT(EPOCH FROM %s) * "
               "1000)::bigint::text "
               "ELSE (%s)::text END",
               at.data, at.data, at.data);
    buf_free(&at);
}

/* The first row tells the snapshot of the statement even when no document matches. The empty branch before it
 * gives the result the source's own column names: so a source whose columns are renamed, moved, added or
 * dropped makes the statement fail, and the worker begins a new session, which sees the new shape. */
static void put_select_head(struct buf *sql, const struct projection *projection,
                            const struct relation *source)
{
    buf_printf(sql, "SELECT NULL::text, NULL::text, s.* FROM %s s WHERE false", source->qualified);
    buf_puts(sql, " UNION ALL SELECT pg_catalog.pg_current_snapshot()::text, NULL");
    for (size_t i = 0; i < source->ncolumns; i++)
        buf_puts(sql, ", NULL");
    buf_puts(sql, " UNION ALL (SELECT NULL::text, ");
    put_expire(sql, projection, source);
    buf_puts(sql, ", s.*");
}

/* With several columns the conditions on each alone reach the indexes, and inside views; the last one is
 * exact. (In FROM, unnest would make several columns of a composite one.) */
static char *where_id_is_any(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;

    for (size_t i = 0; i < projection->nid; i++) {
        buf_puts(&sql, i ? " AND s." : "s.");
        pg_put_identifier(&sql, projection->id[i]);
        buf_printf(&sql, " = ANY ($%zu::%s[])", i + 1, relation_column(source, projection->id[i])->type);
    }
    if (projection->nid > 1) {
        buf_puts(&sql, " AND (");
        put_id_list(&sql, projection);
        buf_puts(&sql, ") IN (SELECT ");
        for (size_t i = 0; i < projection->nid; i++)
            buf_printf(&sql, "%spg_catalog.unnest($%zu::%s[])", i ? ", " : "", i + 1,
                       relation_column(source, projection->id[i])->type);
        buf_putc(&sql, ')');
    }
    return buf_take(&sql);
}

static char *where_id_is(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;

    for (size_t i = 0; i < projection->nid; i++) {
        buf_puts(&sql, i ? " AND s." : "s.");
        pg_put_identifier(&sql, projection->id[i]);
        buf_printf(&sql, " = $%zu::%s", i + 1, relation_column(source, projection->id[i])->type);
    }
    return buf_take(&sql);
}

/* The caller gives the condition away. */
static char *select_where(const struct projection *projection, const struct relation *source, char *condition)
{
    struct buf sql = BUF_NONE;

    put_select_head(&sql, projection, source);
    buf_printf(&sql, " FROM %s s WHERE %s)", source->qualified, condition);
    free(condition);
    return buf_take(&sql);
}

char *plan_sql_by_id(const struct projection *projection, const struct relation *source)
{
    return select_where(projection, source, where_id_is_any(projection, source));
}

char *plan_sql_one(const struct projection *projection, const struct relation *source)
{
    return select_where(projection, source, where_id_is(projection, source));
}

/* ---- in the order of id ---- */

char *plan_sql_select_head(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;

    put_select_head(&sql, projection, source);
    return buf_take(&sql);
}

char *plan_sql_id_list(const struct projection *projection)
{
    struct buf sql = BUF_NONE;

    put_id_list(&sql, projection);
    return buf_take(&sql);
}

/* The id in parameters from `first` on. */
static void put_id_parameters(struct buf *sql, const struct projection *projection,
                              const struct relation *source, size_t first)
{
    for (size_t i = 0; i < projection->nid; i++)
        buf_printf(sql, "%s$%zu::%s", i ? ", " : "", first + i,
                   relation_column(source, projection->id[i])->type);
}

char *plan_sql_behind(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;

    buf_putc(&sql, '(');
    put_id_list(&sql, projection);
    buf_puts(&sql, ") > (");
    put_id_parameters(&sql, projection, source, 1);
    buf_putc(&sql, ')');
    return buf_take(&sql);
}

/* A comment at the end of the filter ends with its line. */
static void put_where(struct buf *sql, const struct plan_projection *plan, const char *filter)
{
    buf_printf(sql, "%s WHERE ", plan->from);
    put_id_given(sql, plan->config);
    if (*filter)
        buf_printf(sql, " AND (%s\n)", filter);
}

static void put_stretch(struct buf *sql, const struct plan_projection *plan,
                        const struct plan_stretch *stretch, bool after)
{
    put_where(sql, plan, stretch->filter);
    if (after)
        buf_printf(sql, " AND %s", plan->behind);
    /* Not a parameter: its value decides whether the plan may sort. */
    buf_printf(sql, " ORDER BY %s LIMIT %d", plan->id_list, stretch->limit);
}

char *plan_sql_documents(const struct plan_projection *plan, const struct plan_stretch *stretch, bool after)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, plan->select_head);
    put_stretch(&sql, plan, stretch, after);
    buf_putc(&sql, ')');
    return buf_take(&sql);
}

char *plan_sql_ids(const struct plan_projection *plan, const struct plan_stretch *stretch, bool after)
{
    struct buf sql = BUF_NONE;

    buf_printf(&sql, "SELECT %s%s", plan->config->many_rows ? "DISTINCT " : "", plan->id_list);
    put_stretch(&sql, plan, stretch, after);
    return buf_take(&sql);
}

char *plan_sql_all(const struct plan_projection *plan, const char *what, const char *filter)
{
    struct buf sql = BUF_NONE;

    buf_printf(&sql, "SELECT %s", what);
    if (plan->config->many_rows)
        buf_printf(&sql, " FROM (SELECT DISTINCT %s", plan->id_list);
    put_where(&sql, plan, filter);
    if (plan->config->many_rows)
        buf_puts(&sql, ") ids");
    return buf_take(&sql);
}

/* ---- by date ---- */

/* The bare column is compared, so that an index on it serves. */
static void put_moment(struct buf *sql, const struct projection *projection, const struct relation *source,
                       int parameter)
{
    buf_printf(sql, "(timestamptz 'epoch' + $%d::float8 * interval '1 ms')%s", parameter,
               is_exact(projection, source) ? "" : " AT TIME ZONE 'UTC'");
}

static void put_sweep_begin(struct buf *sql, const struct projection *projection,
                            const struct relation *source, bool after)
{
    const char *type = relation_column(source, projection->expire_at)->type;

    put_date(sql, projection);
    buf_puts(sql, " >= ");
    if (!after) {
        put_moment(sql, projection, source, 1);
        return;
    }
    buf_printf(sql, "$1::%s AND (", type);
    put_date(sql, projection);
    buf_puts(sql, ", ");
    put_id_list(sql, projection);
    buf_printf(sql, ") > ($1::%s, ", type);
    put_id_parameters(sql, projection, source, 3);
    buf_putc(sql, ')');
}

char *plan_sql_sweep(const struct projection *projection, const struct relation *source, bool after)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "SELECT ");
    put_date(&sql, projection);
    buf_puts(&sql, ", ");
    put_expire(&sql, projection, source);
    buf_puts(&sql, ", ");
    put_id_list(&sql, projection);
    buf_printf(&sql, " FROM %s s WHERE ", source->qualified);
    put_sweep_begin(&sql, projection, source, after);
    buf_puts(&sql, " AND ");
    put_date(&sql, projection);
    buf_puts(&sql, " < ");
    put_moment(&sql, projection, source, 2);
    buf_puts(&sql, " AND ");
    put_id_given(&sql, projection);
    buf_puts(&sql, " ORDER BY ");
    put_date(&sql, projection);
    buf_puts(&sql, ", ");
    put_id_list(&sql, projection);
    buf_printf(&sql, " LIMIT %d", PLAN_CHUNK);
    return buf_take(&sql);
}

char *plan_sql_keys_by_id(const struct projection *projection, const struct relation *source)
{
    char *rest = where_id_is_any(projection, source);
    struct buf sql = BUF_NONE;

    for (size_t i = 0; i < template_columns(projection->key); i++) {
        buf_puts(&sql, i ? ", s." : "SELECT s.");
        pg_put_identifier(&sql, template_column(projection->key, i));
    }
    buf_printf(&sql, " FROM %s s WHERE %s", source->qualified, rest);
    free(rest);
    return buf_take(&sql);
}
