/* What PostgreSQL's catalog says of the relations that a configuration names. Read once, then only looked at.
 */
#ifndef PGUSHER_CATALOG_H
#define PGUSHER_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/config.h"
#include "common/pg.h"

struct column {
    char *name;
    char *type;      /* as format_type writes it, with its modifier */
    char *base_type; /* without modifier and domain */
    bool is_virtual; /* generated when it is read: a trigger sees NULL */
};

struct relation {
    char *name;      /* as the configuration writes it */
    char *oid;       /* NULL when there is no such relation */
    char *qualified; /* quoted, with schema: safe in SQL */
    char kind;       /* pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign */
    bool can_select;
    struct column *columns;
    size_t ncolumns;
};

struct catalog {
    struct relation *relations;
    size_t count;
    char **visible; /* tables and views on the search_path, for suggestions; only read when one is missing */
    size_t nvisible;
};

/* Reads what the configuration's sources and watched tables are. NULL with err set. */
struct catalog *catalog_load(struct pg *pg, const struct config *config, struct err *err);
void catalog_free(struct catalog *catalog); /* NULL-safe */

/* Another one when one of the relations is, or has other columns or types. */
uint64_t catalog_digest(const struct catalog *catalog);

/* The schemas in which a name without one is looked for, as an array literal, which the caller frees. NULL
 * with err set. */
char *catalog_schemas(struct pg *pg, struct err *err);

/* Never NULL for a name of the configuration that was loaded. */
const struct relation *catalog_find(const struct catalog *catalog, const char *name);
const struct column *relation_column(const struct relation *relation, const char *name); /* NULL: none */

/* Composes an array literal {"a","b"} of texts, NULL among them or not; the caller frees. */
char *array_literal(const char *const *items, size_t count);
/* Takes a text[] literal as PostgreSQL writes it apart; the caller frees list and items. Returns the count.
 */
size_t array_parse(const char *literal, char ***ret_items);
/* The same in the literal's own bytes, which the items point into: ret_items has array_room(literal). */
size_t array_split(char *literal, char **ret_items);
size_t array_room(const char *literal);

#endif
