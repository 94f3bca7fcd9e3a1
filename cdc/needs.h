/* What must be captured of each table: the key columns that watches name and the columns whose change
 * matters. */
#ifndef PGUSHER_NEEDS_H
#define PGUSHER_NEEDS_H

#include <stdbool.h>
#include <stddef.h>

#include "cdc/catalog.h"

struct names {
    char **list; /* sorted, each once */
    size_t count;
};

struct need {
    char *oid;
    char *qualified;
    char kind; /* relkind: r or p */
    struct names keys;
    struct names columns; /* the keys are among them */
    bool all_columns;
    bool careful;   /* the text of a key depends on settings, or is not what its cast gives */
    bool exact;     /* keys that are equal have the same text */
    bool whole_row; /* every column matters */
};

struct needs {
    struct need *list;
    size_t count;
};

/* What this configuration needs. `reads` is the answer to sql_view_reads for its sources. */
void needs_of_config(struct needs *needs, const struct config *config, const struct catalog *catalog,
                     const struct pg_rows *reads);
/* The need of this table, added when there is none yet. */
struct need *needs_add(struct needs *needs, const char *oid, const char *qualified, char kind);
void names_add(struct names *names, const char *name);
bool names_have(const struct names *names, const char *name);
void names_add_array(struct names *names, const char *literal); /* a text[] literal */
void names_free(struct names *names);
void needs_free(struct needs *needs);

/* The array parameter of sql_view_reads; the caller frees. */
char *needs_source_oids(const struct config *config, const struct catalog *catalog);

#endif
