#include "cdc/capture.h"

#include <stdlib.h>

#include "cdc/capture_private.h"
#include "cdc/session.h"
#include "cdc/sql/texts.h"

const char capture_uninstall_sql[] = "DROP SCHEMA IF EXISTS pgusher CASCADE;\n";

/* Of our own it can be seen when a session holds it (see cdc/sql/share.sql, upkeep.sql). */
static const char lock_installs[] = "SET LOCAL client_min_messages = warning;\n"
                                    "SET LOCAL search_path = pg_catalog, pg_temp;\n"
                                    "SELECT pg_advisory_xact_lock(1885828470, 0);\n";

/* ---- the schema ---- */

/* Nobody writes into the tables of the old version, nor will before the end of the transaction. */
static void put_move_aside(struct composing *composing)
{
    const char *before = "LOCK TABLE ";

    for (int row = 0; row < composing_count(composing); row++)
        if (composing_is(composing, row, "trigger")) {
            buf_printf(&composing->sql, "%s%s", before, composing_get(composing, row, STATE_NAME));
            before = ", ";
        }
    if (before[0] == ',')
        buf_puts(&composing->sql, " IN SHARE ROW EXCLUSIVE MODE;\n");
    buf_puts(&composing->sql, "ALTER SCHEMA pgusher RENAME TO pgusher_1;\n");
}

static void put_schema(struct composing *composing)
{
    struct buf *sql = &composing->sql;

    if (composing->version == 1)
        put_move_aside(composing);
    buf_puts(sql, sql_schema);
    buf_puts(sql, sql_read);
    buf_puts(sql, sql_share);
    buf_puts(sql, sql_upkeep);
    buf_puts(sql, sql_signs);
    buf_printf(sql,
               "INSERT INTO pgusher.meta (schema_version, oldest_program, partitions) VALUES (%d, %d, %d)\n"
               "    ON CONFLICT (only_row) DO UPDATE SET schema_version = EXCLUDED.schema_version,\n"
               "    oldest_program = EXCLUDED.oldest_program, installed_at = now();\n",
               SCHEMA_VERSION, OLDEST_PROGRAM, composing->gates.partitions);
    if (composing->version == 1)
        buf_puts(sql, sql_upgrade_1);
}

/* ---- the fleet's rows ---- */

/* PostgreSQL 14 takes no number beyond 32 bits, so 30 days are too many ms. A duration, or what the table
 * says by itself when the configuration says nothing. */
static void put_duration(struct buf *sql, int64_t ms)
{
    if (ms)
        buf_printf(sql, "'%lld s %lld ms'", (long long)ms / 1000, (long long)ms % 1000);
    else
        buf_puts(sql, "DEFAULT");
}

static void put_fleet(struct composing *composing, const struct config *config, const char *search_path)
{
    struct buf *sql = &composing->sql;

    buf_puts(sql,
             "INSERT INTO pgusher.fleet (name, search_path, number, look_back, max_lag_rows, max_lag_age)\n"
             "    VALUES (");
    pg_put_literal(sql, config->fleet);
    buf_puts(sql, ", ");
    pg_put_literal(sql, search_path);
    buf_printf(sql, ", %d, ", composing->number);
    put_duration(sql, config->look_back_ms);
    if (config->max_lag_rows)
        buf_printf(sql, ", %lld, ", (long long)config->max_lag_rows);
    else
        buf_puts(sql, ", DEFAULT, ");
    put_duration(sql, config->max_lag_age_ms);
    buf_puts(sql, ")\n    ON CONFLICT (name) DO UPDATE SET search_path = EXCLUDED.search_path, look_back = "
                  "EXCLUDED.look_back,\n    max_lag_rows = EXCLUDED.max_lag_rows, max_lag_age = "
                  "EXCLUDED.max_lag_age;\n"
                  "INSERT INTO pgusher.cursor (fleet, part) SELECT ");
    pg_put_literal(sql, config->fleet);
    buf_printf(sql, ", generate_series(0, %d) ON CONFLICT DO NOTHING;\n", composing->gates.partitions - 1);
}

static void put_names(struct buf *sql, const struct names *names)
{
    char *literal = array_literal((const char *const *)names->list, names->count);

    pg_put_literal(sql, literal);
    free(literal);
}

static void put_watches(struct buf *sql, const char *fleet, const struct needs *own)
{
    buf_puts(sql, "DELETE FROM pgusher.watch WHERE fleet = ");
    pg_put_literal(sql, fleet);
    buf_puts(sql, ";\n");
    for (size_t i = 0; i < own->count; i++) {
        buf_puts(sql, "INSERT INTO pgusher.watch (fleet, relation, key_columns, columns) VALUES (");
        pg_put_literal(sql, fleet);
        buf_puts(sql, ", ");
        pg_put_literal(sql, own->list[i].qualified);
        buf_puts(sql, ", ");
        put_names(sql, &own->list[i].keys);
        buf_puts(sql, ", ");
        if (own->list[i].all_columns)
            buf_puts(sql, "NULL");
        else
            put_names(sql, &own->list[i].columns);
        buf_puts(sql, ");\n");
    }
}

