#include "cdc/needs.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { READ_SOURCE, READ_TABLE, READ_QUALIFIED, READ_KIND, READ_COLUMNS };

void names_add(struct names *names, const char *name)
{
    size_t at = 0;

    while (at < names->count && strcmp(names->list[at], name) < 0)
        at++;
    if (at < names->count && strcmp(names->list[at], name) == 0)
        return;
    names->list = mem_resize(names->list, (names->count + 1) * sizeof(char *));
    memmove(names->list + at + 1, names->list + at, (names->count - at) * sizeof(char *));
    names->list[at] = mem_strdup(name);
    names->count++;
}

bool names_have(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], name) == 0)
            return true;
    return false;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}

struct need *needs_add(struct needs *needs, const char *oid, const char *qualified, char kind)
{
    struct need *need;

    for (size_t i = 0; i < needs->count; i++)
        if (strcmp(needs->list[i].oid, oid) == 0)
            return &needs->list[i];
    needs->list = mem_resize(needs->list, (needs->count + 1) * sizeof(*need));
    need = &needs->list[needs->count++];
    *need = (struct need){.oid = mem_strdup(oid), .qualified = mem_strdup(qualified), .kind = kind};
    return need;
}

void needs_free(struct needs *needs)
{
    for (size_t i = 0; i < needs->count; i++) {
        free(needs->list[i].oid);
        free(needs->list[i].qualified);
        names_free(&needs->list[i].keys);
        names_free(&needs->list[i].columns);
    }
    free(needs->list);
    *needs = (struct needs){0};
}

/* The columns that the source reads of the table, as a text[] literal; NULL: all, or unknown. */
static const char *columns_read(const struct pg_rows *reads, const char *source_oid, const char *table_oid)
{
    for (int row = 0; row < pg_rows_count(reads); row++)
        if (strcmp(pg_rows_get(reads, row, READ_SOURCE, NULL), source_oid) == 0 &&
            strcmp(pg_rows_get(reads, row, READ_TABLE, NULL), table_oid) == 0)
            return pg_rows_get(reads, row, READ_COLUMNS, NULL);
    return NULL;
}

void names_add_array(struct names *names, const char *literal)
{
    char **list;
    size_t count = array_parse(literal, &list);

    for (size_t i = 0; i < count; i++) {
        names_add(names, list[i]);
        free(list[i]);
    }
    free(list);
}

static void add_watch(struct needs *needs, const struct watch *watch, const struct relation *table,
                      const struct relation *source, const struct pg_rows *reads)
{
    struct need *need = needs_add(needs, table->oid, table->qualified, table->kind);
    const char *columns = columns_read(reads, source->oid, table->oid);

    for (size_t i = 0; i < watch->ncolumns; i++) {
        names_add(&need->keys, watch->columns[i]);
        names_add(&need->columns, watch->columns[i]);
    }
    if (columns)
        names_add_array(&need->columns, columns);
    else
        need->all_columns = true;
}

void needs_of_config(struct needs *needs, const struct config *config, const struct catalog *catalog,
                     const struct pg_rows *reads)
{
    for (size_t i = 0; i < config->nprojections; i++) {
        const struct projection *projection = &config->projections[i];

        for (size_t j = 0; j < projection->nwatches; j++)
            add_watch(needs, &projection->watches[j], catalog_find(catalog, projection->watches[j].table),
                      catalog_find(catalog, projection->source), reads);
    }
}

char *needs_source_oids(const struct config *config, const struct catalog *catalog)
{
    const char **oids = mem_alloc(sizeof(*oids) * config->nprojections);
    char *literal;

    for (size_t i = 0; i < config->nprojections; i++)
        oids[i] = catalog_find(catalog, config->projections[i].source)->oid;
    literal = array_literal(oids, config->nprojections);
    free(oids);
    return literal;
}
