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
static char *compose_select(const struct projection *projection, const struct relation *source,
                            const char *rest)
{
    struct buf sql = BUF_NONE;

    buf_printf(&sql, "SELECT NULL::text, NULL::text, s.* FROM %s s WHERE false", source->qualified);
    buf_puts(&sql, " UNION ALL SELECT pg_catalog.pg_current_snapshot()::text, NULL");
    for (size_t i = 0; i < source->ncolumns; i++)
        buf_puts(&sql, ", NULL");
    buf_puts(&sql, " UNION ALL (SELECT NULL::text, ");
    put_expire(&sql, projection, source);
    buf_printf(&sql, ", s.* FROM %s s WHERE %s)", source->qualified, rest);
    return buf_take(&sql);
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

static char *where_in_order(const struct projection *projection, const struct relation *source, bool after)
{
    struct buf sql = BUF_NONE;

    buf_putc(&sql, '(');
    put_id_list(&sql, projection);
    buf_puts(&sql, ") IS NOT NULL");
    if (after) {
        buf_puts(&sql, " AND (");
        put_id_list(&sql, projection);
        buf_puts(&sql, ") > (");
        for (size_t i = 0; i < projection->nid; i++)
            buf_printf(&sql, "%s$%zu::%s", i ? ", " : "", i + 1,
                       relation_column(source, projection->id[i])->type);
        buf_putc(&sql, ')');
    }
    buf_puts(&sql, " ORDER BY ");
    put_id_list(&sql, projection);
    /* Not a parameter: its value decides whether the plan may sort. */
    buf_printf(&sql, " LIMIT %d", PLAN_CHUNK);
    return buf_take(&sql);
}

static char *compose_and_free(const struct projection *projection, const struct relation *source, char *rest)
{
    char *sql = compose_select(projection, source, rest);

    free(rest);
    return sql;
}

char *plan_sql_by_id(const struct projection *projection, const struct relation *source)
{
    return compose_and_free(projection, source, where_id_is_any(projection, source));
}

char *plan_sql_in_order(const struct projection *projection, const struct relation *source, bool after)
{
    return compose_and_free(projection, source, where_in_order(projection, source, after));
}

char *plan_sql_ids(const struct projection *projection, const struct relation *source, bool after)
{
    char *rest = where_in_order(projection, source, after);
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "SELECT ");
    put_id_list(&sql, projection);
    buf_printf(&sql, " FROM %s s WHERE %s", source->qualified, rest);
    free(rest);
    return buf_take(&sql);
}
