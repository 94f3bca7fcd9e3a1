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

static void put_expire(struct buf *sql, const struct projection *projection, const struct relation *source)
{
    struct buf at = BUF_NONE;
    const char *type;

    if (!projection->expire_at) {
        buf_puts(sql, "NULL::text");
        return;
    }
    type = relation_column(source, projection->expire_at)->base_type;
    buf_puts(&at, "s.");
    pg_put_identifier(&at, projection->expire_at);
    if (strcmp(type, "timestamp with time zone") != 0)
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
 * exact. */
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
        buf_puts(&sql, ") IN (SELECT * FROM ROWS FROM (");
        for (size_t i = 0; i < projection->nid; i++)
            buf_printf(&sql, "%spg_catalog.unnest($%zu::%s[])", i ? ", " : "", i + 1,
                       relation_column(source, projection->id[i])->type);
        buf_puts(&sql, "))");
    }
    return buf_take(&sql);
}

char *plan_sql_by_id(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;
    char *condition = where_id_is_any(projection, source);

    put_select_head(&sql, projection, source);
    buf_printf(&sql, " FROM %s s WHERE %s)", source->qualified, condition);
    free(condition);
    return buf_take(&sql);
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

char *plan_sql_behind(const struct projection *projection, const struct relation *source)
{
    struct buf sql = BUF_NONE;

    buf_putc(&sql, '(');
    put_id_list(&sql, projection);
    buf_puts(&sql, ") > (");
    for (size_t i = 0; i < projection->nid; i++)
        buf_printf(&sql, "%s$%zu::%s", i ? ", " : "", i + 1,
                   relation_column(source, projection->id[i])->type);
    buf_putc(&sql, ')');
    return buf_take(&sql);
}

/* A comment at the end of the filter ends with its line. */
static void put_where(struct buf *sql, const struct plan_projection *plan, const char *filter)
{
    buf_printf(sql, "%s WHERE (%s) IS NOT NULL", plan->from, plan->id_list);
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

    buf_printf(&sql, "SELECT %s", plan->id_list);
    put_stretch(&sql, plan, stretch, after);
    return buf_take(&sql);
}

char *plan_sql_all(const struct plan_projection *plan, const char *what, const char *filter)
{
    struct buf sql = BUF_NONE;

    buf_printf(&sql, "SELECT %s", what);
    put_where(&sql, plan, filter);
    return buf_take(&sql);
}