/* Moves the stop of logging to where the fleets' max_lag has it. */
static const char set_gauge[] = "SELECT pg_advisory_xact_lock(1885828470, 1);\n"
                                "DO 'BEGIN PERFORM pgusher.set_gauge("
                                "(pgusher.last_value(''pgusher.gauge'') & 3)::integer); END';\n";

const char *const capture_grants[] = {
    "USAGE ON SCHEMA pgusher",
    "SELECT ON ALL TABLES IN SCHEMA pgusher",
    "SELECT ON ALL SEQUENCES IN SCHEMA pgusher",
    "UPDATE ON pgusher.fleet, pgusher.cursor",
    "INSERT, UPDATE, DELETE ON pgusher.quarantine, pgusher.backfill",
    "INSERT, UPDATE, DELETE ON pgusher.projection, pgusher.former, pgusher.verified",
    NULL};

static void put_grants(struct buf *sql, const char *role)
{
    for (size_t i = 0; capture_grants[i]; i++) {
        buf_printf(sql, "GRANT %s TO ", capture_grants[i]);
        pg_put_identifier(sql, role);
        buf_puts(sql, ";\n");
    }
}

/* ---- composing ---- */

/* What this fleet needs, and a second time as the beginning of what all fleets need. */
static int load_own_needs(struct pg *pg, const struct config *config, const struct catalog *catalog,
                          struct needs *own, struct needs *all, struct err *err)
{
    char *oids = needs_source_oids(config, catalog);
    struct pg_rows *reads = NULL;
    int result = composing_ask(pg, sql_view_reads, oids, &reads, err);

    free(oids);
    if (result == 0) {
        needs_of_config(own, config, catalog, reads);
        needs_of_config(all, config, catalog, reads);
    }
    pg_rows_free(reads);
    return result;
}

static int choose_partitions(struct gates *gates, const struct config *config, struct err *err)
{
    if (gates->partitions && config->partitions && gates->partitions != config->partitions) {
        err_set(err, ST_CONFIG,
                "partitions: this database has %d, which were chosen by the first install for all fleets; "
                "write that, or leave it out, or begin anew with: pgusher uninstall",
                gates->partitions);
        return -1;
    }
    if (!gates->partitions)
        gates->partitions = config->partitions ? config->partitions : DEFAULT_PARTITIONS;
    return 0;
}

static void put_install(struct composing *composing, const struct config *config, const struct needs *own,
                        const struct needs *all, const struct pg_rows *who)
{
    struct buf *sql = &composing->sql;

    buf_puts(sql, lock_installs);
    put_schema(composing);
    put_fleet(composing, config, pg_rows_get(who, 0, 1, NULL));
    put_watches(sql, config->fleet, own);
    composing_put_captures(composing, all);
    if (composing->version == 1)
        buf_puts(sql, sql_upgrade_1_end);
    buf_puts(sql, set_gauge);
    put_grants(sql, pg_rows_get(who, 0, 0, NULL));
}

char *capture_compose(struct pg *pg, const struct config *config, const struct catalog *catalog,
                      int *ret_tables, int *ret_changed, struct err *err)
{
    struct composing composing = {.fleet = config->fleet};
    struct needs own = {0}, all = {0};
    struct pg_rows *who = NULL;
    char *script = NULL;

    if (composing_ask(pg, "SELECT current_user, reset_val FROM pg_settings WHERE name = 'search_path'", NULL,
                      &who, err) == 0 &&
        composing_load(&composing, pg, true, err) == 0 &&
        choose_partitions(&composing.gates, config, err) == 0 &&
        load_own_needs(pg, config, catalog, &own, &all, err) == 0 &&
        composing_add_others(&composing, pg, &all, err) == 0) {
        put_install(&composing, config, &own, &all, who);
        *ret_tables = (int)own.count;
        *ret_changed = composing.changed;
        script = buf_take(&composing.sql);
    }
    pg_rows_free(who);
    composing_free(&composing);
    needs_free(&own);
    needs_free(&all);
    return script;
}

static void put_drop(struct composing *composing, const struct needs *others)
{
    static const char *const tables[] = {"fleet WHERE name", "quarantine WHERE fleet"};

    buf_puts(&composing->sql, lock_installs);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        buf_printf(&composing->sql, "DELETE FROM pgusher.%s = ", tables[i]);
        pg_put_literal(&composing->sql, composing->fleet);
        buf_puts(&composing->sql, ";\n");
    }
    composing_put_captures(composing, others);
    buf_puts(&composing->sql, set_gauge);
}

char *capture_compose_drop(struct pg *pg, const char *fleet, struct err *err)
{
    struct composing composing = {.fleet = fleet};
    struct needs others = {0};
    char *script = NULL;

    if (composing_load(&composing, pg, false, err) == 0) {
        if (composing.version != SCHEMA_VERSION)
            err_set(err, ST_CONFIG, "schema pgusher is not of version %d; run: pgusher install",
                    SCHEMA_VERSION);
        else if (composing.number < 0)
            err_set(err, ST_REFUSED, "there is no fleet \"%s\" in this database", fleet);
        else if (composing_add_others(&composing, pg, &others, err) == 0) {
            put_drop(&composing, &others);
            script = buf_take(&composing.sql);
        }
    }
    composing_free(&composing);
    needs_free(&others);
    return script;
}
