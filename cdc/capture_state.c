#include "cdc/capture_private.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/session.h"
#include "cdc/sql/texts.h"
#include "common/mem.h"

enum { FLEET_NAME, FLEET_NUMBER, FLEET_VERSION, FLEET_PARTITIONS };
enum { TYPES_RELATION, TYPES_CAREFUL, TYPES_EXACT, TYPES_WHOLE_ROW };

int composing_count(const struct composing *composing)
{
    return composing->state ? pg_rows_count(composing->state) : 0;
}

const char *composing_get(const struct composing *composing, int row, int column)
{
    return pg_rows_get(composing->state, row, column, NULL);
}

bool composing_is(const struct composing *composing, int row, const char *kind)
{
    return strcmp(composing_get(composing, row, STATE_KIND), kind) == 0;
}

int composing_ask(struct pg *pg, const char *sql, const char *param, struct pg_rows **ret_rows,
                  struct err *err)
{
    const char *const params[] = {param};
    struct pg_query query = {.sql = sql, .params = params, .nparams = param ? 1 : 0};

    return pg_run(pg, &query, ret_rows, err);
}

/* ---- fleets ---- */

static bool is_taken(const struct gates *gates, int number)
{
    for (size_t i = 0; i < gates->count; i++)
        if (gates->numbers[i] == number)
            return true;
    return false;
}

/* Kept in order, so that the functions' text does not depend on who came first. */
static void add_gate(struct gates *gates, int number)
{
    size_t at = gates->count++;

    gates->numbers = mem_resize(gates->numbers, gates->count * sizeof(int));
    for (; at > 0 && gates->numbers[at - 1] > number; at--)
        gates->numbers[at] = gates->numbers[at - 1];
    gates->numbers[at] = number;
}

static void adopt_fleets(struct composing *composing, const struct pg_rows *fleets, bool stays)
{
    const char *partitions = pg_rows_get(fleets, 0, FLEET_PARTITIONS, NULL);

    composing->gates.partitions = partitions ? atoi(partitions) : 0;
    for (int row = 0; row < pg_rows_count(fleets); row++) {
        const char *name = pg_rows_get(fleets, row, FLEET_NAME, NULL);
        bool own = name && strcmp(name, composing->fleet) == 0;

        if (!name)
            continue;
        if (own)
            composing->number = atoi(pg_rows_get(fleets, row, FLEET_NUMBER, NULL));
        if (!own || stays)
            add_gate(&composing->gates, atoi(pg_rows_get(fleets, row, FLEET_NUMBER, NULL)));
    }
}

static void number_fleet(struct composing *composing)
{
    if (composing->number >= 0)
        return;
    composing->number = 0;
    while (is_taken(&composing->gates, composing->number))
        composing->number++;
    add_gate(&composing->gates, composing->number);
}

static int load_fleets(struct composing *composing, struct pg *pg, bool stays, struct err *err)
{
    struct pg_rows *fleets = NULL;

    if (composing_ask(pg, sql_capture_fleets, NULL, &fleets, err) != 0)
        return -1;
    composing->version = atoi(pg_rows_get(fleets, 0, FLEET_VERSION, NULL));
    adopt_fleets(composing, fleets, stays);
    pg_rows_free(fleets);
    if (composing->version <= SCHEMA_VERSION)
        return 0;
    err_set(err, ST_CONFIG,
            "schema pgusher is of version %d, newer than this program's %d; install with the newer program",
            composing->version, SCHEMA_VERSION);
    return -1;
}

/* ---- captures ---- */

static int load_captures(struct composing *composing, struct pg *pg, struct err *err)
{
    if (composing_ask(pg, sql_capture_state, composing->fleet, &composing->state, err) != 0)
        return -1;
    for (int row = 0; row < composing_count(composing); row++)
        if (composing_is(composing, row, "capture") &&
            atoi(composing_get(composing, row, STATE_NAME)) >= composing->next_capture)
            composing->next_capture = atoi(composing_get(composing, row, STATE_NAME)) + 1;
    return 0;
}

int composing_load(struct composing *composing, struct pg *pg, bool stays, struct err *err)
{
    struct pg_rows *exists = NULL;
    bool installed;

    composing->next_capture = 1;
    composing->number = -1;
    if (composing_ask(pg, "SELECT to_regclass('pgusher.watch')", NULL, &exists, err) != 0)
        return -1;
    installed = pg_rows_get(exists, 0, 0, NULL) != NULL;
    pg_rows_free(exists);
    if (installed && (load_fleets(composing, pg, stays, err) != 0 || load_captures(composing, pg, err) != 0))
        return -1;
    if (stays)
        number_fleet(composing);
    return 0;
}

