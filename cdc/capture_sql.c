#include "cdc/capture_sql.h"

#include <string.h>

static void put_record(struct buf *sql, const char *which, const struct need *need)
{
    if (need->all_columns) {
        buf_printf(sql, "%s.*", which);
        return;
    }
    buf_puts(sql, "ROW(");
    for (size_t i = 0; i < need->columns.count; i++) {
        buf_printf(sql, "%s%s.", i ? ", " : "", which);
        pg_put_identifier(sql, need->columns.list[i]);
    }
    buf_putc(sql, ')');
}

/* Whether a key is of a type whose cast to text differs from its output (boolean, char(n), inet), or whose
 * output depends on settings of the writer's session (dates, bytea). */
static bool needs_care(const struct need *need, const struct catalog *catalog)
{
    static const char *const exact[] = {"smallint", "integer",           "bigint", "text", "uuid",
                                        "numeric",  "character varying", "oid"};

    for (size_t i = 0; i < catalog->count; i++) {
        const struct relation *relation = &catalog->relations[i];

        if (!relation->oid || strcmp(relation->oid, need->oid) != 0)
            continue;
        for (size_t j = 0; j < need->keys.count; j++) {
            const struct column *column = relation_column(relation, need->keys.list[j]);
            bool found = false;

            for (size_t k = 0; column && k < sizeof(exact) / sizeof(exact[0]); k++)
                found = found || strcmp(column->base_type, exact[k]) == 0;
            if (!found)
                return true;
        }
        return false;
    }
    return true; /* a table only another fleet watches: its types are not at hand */
}

/* ARRAY[…] of the keys as the documents show them: in the text of their output functions. */
static void put_keys(struct buf *sql, const char *which, const struct need *need, bool care)
{
    buf_puts(sql, "ARRAY[");
    for (size_t i = 0; i < need->keys.count; i++) {
        struct buf key = BUF_NONE;

        buf_printf(&key, "%s.", which);
        pg_put_identifier(&key, need->keys.list[i]);
        if (care)
            buf_printf(sql, "%sCASE WHEN %s IS NULL THEN NULL ELSE format('%%s', %s) END", i ? ", " : "",
                       key.data, key.data);
        else
            buf_printf(sql, "%s%s::text", i ? ", " : "", key.data);
        buf_free(&key);
    }
    buf_putc(sql, ']');
}

void capture_sql_put_function(struct buf *sql, const struct need *need, int id, const struct catalog *catalog)
{
    bool care = needs_care(need, catalog);

    buf_printf(sql,
               "CREATE OR REPLACE FUNCTION pgusher.capture_%d() RETURNS trigger\n"
               "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp\n",
               id);
    if (care)
        buf_puts(sql, "SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'\n"
                      "SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C'\n");
    buf_puts(sql, "AS $function$\nBEGIN\n    IF TG_OP = 'TRUNCATE' THEN\n"
                  "        INSERT INTO pgusher.changelog (capture, keys) VALUES (");
    buf_printf(sql,
               "%d, NULL);\n    ELSIF TG_OP = 'DELETE' THEN\n"
               "        INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ",
               id, id);
    put_keys(sql, "OLD", need, care);
    buf_printf(sql, ");\n    ELSE\n        INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ", id);
    put_keys(sql, "NEW", need, care);
    buf_puts(sql, ");\n        IF TG_OP = 'UPDATE' THEN\n            IF ");
    put_keys(sql, "OLD", need, care);
    buf_puts(sql, " IS DISTINCT FROM ");
    put_keys(sql, "NEW", need, care);
    buf_printf(sql, " THEN\n                INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ", id);
    put_keys(sql, "OLD", need, care);
    buf_puts(sql,
             ");\n            END IF;\n        END IF;\n    END IF;\n"
             "    -- Not got: somebody sleeps and must be woken. Got: kept until this commit is visible.\n"
             "    IF NOT pg_try_advisory_xact_lock_shared(1885828467, 0) THEN\n"
             "        PERFORM pg_notify('pgusher', '');\n    END IF;\n"
             "    RETURN NULL;\nEND\n$function$;\n");
    buf_printf(sql, "REVOKE ALL ON FUNCTION pgusher.capture_%d() FROM PUBLIC;\n", id);
}

char *capture_sql_on_update(const struct need *need, int id)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "FOR EACH ROW WHEN (pg_catalog.record_image_ne(");
    put_record(&sql, "OLD", need);
    buf_puts(&sql, ", ");
    put_record(&sql, "NEW", need);
    buf_printf(&sql, ")) EXECUTE FUNCTION pgusher.capture_%d()", id);
    return buf_take(&sql);
}
