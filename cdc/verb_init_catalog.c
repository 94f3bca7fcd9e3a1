/* What PostgreSQL's catalog says of the tables that `pgusher init` is asked for, and of their neighbours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/catalog.h"
#include "cdc/sql/texts.h"
#include "cdc/tool.h"
#include "cdc/verb_init.h"
#include "common/mem.h"
#include "common/problems.h"

enum { FIND_NAME, FIND_OID, FIND_KIND, FIND_PARENT, FIND_SYSTEM };
enum { KEY_FROM, KEY_FROM_COLUMNS, KEY_TO, KEY_TO_COLUMNS, KEY_INDEXED };
enum {
    TABLE_OID,
    TABLE_SCHEMA,
    TABLE_NAME,
    TABLE_VISIBLE,
    TABLE_READABLE,
    TABLE_HAS_HEIRS,
    TABLE_ID,
    TABLE_ID_INDEX,
    TABLE_COLUMN,
    TABLE_TYPE,
    TABLE_BASE_TYPE,
    TABLE_COLUMN_READABLE,
    TABLE_COLUMN_INDEXED,
    TABLE_COLUMN_KIND
};

enum { MAX_NAME_BYTES = 63 };

/* ---- lists ---- */

void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct list){0};
}

bool list_has(const struct list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}

static void list_add(struct list *list, const char *item)
{
    list->items = mem_resize(list->items, (list->count + 1) * sizeof(char *));
    list->items[list->count++] = mem_strdup(item);
}