/* ---- needs ---- */

static void add_need(const struct composing *composing, int row, struct needs *needs)
{
    const char *columns = composing_get(composing, row, STATE_COLUMNS);
    struct need *need =
        needs_add(needs, composing_get(composing, row, STATE_OID), composing_get(composing, row, STATE_NAME),
                  composing_get(composing, row, STATE_WHAT)[0]);

    names_add_array(&need->keys, composing_get(composing, row, STATE_KEYS));
    names_add_array(&need->columns, composing_get(composing, row, STATE_KEYS));
    if (columns)
        names_add_array(&need->columns, columns);
    else
        need->all_columns = true;
}

static int load_parents(struct composing *composing, struct pg *pg, const struct needs *needs,
                        struct err *err)
{
    struct buf oids = BUF_NONE;
    int result;

    buf_putc(&oids, '{');
    for (size_t i = 0; i < needs->count; i++)
        if (needs->list[i].kind == 'p')
            buf_printf(&oids, "%s%s", oids.len > 1 ? "," : "", needs->list[i].oid);
    buf_putc(&oids, '}');
    result = composing_ask(pg,
                           "SELECT p.oid, c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
                           " FROM unnest($1::oid[]) p(oid), pg_partition_tree(p.oid) t"
                           " JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = c.relnamespace"
                           " WHERE t.relid <> p.oid ORDER BY 1, 2",
                           oids.data, &composing->parents, err);
    buf_free(&oids);
    return result;
}

static char *names_literal(const struct names *names)
{
    return array_literal((const char *const *)names->list, names->count);
}

/* The parameters of sql_key_types. */
static void list_needs(const struct needs *needs, char *ret_params[3])
{
    struct {
        char **oids, **keys, **columns;
    } lists;
    size_t bytes = (needs->count + 1) * sizeof(char *);

    lists.oids = mem_zalloc(bytes);
    lists.keys = mem_zalloc(bytes);
    lists.columns = mem_zalloc(bytes);
    for (size_t i = 0; i < needs->count; i++) {
        lists.oids[i] = needs->list[i].oid;
        lists.keys[i] = names_literal(&needs->list[i].keys);
        lists.columns[i] = names_literal(&needs->list[i].columns);
    }
    ret_params[0] = array_literal((const char *const *)lists.oids, needs->count);
    ret_params[1] = array_literal((const char *const *)lists.keys, needs->count);
    ret_params[2] = array_literal((const char *const *)lists.columns, needs->count);
    for (size_t i = 0; i < needs->count; i++) {
        free(lists.keys[i]);
        free(lists.columns[i]);
    }
    free(lists.oids);
    free(lists.keys);
    free(lists.columns);
}

static void adopt_types(struct need *need, const struct pg_rows *rows, int row)
{
    need->careful = *pg_rows_get(rows, row, TYPES_CAREFUL, NULL) == 't';
    need->exact = *pg_rows_get(rows, row, TYPES_EXACT, NULL) == 't';
    need->whole_row = need->all_columns || *pg_rows_get(rows, row, TYPES_WHOLE_ROW, NULL) == 't';
}

static int load_key_types(struct pg *pg, struct needs *needs, struct err *err)
{
    char *params[3];
    struct pg_query query = {.sql = sql_key_types, .params = (const char *const *)params, .nparams = 3};
    struct pg_rows *rows = NULL;
    int result;

    list_needs(needs, params);
    result = pg_run(pg, &query, &rows, err);
    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++)
        for (size_t i = 0; i < needs->count; i++)
            if (strcmp(pg_rows_get(rows, row, TYPES_RELATION, NULL), needs->list[i].oid) == 0)
                adopt_types(&needs->list[i], rows, row);
    pg_rows_free(rows);
    for (size_t i = 0; i < 3; i++)
        free(params[i]);
    return result;
}

int composing_add_others(struct composing *composing, struct pg *pg, struct needs *needs, struct err *err)
{
    for (int row = 0; row < composing_count(composing); row++)
        if (composing_is(composing, row, "watch"))
            add_need(composing, row, needs);
    if (load_parents(composing, pg, needs, err) != 0)
        return -1;
    return load_key_types(pg, needs, err);
}

void composing_free(struct composing *composing)
{
    pg_rows_free(composing->state);
    pg_rows_free(composing->parents);
    free(composing->gates.numbers);
    buf_free(&composing->sql);
}
