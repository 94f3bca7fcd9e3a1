#include "cdc/capture_sql.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/pg.h"

/* Every name is written with its schema: the writer's search_path must decide nothing. It is not pinned,
 * because leaving a function with a SET costs a writer more than all that this one does (PostgreSQL 15 looks
 * through all settings then). CASE x WHEN, IN, IS DISTINCT FROM and BETWEEN take their operators from it. */
#define OP(sign) " OPERATOR(pg_catalog." sign ") "

static void put_column(struct buf *sql, const char *which, const char *column)
{
    buf_printf(sql, "%s.", which);
    pg_put_identifier(sql, column);
}

static void put_row(struct buf *sql, const char *which, const struct names *columns)
{
    buf_puts(sql, "ROW(");
    for (size_t i = 0; i < columns->count; i++) {
        buf_puts(sql, i ? ", " : "");
        put_column(sql, which, columns->list[i]);
    }
    buf_putc(sql, ')');
}

/* The comparison is of images, because equal values may differ in text: 1.0 and 1.00. */
static void put_image_test(struct buf *sql, const char *test, const struct names *columns)
{
    buf_printf(sql, "pg_catalog.record_image_%s(", test);
    put_row(sql, "OLD", columns);
    buf_puts(sql, ", ");
    put_row(sql, "NEW", columns);
    buf_putc(sql, ')');
}

/* Nothing is logged of a row in which no column changed that matters. */
static void put_end_if_unchanged(struct buf *sql, const struct need *need)
{
    buf_puts(sql, "            IF ");
    if (need->whole_row)
        buf_puts(sql, "pg_catalog.record_image_eq(OLD, NEW)");
    else
        put_image_test(sql, "eq", &need->columns);
    buf_puts(sql, " THEN\n                RETURN NULL;\n            END IF;\n");
}

static void put_keys_changed(struct buf *sql, const struct need *need)
{
    if (!need->exact) {
        put_image_test(sql, "ne", &need->keys);
        return;
    }
    for (size_t i = 0; i < need->keys.count; i++) {
        buf_puts(sql, i ? " AND " : "(");
        put_column(sql, "OLD", need->keys.list[i]);
        buf_puts(sql, OP("="));
        put_column(sql, "NEW", need->keys.list[i]);
    }
    buf_puts(sql, ") IS NOT TRUE");
}

/* ARRAY[…] of the keys as the documents show them: in the text of their output functions. */
static void put_keys(struct buf *sql, const char *which, const struct need *need)
{
    buf_puts(sql, "ARRAY[");
    for (size_t i = 0; i < need->keys.count; i++) {
        struct buf key = BUF_NONE;

        put_column(&key, which, need->keys.list[i]);
        buf_puts(sql, i ? ", " : "");
        if (need->careful)
            buf_printf(
                sql, "CASE WHEN %s IS NOT DISTINCT FROM NULL THEN NULL ELSE pg_catalog.format('%%s', %s) END",
                key.data, key.data);
        else
            buf_printf(sql, "%s::pg_catalog.text", key.data);
        buf_free(&key);
    }
    buf_putc(sql, ']');
}

/* These keys into a variable, without a plan that knows types. */
static void put_keys_anew(struct buf *sql, const char *variable, const char *which, const struct need *need)
{
    buf_printf(sql, "            %s := pgusher.row_keys(TG_RELID, %s::pg_catalog.text, ARRAY[", variable,
               which);
    for (size_t i = 0; i < need->keys.count; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_put_literal(sql, need->keys.list[i]);
    }
    buf_puts(sql, "]);\n");
}

/* A writer must not fail for a column that matters and was renamed since the install, or got another type
 * since its session ran this for the first time, which PL/pgSQL does not notice: the row counts as changed.
 */
static void put_choice_anew(struct buf *sql, const struct need *need)
{
    buf_puts(sql, "    EXCEPTION WHEN undefined_column OR datatype_mismatch THEN\n"
                  "        IF TG_OP" OP("<>") "'DELETE' THEN\n");
    put_keys_anew(sql, "logged", "NEW", need);
    buf_puts(sql, "        END IF;\n        IF TG_OP" OP("<>") "'INSERT' THEN\n");
    put_keys_anew(sql, "other", "OLD", need);
    buf_puts(sql, "        END IF;\n");
}

/* What to log: `logged`, and then `other` unless it is NULL. They are compared and hashed as variables, whose
 * collation is the default; columns of different collations cannot be compared in one array. */
