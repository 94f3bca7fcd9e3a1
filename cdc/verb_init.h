/* The parts of `pgusher init`: what the catalog says of the wanted tables and their neighbours
 * (verb_init_catalog.c), what is chosen from it (verb_init_card.c,
 * verb_init_date.c), and how that is written: views.sql
 * (verb_init_view.c) and the configuration (verb_init_config.c). Only the first talks to a server.
 *
 * A card is the view that becomes the documents of one table: its columns, the descriptive columns of the
 * rows that its foreign keys point to, and how many rows of other tables point to it. All names are as the
 * catalog has them, unquoted. What is made of the catalog lives as long as it.
 */
#ifndef PGUSHER_VERB_INIT_H
#define PGUSHER_VERB_INIT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "cdc/config.h"
#include "cdc/needs.h"
#include "cdc/session.h"
#include "common/buf.h"

struct init_column {
    char *name;
    char *type;
    char *base_type; /* without domain and modifier */
    char kind;       /* t: a short text, l: a long one, s: secret by its name, o: other */
    bool readable;
    bool indexed; /* an index begins with it */
};

struct list {
    char **items;
    size_t count;
};

struct init_table {
    char *oid;
    char *schema;
    char *name;
    bool visible; /* on the search_path */
    bool readable;
    bool has_heirs; /* by plain inheritance, which no trigger and no foreign key follows */
    struct list id; /* empty: nothing is unique and never NULL */
    char *id_index; /* NULL: the primary key */
    struct init_column *columns;
    size_t ncolumns;
};

/* A foreign key. */
struct init_key {
    const struct init_table *from;
    struct list from_columns;
    const struct init_table *to;
    struct list to_columns;
    bool indexed; /* on the side of from */
};

struct init_catalog {
    struct init_table *tables;
    size_t ntables;
    struct init_key *keys;
    size_t nkeys;
    size_t refused;        /* names that are no tables which can be used */
    struct names keywords; /* that must be quoted */
    struct names taken;    /* by relations and types, in the schemas of the tables */
    char *schemas;         /* see catalog_schemas */
};

/* Reads what is known of these tables; says on stderr which of the names are no tables that can be used, and
 * why. *ret_wanted gets the oids of those that can. -1 with err set when the server does not answer. */
int init_catalog_load(struct init_catalog *catalog, struct pg *pg, char **names, size_t count,
                      struct list *ret_wanted, struct err *err);
void init_catalog_free(struct init_catalog *catalog);
const struct init_table *init_table_find(const struct init_catalog *catalog, const char *oid);
const struct init_column *init_column_find(const struct init_table *table, const char *name);
void list_free(struct list *list);
bool list_has(const struct list *list, const char *item);
/* The name, shortened and numbered so that PostgreSQL takes it and it is none of `taken`, to which it is
 * added. The caller frees. */
char *init_unique_name(struct names *taken, const char *wanted);

struct init_shown {
    const struct init_column *column;
    char *name; /* in the view */
};

struct init_reference {
    const struct init_key *key;
    char *alias;
    struct init_shown *shown;
    size_t nshown;
};

struct init_count {
    const struct init_key *key;
    char *name;
};

/* Rows of `table` whose `columns` equal `own` columns of the card's table concern these documents. */
struct init_part {
    const struct init_table *table;
    const struct list *columns;
    const struct list *own;
};

struct init_card {
    const struct init_table *table;
    char *name; /* of the projection */
    char *view; /* in the schema of the table */
    struct init_reference *references;
    size_t nreferences;
    struct init_count *counts;
    size_t ncounts;
    struct init_part *parts; /* the first is the table itself by its id */
    size_t nparts;
    const struct init_column *expire_at; /* NULL: nothing fits */
    bool expire_late;                    /* a day after it, for it says when something begins, or which day */
    struct list notes;                   /* the choices that were made */
    struct names indexes;                /* statements that create what is missing */
};

/* `names` are those of other cards' projections. */
void init_card_make(struct init_card *card, struct init_catalog *catalog, const struct init_table *table,
                    struct names *names);
void init_card_free(struct init_card *card);
/* Whether the column is one of the view's. */
bool init_card_shows(const struct init_card *card, const struct init_column *column);
/* What a configuration calls it: with its schema if that is not on the search_path. The caller frees. */
char *init_config_name(const struct init_table *table, const char *relation);

/* What the maker of a card says of its choices, and of an index that is missing. */
void init_note(struct init_card *card, const char *format, ...) __attribute__((format(printf, 2, 3)));
void init_want_index(const struct init_catalog *catalog, struct init_card *card,
                     const struct init_table *table, const struct list *columns);
void init_choose_date(const struct init_catalog *catalog, struct init_card *card);

/* Appends the name, quoted if it has to be; and of a table "schema.name", with ONLY where its heirs are not
 * meant, without the schema if `bare` and on the search_path. */
void init_put_name(const struct init_catalog *catalog, struct buf *sql, const char *name);
void init_put_table(const struct init_catalog *catalog, struct buf *sql, const struct init_table *table,
                    bool bare);

/* The text of views.sql; the caller frees. */
char *init_views(const struct init_catalog *catalog, const struct init_card *cards, size_t count);
/* The member of "projections" for this card. */
json_t *init_projection(const struct init_catalog *catalog, const struct init_card *card);

#endif
