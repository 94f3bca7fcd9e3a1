#include "cdc/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cdc/sql/texts.h"
#include "common/mem.h"

enum {
    COL_NAME,
    COL_OID,
    COL_QUALIFIED,
    COL_KIND,
    COL_CAN_SELECT,
    COL_COLUMN,
    COL_TYPE,
    COL_BASE_TYPE,
    COL_VIRTUAL
};

char *array_literal(const char *const *items, size_t count)
{
    struct buf out = BUF_NONE;

    buf_putc(&out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(&out, ',');
        if (items[i])
            pg_put_array_element(&out, items[i], strlen(items[i]));
        else
            buf_puts(&out, "NULL");
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}

/* The element at *p (quoted, or bare, where NULL means what it says), ended where it stands; *p becomes the
 * next one, behind a comma, or NULL. */
static char *split_element(char **p)
{
    bool quoted = **p == '"';
    char *item = *p + quoted, *end = item, *from = item;

    while (*from && (quoted ? *from != '"' : *from != ',' && *from != '}')) {
        if (*from == '\\' && from[1])
            from++;
        *end++ = *from++;
    }
    from += quoted && *from;
    *p = *from == ',' ? from + 1 : NULL;
    *end = '\0';
    return !quoted && strcmp(item, "NULL") == 0 ? NULL : item;
}

size_t array_room(const char *literal)
{
    size_t room = 1;

    while ((literal = strchr(literal, ',')) != NULL) {
        literal++;
        room++;
    }
    return room;
}

size_t array_split(char *literal, char **ret_items)
{
    char *p = literal + 1;
    size_t count = 0;

    if (*literal != '{' || *p == '}')
        return 0;
    while (p)
        ret_items[count++] = split_element(&p);
    return count;
}

size_t array_parse(const char *literal, char ***ret_items)
{
    char *copy = mem_strdup(literal), **items = mem_alloc(array_room(literal) * sizeof(*items));
    size_t count = array_split(copy, items);

    for (size_t i = 0; i < count; i++)
        items[i] = mem_strdup(items[i]);
    free(copy);
    *ret_items = items;
    return count;
}

static char *wanted_names(const struct config *config)
{
    const char **names = NULL;
    size_t count = 0, capacity = 0;
    char *literal;

    for (size_t i = 0; i < config->nprojections; i++) {
        const struct projection *projection = &config->projections[i];

        names = mem_grow(names, count, &capacity, sizeof(*names));
        names[count++] = projection->source;
        for (size_t j = 0; j < projection->nwatches; j++) {
            names = mem_grow(names, count, &capacity, sizeof(*names));
            names[count++] = projection->watches[j].table;
        }
    }
    literal = array_literal(names, count);
    free(names);
    return literal;
}

static struct relation *add_relation(struct catalog *catalog, const struct pg_rows *rows, int row)
{
    struct relation *relation;

    catalog->relations = mem_resize(catalog->relations, (catalog->count + 1) * sizeof(*relation));
    relation = &catalog->relations[catalog->count++];
    *relation = (struct relation){0};
    relation->name = mem_strdup(pg_rows_get(rows, row, COL_NAME, NULL));
    relation->oid = mem_strdup(pg_rows_get(rows, row, COL_OID, NULL));
    if (relation->oid) {
        relation->qualified = mem_strdup(pg_rows_get(rows, row, COL_QUALIFIED, NULL));
        relation->kind = pg_rows_get(rows, row, COL_KIND, NULL)[0];
        relation->can_select = pg_rows_get(rows, row, COL_CAN_SELECT, NULL)[0] == 't';
    }
    return relation;
}

static void add_column(struct relation *relation, const struct pg_rows *rows, int row)
{
    struct column *column;

    if (!pg_rows_get(rows, row, COL_COLUMN, NULL))
        return;
    relation->columns = mem_resize(relation->columns, (relation->ncolumns + 1) * sizeof(*column));
    column = &relation->columns[relation->ncolumns++];
    column->name = mem_strdup(pg_rows_get(rows, row, COL_COLUMN, NULL));
    column->type = mem_strdup(pg_rows_get(rows, row, COL_TYPE, NULL));
    column->base_type = mem_strdup(pg_rows_get(rows, row, COL_BASE_TYPE, NULL));
    column->is_virtual = pg_rows_get(rows, row, COL_VIRTUAL, NULL)[0] == 't';
}

static int load_visible(struct catalog *catalog, struct pg *pg, const char *schemas, struct err *err)
{
    struct pg_query query = {
        .sql = "SELECT array_agg(relname::text) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm')"
               " AND relnamespace <> 'pg_catalog'::regnamespace"
               " AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname = ANY ($1::text[]))",
        .params = &schemas,
        .nparams = 1};
    struct pg_rows *rows = NULL;
    const char *names;

    if (pg_run(pg, &query, &rows, err) != 0)
        return -1;
    names = pg_rows_get(rows, 0, 0, NULL);
    if (names)
        catalog->nvisible = array_parse(names, &catalog->visible);
    pg_rows_free(rows);
    return 0;
}

static bool is_complete(const struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (!catalog->relations[i].oid)
            return false;
    return true;
}

char *catalog_schemas(struct pg *pg, struct err *err)
{
    struct pg_query query = {.sql = sql_schemas, .script = true};
    struct pg_rows *rows = NULL;
    char *schemas = pg_run(pg, &query, &rows, err) == 0 ? mem_strdup(pg_rows_get(rows, 0, 0, NULL)) : NULL;

    pg_rows_free(rows);
    return schemas;
}

static int load_relations(struct catalog *catalog, struct pg *pg, const struct config *config,
                          const char *schemas, struct err *err)
{
    char *names = wanted_names(config);
    const char *const params[] = {names, schemas};
    struct pg_query query = {.sql = sql_describe, .params = params, .nparams = 2};
    struct pg_rows *rows = NULL;
    struct relation *relation = NULL;
    int result = pg_run(pg, &query, &rows, err);

    free(names);
    for (int row = 0; result == 0 && row < pg_rows_count(rows); row++) {
        if (!relation || strcmp(relation->name, pg_rows_get(rows, row, COL_NAME, NULL)) != 0)
            relation = add_relation(catalog, rows, row);
        add_column(relation, rows, row);
    }
    pg_rows_free(rows);
    return result;
}

struct catalog *catalog_load(struct pg *pg, const struct config *config, struct err *err)
{
    struct catalog *catalog = mem_zalloc(sizeof(*catalog));
    char *schemas = catalog_schemas(pg, err);

    if (!schemas || load_relations(catalog, pg, config, schemas, err) != 0 ||
        (!is_complete(catalog) && load_visible(catalog, pg, schemas, err) != 0)) {
        catalog_free(catalog);
        catalog = NULL;
    }
    free(schemas);
    return catalog;
}

static uint64_t add_text(uint64_t digest, const char *text)
{
    return text ? XXH3_64bits_withSeed(text, strlen(text), digest) : digest + 1;
}

uint64_t catalog_digest(const struct catalog *catalog)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < catalog->count; i++) {
        const struct relation *relation = &catalog->relations[i];

        digest = add_text(digest, relation->oid);
        for (size_t j = 0; j < relation->ncolumns; j++)
            digest = add_text(add_text(digest, relation->columns[j].name), relation->columns[j].type);
    }
    return digest;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    for (size_t i = 0; i < catalog->count; i++) {
        struct relation *relation = &catalog->relations[i];

        for (size_t j = 0; j < relation->ncolumns; j++) {
            free(relation->columns[j].name);
            free(relation->columns[j].type);
            free(relation->columns[j].base_type);
        }
        free(relation->columns);
        free(relation->name);
        free(relation->oid);
        free(relation->qualified);
    }
    for (size_t i = 0; i < catalog->nvisible; i++)
        free(catalog->visible[i]);
    free(catalog->visible);
    free(catalog->relations);
    free(catalog);
}

const struct relation *catalog_find(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->relations[i].name, name) == 0)
            return &catalog->relations[i];
    return NULL;
}

const struct column *relation_column(const struct relation *relation, const char *name)
{
    for (size_t i = 0; i < relation->ncolumns; i++)
        if (strcmp(relation->columns[i].name, name) == 0)
            return &relation->columns[i];
    return NULL;
}
