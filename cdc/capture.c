#include "cdc/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cdc/needs.h"
#include "cdc/session.h"
#include "cdc/sql/texts.h"
#include "common/buf.h"
#include "common/mem.h"

enum { STATE_KIND, STATE_OID, STATE_NAME, STATE_WHAT, STATE_KEYS, STATE_COLUMNS };

const char capture_uninstall_sql[] = "DROP SCHEMA IF EXISTS pgusher CASCADE;\n";

/* What composing needs to know. */
struct composing {
    const struct config *config;
    struct pg_rows *state; /* answer to capture_state.sql; NULL when the schema does not exist yet */
    struct pg_rows *partitions;
    struct buf sql;
    int next_capture;
    int changed;
};

static int state_count(const struct composing *composing)
{
    return composing->state ? pg_rows_count(composing->state) : 0;
}

static const char *state_get(const struct composing *composing, int row, int column)
{
    return pg_rows_get(composing->state, row, column, NULL);
}

static bool state_is(const struct composing *composing, int row, const char *kind)
{
    return strcmp(state_get(composing, row, STATE_KIND), kind) == 0;
}

/* ---- small pieces of SQL ---- */

static void put_text_array(struct buf *sql, const struct names *names)
{
    char *literal = array_literal((const char *const *)names->list, names->count);

    pg_put_literal(sql, literal);
    free(literal);
}

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

static void put_keys(struct buf *sql, const char *which, const struct need *need)
{
    buf_puts(sql, "ARRAY[");
    for (size_t i = 0; i < need->keys.count; i++) {
        buf_printf(sql, "%s%s.", i ? ", " : "", which);
        pg_put_identifier(sql, need->keys.list[i]);
        buf_puts(sql, "::text");
    }
    buf_putc(sql, ']');
}

/* ---- captures ---- */

/* The id of the capture with exactly these keys, a new one when there is none. */
static int capture_id(struct composing *composing, const struct need *need)
{
    char *keys = array_literal((const char *const *)need->keys.list, need->keys.count);
    int id = 0;

    for (int row = 0; row < state_count(composing) && !id; row++) {
        char **list;
        size_t count;
        char *normal;

        if (!state_is(composing, row, "capture") ||
            strcmp(state_get(composing, row, STATE_OID), need->oid) != 0)
            continue;
        count = array_parse(state_get(composing, row, STATE_KEYS), &list);
        normal = array_literal((const char *const *)list, count);
        if (strcmp(normal, keys) == 0)
            id = atoi(state_get(composing, row, STATE_NAME));
        for (size_t i = 0; i < count; i++)
            free(list[i]);
        free(list);
        free(normal);
    }
    free(keys);
    return id ? id : composing->next_capture++;
}

