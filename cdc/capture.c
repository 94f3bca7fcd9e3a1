#include "cdc/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cdc/capture_sql.h"
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

/* ---- captures ---- */

static void put_text_array(struct buf *sql, const struct names *names)
{
    char *literal = array_literal((const char *const *)names->list, names->count);

    pg_put_literal(sql, literal);
    free(literal);
}

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
    char *on_change = mem_printf("FOR EACH ROW EXECUTE FUNCTION pgusher.capture_%d()", id);
    char *on_truncate = mem_printf("FOR EACH STATEMENT EXECUTE FUNCTION pgusher.capture_%d()", id);
    char *on_update = capture_sql_on_update(need, id);

    put_trigger(composing, need->oid, need->qualified, "pgusher_change", "AFTER INSERT OR DELETE", on_change);
    put_trigger(composing, need->oid, need->qualified, "pgusher_update", "AFTER UPDATE", on_update);
    put_truncate_triggers(composing, need, on_truncate);
    free(on_change);
    free(on_truncate);
    free(on_update);
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
        capture_sql_put_function(&composing->sql, need, id, catalog);
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
        const char *columns;
        struct need *need;

        if (!state_is(composing, row, "watch"))
            continue;
        columns = state_get(composing, row, STATE_COLUMNS);
        need = needs_add(needs, state_get(composing, row, STATE_OID), state_get(composing, row, STATE_NAME),
                         state_get(composing, row, STATE_WHAT)[0]);
        names_add_array(&need->keys, state_get(composing, row, STATE_KEYS));
        names_add_array(&need->columns, state_get(composing, row, STATE_KEYS));
        if (columns)
            names_add_array(&need->columns, columns);
        else
            need->all_columns = true;
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

/* What this fleet needs, and a second time as the beginning of what all fleets need. */
static int load_own_needs(struct pg *pg, const struct config *config, const struct catalog *catalog,
                          struct needs *own, struct needs *all, struct err *err)
{
    char *oids = needs_source_oids(config, catalog);
    struct pg_rows *reads = NULL;
    int result = ask(pg, sql_view_reads, oids, &reads, err);

    free(oids);
    if (result == 0) {
        needs_of_config(own, config, catalog, reads);
        needs_of_config(all, config, catalog, reads);
    }
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
        load_state(&composing, pg, err) == 0 && load_own_needs(pg, config, catalog, &own, &all, err) == 0) {
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
