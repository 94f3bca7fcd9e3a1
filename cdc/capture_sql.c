#include "cdc/capture_sql.h"

#include <string.h>

#include "common/pg.h"

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

/* ARRAY[…] of the keys as the documents show them: in the text of their output functions. */
static void put_keys(struct buf *sql, const char *which, const struct need *need)
{
    buf_puts(sql, "ARRAY[");
    for (size_t i = 0; i < need->keys.count; i++) {
        struct buf key = BUF_NONE;

        buf_printf(&key, "%s.", which);
        pg_put_identifier(&key, need->keys.list[i]);
        if (need->careful)
            buf_printf(sql, "%sCASE WHEN %s IS NULL THEN NULL ELSE format('%%s', %s) END", i ? ", " : "",
                       key.data, key.data);
        else
            buf_printf(sql, "%s%s::text", i ? ", " : "", key.data);
        buf_free(&key);
    }
    buf_putc(sql, ']');
}

/* What to log: `logged`, and then `other` unless it is NULL. They are compared as variables, whose
 * collation is the default; columns of different collations cannot be compared in one array. */
static void put_choice(struct buf *sql, const struct need *need)
{
    buf_puts(sql, "    IF TG_OP = 'DELETE' THEN\n        logged := ");
    put_keys(sql, "OLD", need);
    buf_puts(sql, ";\n    ELSIF TG_OP <> 'TRUNCATE' THEN\n        logged := ");
    put_keys(sql, "NEW", need);
    buf_puts(sql, ";\n        IF TG_OP = 'UPDATE' THEN\n            other := ");
    put_keys(sql, "OLD", need);
    buf_puts(sql, ";\n            IF other = logged THEN\n                other := NULL;\n"
                  "            END IF;\n        END IF;\n    END IF;\n");
}

static void put_insert(struct buf *sql, int id)
{
    buf_puts(sql, "        CASE gauge & 3\n");
    for (int table = 0; table < 4; table++)
        buf_printf(sql,
                   "        WHEN %d THEN INSERT INTO pgusher.changelog_%d (seq, part, capture, keys)\n"
                   "            VALUES (next, slice, %d, logged);\n",
                   table, table, id);
    buf_puts(sql, "        END CASE;\n");
}

static void put_gates(struct buf *sql, const struct gates *gates)
{
    if (gates->count == 0)
        return;
    buf_puts(sql, "        -- Got: nobody sleeps, and it is kept until this commit is visible. Not got: wake "
                  "them all.\n"
                  "        IF NOT (");
    for (size_t i = 0; i < gates->count; i++)
        buf_printf(sql, "%spg_try_advisory_xact_lock_shared(1885828467, %d + slice)",
                   i ? "\n                AND " : "", gates->numbers[i] * 1024);
    buf_puts(sql, ") THEN\n            PERFORM pg_notify('pgusher', slice::text);\n        END IF;\n");
}

void capture_sql_put_function(struct buf *sql, const struct need *need, int id, const struct gates *gates)
{
    buf_printf(sql,
               "CREATE OR REPLACE FUNCTION pgusher.capture_%d() RETURNS trigger\n"
               "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp\n",
               id);
    if (need->careful)
        buf_puts(sql, "SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'\n"
                      "SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C'\n");
    buf_puts(sql, "AS $function$\nDECLARE\n    logged text[];\n    other text[];\n    slice integer := 0;\n"
                  "    next bigint;\n    gauge bigint;\nBEGIN\n");
    put_choice(sql, need);
    buf_printf(sql,
               "    LOOP\n        IF logged IS NOT NULL THEN\n"
               "            slice := (hash_array(logged) & 2147483647) %% %d;\n"
               "        END IF;\n",
               gates->partitions);
    buf_puts(sql, "        -- In this order: see pgusher.set_gauge.\n"
                  "        next := nextval('pgusher.changelog_seq');\n"
                  "        gauge := pg_sequence_last_value('pgusher.gauge');\n"
                  "        IF next >= gauge >> 2 THEN\n"
                  "            PERFORM pgusher.note_dropped();\n"
                  "            RETURN NULL;\n        END IF;\n");
    put_insert(sql, id);
    put_gates(sql, gates);
    buf_puts(sql, "        EXIT WHEN other IS NULL;\n        logged := other;\n        other := NULL;\n"
                  "    END LOOP;\n    RETURN NULL;\nEND\n$function$;\n");
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