/* Types whose text depends on settings of the writer's session: then the function pins them. */
static bool needs_pinning(const struct need *need, const struct catalog *catalog)
{
    static const char *const exact[] = {"smallint", "integer",           "bigint",  "text", "uuid",
                                        "numeric",  "character varying", "boolean", "oid",  "character"};

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

static void put_function(struct buf *sql, const struct need *need, int id, bool pinned)
{
    buf_printf(sql,
               "CREATE OR REPLACE FUNCTION pgusher.capture_%d() RETURNS trigger\n"
               "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp\n",
               id);
    if (pinned)
        buf_puts(sql, "SET TimeZone = 'UTC' SET DateStyle = 'ISO, YMD' SET IntervalStyle = 'postgres'\n"
                      "SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C'\n");
    buf_puts(sql, "AS $function$\nBEGIN\n    IF TG_OP = 'TRUNCATE' THEN\n"
                  "        INSERT INTO pgusher.changelog (capture, keys) VALUES (");
    buf_printf(sql,
               "%d, NULL);\n    ELSIF TG_OP = 'DELETE' THEN\n"
               "        INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ",
               id, id);
    put_keys(sql, "OLD", need);
    buf_printf(sql, ");\n    ELSE\n        INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ", id);
    put_keys(sql, "NEW", need);
    buf_puts(sql, ");\n        IF TG_OP = 'UPDATE' THEN\n            IF ");
    put_keys(sql, "OLD", need);
    buf_puts(sql, " IS DISTINCT FROM ");
    put_keys(sql, "NEW", need);
    buf_printf(sql, " THEN\n                INSERT INTO pgusher.changelog (capture, keys) VALUES (%d, ", id);
    put_keys(sql, "OLD", need);
    buf_puts(sql,
             ");\n            END IF;\n        END IF;\n    END IF;\n"
             "    -- Not got: somebody sleeps and must be woken. Got: kept until this commit is visible.\n"
             "    IF NOT pg_try_advisory_xact_lock_shared(1885828467, 0) THEN\n"
             "        PERFORM pg_notify('pgusher', '');\n    END IF;\n"
             "    RETURN NULL;\nEND\n$function$;\n");
    buf_printf(sql, "REVOKE ALL ON FUNCTION pgusher.capture_%d() FROM PUBLIC;\n", id);
}

/* ---- triggers ---- */

static const char *standing_comment(const struct composing *composing, const char *oid, const char *trigger)
{
    for (int row = 0; row < state_count(composing); row++)
        if (state_is(composing, row, "trigger") && strcmp(state_get(composing, row, STATE_OID), oid) == 0 &&
            strcmp(state_get(composing, row, STATE_WHAT), trigger) == 0)
            return state_get(composing, row, STATE_KEYS);
    return NULL;
}

/* Creates the trigger unless it stands already exactly so: its comment tells by the definition's digest.
 * Creating locks the table against writers until the end of the transaction. */
static void put_trigger(struct composing *composing, const char *oid, const char *qualified,
                        const char *trigger, const char *events, const char *function)
{
    const char *standing = standing_comment(composing, oid, trigger);
    char *definition = mem_printf("%s ON %s %s", events, qualified, function);
    char *comment =
        mem_printf("pgusher %016llx", (unsigned long long)XXH3_64bits(definition, strlen(definition)));

    if (!standing || strcmp(standing, comment) != 0) {
        composing->changed++;
        buf_printf(&composing->sql, "CREATE OR REPLACE TRIGGER %s %s ON %s %s;\n", trigger, events, qualified,
                   function);
        buf_printf(&composing->sql, "COMMENT ON TRIGGER %s ON %s IS '%s';\n", trigger, qualified, comment);
    }
    free(definition);
    free(comment);
}

static void put_truncate_triggers(struct composing *composing, const struct need *need, const char *function)
{
    put_trigger(composing, need->oid, need->qualified, "pgusher_truncate", "AFTER TRUNCATE", function);
    for (int row = 0; composing->partitions && row < pg_rows_count(composing->partitions); row++)
        if (strcmp(pg_rows_get(composing->partitions, row, 0, NULL), need->oid) == 0)
            put_trigger(composing, pg_rows_get(composing->partitions, row, 1, NULL),
                        pg_rows_get(composing->partitions, row, 2, NULL), "pgusher_truncate",
                        "AFTER TRUNCATE", function);
}

static void put_triggers(struct composing *composing, const struct need *need, int id)
{
    struct buf function = BUF_NONE;
    char *statement = mem_printf("FOR EACH STATEMENT EXECUTE FUNCTION pgusher.capture_%d()", id);

    buf_printf(&function, "FOR EACH ROW EXECUTE FUNCTION pgusher.capture_%d()", id);
    put_trigger(composing, need->oid, need->qualified, "pgusher_change", "AFTER INSERT OR DELETE",
                function.data);
    buf_clear(&function);
    buf_puts(&function, "FOR EACH ROW WHEN (pg_catalog.record_image_ne(");
    put_record(&function, "OLD", need);
    buf_puts(&function, ", ");
    put_record(&function, "NEW", need);
    buf_printf(&function, ")) EXECUTE FUNCTION pgusher.capture_%d()", id);
    put_trigger(composing, need->oid, need->qualified, "pgusher_update", "AFTER UPDATE", function.data);
    put_truncate_triggers(composing, need, statement);
    buf_free(&function);
    free(statement);
}

static bool is_partition_of_need(const struct composing *composing, const char *oid)
{
    for (int row = 0; composing->partitions && row < pg_rows_count(composing->partitions); row++)
        if (strcmp(pg_rows_get(composing->partitions, row, 1, NULL), oid) == 0)
            return true;
    return false;
}

static void drop_left_over_triggers(struct composing *composing, const struct needs *needs)
{
    for (int row = 0; row < state_count(composing); row++) {
        const char *oid = state_get(composing, row, STATE_OID);
        bool needed = is_partition_of_need(composing, oid);

        for (size_t i = 0; i < needs->count; i++)
            needed = needed || strcmp(needs->list[i].oid, oid) == 0;
        if (needed || !state_is(composing, row, "trigger"))
            continue;
        composing->changed++;
        buf_printf(&composing->sql, "DROP TRIGGER IF EXISTS %s ON %s;\n",
                   state_get(composing, row, STATE_WHAT), state_get(composing, row, STATE_NAME));
    }
}

/* ---- the fleet's rows ---- */

static void put_fleet(struct composing *composing, const struct needs *own, const char *search_path)
{
    struct buf *sql = &composing->sql;

    buf_puts(sql, "INSERT INTO pgusher.fleet (name, search_path) VALUES (");
    pg_put_literal(sql, composing->config->fleet);
    buf_puts(sql, ", ");
    pg_put_literal(sql, search_path);
    buf_puts(sql, ")\n    ON CONFLICT (name) DO UPDATE SET search_path = EXCLUDED.search_path;\n"
                  "DELETE FROM pgusher.watch WHERE fleet = ");
    pg_put_literal(sql, composing->config->fleet);
    buf_puts(sql, ";\n");
    for (size_t i = 0; i < own->count; i++) {
        buf_puts(sql, "INSERT INTO pgusher.watch (fleet, relation, key_columns, columns) VALUES (");
        pg_put_literal(sql, composing->config->fleet);
        buf_puts(sql, ", ");
        pg_put_literal(sql, own->list[i].qualified);
        buf_puts(sql, ", ");
        put_text_array(sql, &own->list[i].keys);
        buf_puts(sql, ", ");
        if (own->list[i].all_columns)
            buf_puts(sql, "NULL");
        else
            put_text_array(sql, &own->list[i].columns);
        buf_puts(sql, ");\n");
    }
}

static void put_grants(struct buf *sql, const char *role)
{
    buf_puts(sql, "GRANT USAGE ON SCHEMA pgusher TO ");
    pg_put_identifier(sql, role);
    buf_puts(sql, ";\nGRANT SELECT ON ALL TABLES IN SCHEMA pgusher TO ");
    pg_put_identifier(sql, role);
    buf_puts(sql, ";\nGRANT UPDATE ON pgusher.fleet TO ");
    pg_put_identifier(sql, role);
    buf_puts(sql, ";\nGRANT INSERT, UPDATE, DELETE ON pgusher.quarantine TO ");
    pg_put_identifier(sql, role);
    buf_puts(sql, ";\n");
}

static void put_captures(struct composing *composing, const struct needs *needs,
                         const struct catalog *catalog)
{
    for (size_t i = 0; i < needs->count; i++) {
        const struct need *need = &needs->list[i];
        int id = capture_id(composing, need);

        buf_printf(&composing->sql, "INSERT INTO pgusher.capture (id, relation, key_columns) VALUES (%d, ",
                   id);
        pg_put_literal(&composing->sql, need->qualified);
        buf_puts(&composing->sql, ", ");
        put_text_array(&composing->sql, &need->keys);
        buf_puts(&composing->sql, ") ON CONFLICT (relation, key_columns) DO NOTHING;\n");
        put_function(&composing->sql, need, id, needs_pinning(need, catalog));
        put_triggers(composing, need, id);
    }
}

/* ---- asking the database ---- */

static int ask(struct pg *pg, const char *sql, const char *param, struct pg_rows **ret_rows, struct err *err)
{
    const char *const params[] = {param};
    struct pg_query query = {.sql = sql, .params = params, .nparams = param ? 1 : 0};

    return pg_run(pg, &query, ret_rows, err);
}

static void add_other_fleets(const struct composing *composing, struct needs *needs)
{
    for (int row = 0; row < state_count(composing); row++) {
        struct need *need;
        char **list;
        size_t count;

        if (!state_is(composing, row, "watch"))
            continue;
        need = needs_add(needs, state_get(composing, row, STATE_OID), state_get(composing, row, STATE_NAME),
                         state_get(composing, row, STATE_WHAT)[0]);
        count = array_parse(state_get(composing, row, STATE_KEYS), &list);
        for (size_t i = 0; i < count; i++) {
            names_add(&need->keys, list[i]);
            names_add(&need->columns, list[i]);
            free(list[i]);
        }
        free(list);
        if (!state_get(composing, row, STATE_COLUMNS)) {
            need->all_columns = true;
            continue;
        }
        count = array_parse(state_get(composing, row, STATE_COLUMNS), &list);
        for (size_t i = 0; i < count; i++) {
            names_add(&need->columns, list[i]);
            free(list[i]);
        }
        free(list);
    }
}

static int load_partitions(struct composing *composing, struct pg *pg, const struct needs *needs,
                           struct err *err)
{
    struct buf oids = BUF_NONE;
    int result;

    buf_putc(&oids, '{');
    for (size_t i = 0; i < needs->count; i++)
        if (needs->list[i].kind == 'p')
            buf_printf(&oids, "%s%s", oids.len > 1 ? "," : "", needs->list[i].oid);
    buf_putc(&oids, '}');
    result = ask(pg,
                 "SELECT p.oid, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
                 " FROM unnest($1::oid[]) p(oid), pg_partition_tree(p.oid) t"
                 " JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
                 " WHERE t.relid <> p.oid ORDER BY 1, 2",
                 oids.data, &composing->partitions, err);
    buf_free(&oids);
    return result;
}

static int load_state(struct composing *composing, struct pg *pg, struct err *err)
{
    struct pg_rows *exists = NULL;
    bool installed;

    if (ask(pg, "SELECT to_regclass('pgusher.watch')", NULL, &exists, err) != 0)
        return -1;
    installed = pg_rows_get(exists, 0, 0, NULL) != NULL;
    pg_rows_free(exists);
    composing->next_capture = 1;
    if (!installed)
        return 0;
    if (ask(pg, sql_capture_state, composing->config->fleet, &composing->state, err) != 0)
        return -1;
    for (int row = 0; row < state_count(composing); row++)
        if (state_is(composing, row, "capture") &&
            atoi(state_get(composing, row, STATE_NAME)) >= composing->next_capture)
            composing->next_capture = atoi(state_get(composing, row, STATE_NAME)) + 1;
    return 0;
}

static int load_own_needs(struct pg *pg, const struct config *config, const struct catalog *catalog,
                          struct needs *needs, struct err *err)
{
    char *oids = needs_source_oids(config, catalog);
    struct pg_rows *reads = NULL;
    int result = ask(pg, sql_view_reads, oids, &reads, err);

    free(oids);
    if (result == 0)
        needs_of_config(needs, config, catalog, reads);
    pg_rows_free(reads);
    return result;
}

static void put_script(struct composing *composing, const struct needs *own, const struct needs *all,
                       const struct catalog *catalog, const struct pg_rows *who)
{
    struct buf *sql = &composing->sql;

    buf_puts(sql, "SET LOCAL client_min_messages = warning;\n"
                  "SET LOCAL search_path = pg_catalog;\n"
                  "SELECT pg_advisory_xact_lock(1885828467, 1);\n");
    buf_puts(sql, sql_schema);
    buf_printf(sql,
               "INSERT INTO pgusher.meta (schema_version) VALUES (%d)\n"
               "    ON CONFLICT (only_row) DO UPDATE SET schema_version = EXCLUDED.schema_version;\n",
               SCHEMA_VERSION);
    put_fleet(composing, own, pg_rows_get(who, 0, 1, NULL));
    put_captures(composing, all, catalog);
    drop_left_over_triggers(composing, all);
    put_grants(sql, pg_rows_get(who, 0, 0, NULL));
}

char *capture_compose(struct pg *pg, const struct config *config, const struct catalog *catalog,
                      int *ret_tables, int *ret_changed, struct err *err)
{
    struct composing composing = {.config = config};
    struct needs own = {0}, all = {0};
    struct pg_rows *who = NULL;
    char *script = NULL;

    if (ask(pg, "SELECT current_user, current_setting('search_path')", NULL, &who, err) == 0 &&
        load_state(&composing, pg, err) == 0 && load_own_needs(pg, config, catalog, &own, err) == 0 &&
        load_own_needs(pg, config, catalog, &all, err) == 0) {
        add_other_fleets(&composing, &all);
        if (load_partitions(&composing, pg, &all, err) == 0) {
            put_script(&composing, &own, &all, catalog, who);
            *ret_tables = (int)own.count;
            *ret_changed = composing.changed;
            script = buf_take(&composing.sql);
        }
    }
    buf_free(&composing.sql);
    pg_rows_free(who);
    pg_rows_free(composing.state);
    pg_rows_free(composing.partitions);
    needs_free(&own);
    needs_free(&all);
    return script;
}