/* At most `max` bytes of it, whole characters. */
static int whole_characters(const char *text, size_t max)
{
    size_t len = strlen(text);

    if (len <= max)
        return (int)len;
    while (max && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return (int)max;
}

char *init_unique_name(struct names *taken, const char *wanted)
{
    char *name = mem_printf("%.*s", whole_characters(wanted, MAX_NAME_BYTES), wanted);

    for (int i = 2; names_have(taken, name); i++) {
        char number[16];
        size_t len = (size_t)snprintf(number, sizeof(number), "_%d", i);

        free(name);
        name = mem_printf("%.*s%s", whole_characters(wanted, MAX_NAME_BYTES - len), wanted, number);
    }
    names_add(taken, name);
    return name;
}

/* ---- asking ---- */

/* schemas: NULL for a statement that wants none. */
static int ask(struct pg *pg, const char *sql, const struct list *items, const char *schemas,
               struct pg_rows **ret_rows, struct err *err)
{
    char *array = array_literal((const char *const *)items->items, items->count);
    const char *const params[] = {array, schemas};
    struct pg_query query = {.sql = sql, .params = params, .nparams = schemas ? 2 : 1};
    int result = pg_run(pg, &query, ret_rows, err);

    free(array);
    return result;
}

static bool is_true(const struct pg_rows *rows, int row, int column)
{
    return pg_rows_get(rows, row, column, NULL)[0] == 't';
}

static struct list array_at(const struct pg_rows *rows, int row, int column)
{
    const char *literal = pg_rows_get(rows, row, column, NULL);
    struct list list = {0};

    if (literal)
        list.count = array_parse(literal, &list.items);
    return list;
}

/* ---- the wanted tables ---- */

static void say_unknown(const char *name, const struct list *tables)
{
    const char *near = suggest(name, (const char *const *)tables->items, tables->count);

    if (near)
        tool_say("there is no table \"%s\"; did you mean \"%s\"?", name, near);
    else
        tool_say("there is no table \"%s\" (names are exact, upper and lower case differ; where it is not on "
                 "the search_path, its schema is written before a dot)",
                 name);
}

/* Whether documents can be made of the table; otherwise says why not. */
static bool is_usable(const struct pg_rows *found, int row, const struct list *tables)
{
    const char *name = pg_rows_get(found, row, FIND_NAME, NULL);
    const char *parent = pg_rows_get(found, row, FIND_PARENT, NULL);

    if (!pg_rows_get(found, row, FIND_OID, NULL))
        say_unknown(name, tables);
    else if (!strchr("rp", pg_rows_get(found, row, FIND_KIND, NULL)[0]))
        tool_say("\"%s\" is not a table; name the tables it reads, and use it as \"source\" where it fits "
                 "better than the view that is made",
                 name);
    else if (is_true(found, row, FIND_SYSTEM))
        tool_say("\"%s\" is a table of the system", name);
    else if (parent)
        tool_say("\"%s\" is a partition; name the whole table: %s", name, parent);
    else
        return true;
    return false;
}

static void take_wanted(struct init_catalog *catalog, const struct pg_rows *found, const struct list *tables,
                        struct list *ret_wanted)
{
    for (int row = 0; row < pg_rows_count(found); row++)
        if (!is_usable(found, row, tables))
            catalog->refused++;
        else if (!list_has(ret_wanted, pg_rows_get(found, row, FIND_OID, NULL)))
            list_add(ret_wanted, pg_rows_get(found, row, FIND_OID, NULL));
}

static void add_names(struct names *names, const struct pg_rows *rows, int column)
{
    if (pg_rows_get(rows, 0, column, NULL))
        names_add_array(names, pg_rows_get(rows, 0, column, NULL));
}

static int find_wanted(struct pg *pg, char **names, size_t count, struct init_catalog *catalog,
                       struct list *ret_wanted, struct err *err)
{
    struct list asked = {names, count}, tables = {0};
    struct pg_rows *found = NULL, *known = NULL;
    struct list oids = {0};
    int result = ask(pg, sql_init_find, &asked, catalog->schemas, &found, err);

    for (int row = 0; result == 0 && row < pg_rows_count(found); row++)
        if (pg_rows_get(found, row, FIND_OID, NULL))
            list_add(&oids, pg_rows_get(found, row, FIND_OID, NULL));
    if (result == 0)
        result = ask(pg, sql_init_names, &oids, catalog->schemas, &known, err);
    if (result == 0) {
        add_names(&catalog->keywords, known, 0);
        add_names(&catalog->taken, known, 1);
        tables = array_at(known, 0, 2);
        take_wanted(catalog, found, &tables, ret_wanted);
    }
    list_free(&tables);
    list_free(&oids);
    pg_rows_free(known);
    pg_rows_free(found);
    return result;
}

/* ---- tables and keys ---- */

static struct init_table *add_table(struct init_catalog *catalog, const struct pg_rows *rows, int row)
{
    struct init_table *table;

    catalog->tables = mem_resize(catalog->tables, (catalog->ntables + 1) * sizeof(*table));
    table = &catalog->tables[catalog->ntables++];
    *table = (struct init_table){
        .oid = mem_strdup(pg_rows_get(rows, row, TABLE_OID, NULL)),
        .schema = mem_strdup(pg_rows_get(rows, row, TABLE_SCHEMA, NULL)),
        .name = mem_strdup(pg_rows_get(rows, row, TABLE_NAME, NULL)),
        .visible = is_true(rows, row, TABLE_VISIBLE),
        .readable = is_true(rows, row, TABLE_READABLE),
        .has_heirs = is_true(rows, row, TABLE_HAS_HEIRS),
        .id = array_at(rows, row, TABLE_ID),
        .id_index = mem_strdup(pg_rows_get(rows, row, TABLE_ID_INDEX, NULL)),
    };
    return table;
}

static void add_column(struct init_table *table, const struct pg_rows *rows, int row)
{
    table->columns = mem_resize(table->columns, (table->ncolumns + 1) * sizeof(*table->columns));
    table->columns[table->ncolumns++] = (struct init_column){
        .name = mem_strdup(pg_rows_get(rows, row, TABLE_COLUMN, NULL)),
        .type = mem_strdup(pg_rows_get(rows, row, TABLE_TYPE, NULL)),
        .base_type = mem_strdup(pg_rows_get(rows, row, TABLE_BASE_TYPE, NULL)),
        .kind = pg_rows_get(rows, row, TABLE_COLUMN_KIND, NULL)[0],
        .readable = is_true(rows, row, TABLE_COLUMN_READABLE),
        .indexed = is_true(rows, row, TABLE_COLUMN_INDEXED),
    };
}

static int load_tables(struct init_catalog *catalog, struct pg *pg, const struct list *oids, struct err *err)
{
    struct init_table *table = NULL;
    struct pg_rows *rows = NULL;

    if (ask(pg, sql_init_tables, oids, catalog->schemas, &rows, err) != 0)
        return -1;
    for (int row = 0; row < pg_rows_count(rows); row++) {
        if (!table || strcmp(table->oid, pg_rows_get(rows, row, TABLE_OID, NULL)) != 0)
            table = add_table(catalog, rows, row);
        add_column(table, rows, row);
    }
    pg_rows_free(rows);
    return 0;
}

static void take_keys(struct init_catalog *catalog, const struct pg_rows *rows)
{
    catalog->keys = mem_zalloc(sizeof(*catalog->keys) * ((size_t)pg_rows_count(rows) + 1));
    for (int row = 0; row < pg_rows_count(rows); row++)
        catalog->keys[catalog->nkeys++] = (struct init_key){
            .from = init_table_find(catalog, pg_rows_get(rows, row, KEY_FROM, NULL)),
            .from_columns = array_at(rows, row, KEY_FROM_COLUMNS),
            .to = init_table_find(catalog, pg_rows_get(rows, row, KEY_TO, NULL)),
            .to_columns = array_at(rows, row, KEY_TO_COLUMNS),
            .indexed = is_true(rows, row, KEY_INDEXED),
        };
}

static int load_neighbours(struct init_catalog *catalog, struct pg *pg, const struct list *wanted,
                           struct err *err)
{
    struct pg_rows *keys = NULL;
    struct list all = {0};
    int result = ask(pg, sql_init_keys, wanted, NULL, &keys, err);

    for (size_t i = 0; i < wanted->count; i++)
        list_add(&all, wanted->items[i]);
    for (int row = 0; result == 0 && row < pg_rows_count(keys); row++) {
        list_add(&all, pg_rows_get(keys, row, KEY_FROM, NULL));
        list_add(&all, pg_rows_get(keys, row, KEY_TO, NULL));
    }
    if (result == 0)
        result = load_tables(catalog, pg, &all, err);
    if (result == 0)
        take_keys(catalog, keys);
    list_free(&all);
    pg_rows_free(keys);
    return result;
}

int init_catalog_load(struct init_catalog *catalog, struct pg *pg, char **names, size_t count,
                      struct list *ret_wanted, struct err *err)
{
    catalog->schemas = catalog_schemas(pg, err);
    if (!catalog->schemas || find_wanted(pg, names, count, catalog, ret_wanted, err) != 0)
        return -1;
    return load_neighbours(catalog, pg, ret_wanted, err);
}

const struct init_table *init_table_find(const struct init_catalog *catalog, const char *oid)
{
    for (size_t i = 0; i < catalog->ntables; i++)
        if (strcmp(catalog->tables[i].oid, oid) == 0)
            return &catalog->tables[i];
    return NULL;
}

const struct init_column *init_column_find(const struct init_table *table, const char *name)
{
    for (size_t i = 0; i < table->ncolumns; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return &table->columns[i];
    return NULL;
}

static void free_table(struct init_table *table)
{
    for (size_t i = 0; i < table->ncolumns; i++) {
        free(table->columns[i].name);
        free(table->columns[i].type);
        free(table->columns[i].base_type);
    }
    free(table->columns);
    list_free(&table->id);
    free(table->id_index);
    free(table->oid);
    free(table->schema);
    free(table->name);
}

void init_catalog_free(struct init_catalog *catalog)
{
    for (size_t i = 0; i < catalog->nkeys; i++) {
        list_free(&catalog->keys[i].from_columns);
        list_free(&catalog->keys[i].to_columns);
    }
    for (size_t i = 0; i < catalog->ntables; i++)
        free_table(&catalog->tables[i]);
    names_free(&catalog->keywords);
    names_free(&catalog->taken);
    free(catalog->keys);
    free(catalog->tables);
    free(catalog->schemas);
}