static void put_choice(struct buf *sql, const struct need *need)
{
    buf_puts(sql, "    BEGIN\n        IF TG_OP" OP("=") "'UPDATE' THEN\n");
    put_end_if_unchanged(sql, need);
    buf_puts(sql, "            logged := ");
    put_keys(sql, "NEW", need);
    buf_puts(sql, ";\n            IF ");
    put_keys_changed(sql, need);
    buf_puts(sql, " THEN\n                other := ");
    put_keys(sql, "OLD", need);
    buf_puts(sql,
             ";\n            END IF;\n        ELSIF TG_OP" OP("=") "'INSERT' THEN\n            logged := ");
    put_keys(sql, "NEW", need);
    buf_puts(sql, ";\n        ELSIF TG_OP" OP("=") "'DELETE' THEN\n            other := ");
    put_keys(sql, "OLD", need);
    buf_puts(sql, ";\n        END IF;\n");
    put_choice_anew(sql, need);
    buf_puts(sql,
             "    END;\n"
             "    IF logged IS NULL OR other" OP(
                 "=") "logged THEN\n"
                      "        logged := coalesce(logged, other);\n        other := NULL;\n    END IF;\n");
}

static void put_insert(struct buf *sql, int id)
{
    buf_puts(sql, "        -- In this order: see pgusher.set_gauge.\n"
                  "        next := pg_catalog.nextval('pgusher.changelog_seq');\n"
                  "        gauge := pg_catalog.pg_sequence_last_value('pgusher.gauge');\n"
                  "        IF next" OP(">=") "(gauge" OP(
                      ">>") "2) THEN\n"
                            "            PERFORM pgusher.note_dropped();\n            RETURN NULL;\n");
    for (int table = 0; table < 4; table++) {
        if (table < 3)
            buf_printf(sql, "        ELSIF (gauge" OP("&") "3)" OP("=") "%d THEN\n", table);
        else
            buf_puts(sql, "        ELSE\n");
        buf_printf(sql,
                   "            INSERT INTO pgusher.changelog_%d (seq, part, capture, keys)\n"
                   "            VALUES (next, slice, %d, logged);\n",
                   table, id);
    }
    buf_puts(sql, "        END IF;\n");
}

static void put_gates(struct buf *sql, const struct gates *gates)
{
    if (gates->count == 0)
        return;
    buf_puts(sql, "        -- Got: nobody sleeps, and it is kept until this commit is visible. Not got: wake "
                  "them all.\n"
                  "        IF NOT (");
    for (size_t i = 0; i < gates->count; i++)
        buf_printf(sql, "%spg_catalog.pg_try_advisory_xact_lock_shared(1885828467, %d" OP("+") "slice)",
                   i ? "\n                AND " : "", gates->numbers[i] * 1024);
    buf_puts(sql, ") THEN\n            PERFORM pg_catalog.pg_notify('pgusher', slice::pg_catalog.text);\n    "
                  "    END IF;\n");
}

static void put_body(struct buf *sql, const struct need *need, int id, const struct gates *gates)
{
    buf_puts(sql, "\nDECLARE\n    logged pg_catalog.text[];\n    other pg_catalog.text[];\n"
                  "    slice integer;\n    next bigint;\n    gauge bigint;\nBEGIN\n");
    put_choice(sql, need);
    buf_printf(sql,
               "    LOOP\n        slice := coalesce((pg_catalog.hash_array(logged)" OP("&") "2147483647)" OP(
                   "%%") "%d, 0);\n",
               gates->partitions);
    put_insert(sql, id);
    put_gates(sql, gates);
    buf_puts(sql, "        EXIT WHEN other IS NULL;\n        logged := other;\n        other := NULL;\n"
                  "    END LOOP;\n    RETURN NULL;\nEND\n");
}

/* A column may be called like the quote. */
static void put_quoted(struct buf *sql, const char *body)
{
    char *quote = mem_strdup("$function$");

    for (int number = 1; strstr(body, quote); number++) {
        free(quote);
        quote = mem_printf("$function_%d$", number);
    }
    buf_printf(sql, "%s%s%s", quote, body, quote);
    free(quote);
}

void capture_sql_put_function(struct buf *sql, const struct need *need, int id, const struct gates *gates)
{
    struct buf body = BUF_NONE;

    buf_printf(sql,
               "CREATE OR REPLACE FUNCTION pgusher.capture_%d() RETURNS trigger\n"
               "LANGUAGE plpgsql SECURITY DEFINER\n",
               id);
    if (need->careful)
        buf_puts(sql, "SET search_path = pg_catalog, pg_temp\n"
                      "SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'\n"
                      "SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C'\n");
    put_body(&body, need, id, gates);
    buf_puts(sql, "AS ");
    put_quoted(sql, body.data);
    buf_puts(sql, ";\n");
    buf_free(&body);
    buf_printf(sql, "REVOKE ALL ON FUNCTION pgusher.capture_%d() FROM PUBLIC;\n", id);
}
