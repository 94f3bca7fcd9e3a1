/* The plan: a configuration married to what the catalog says. For each projection the SQL that reads its
 * documents, and for each captured table the routes from its changelog keys to document ids. Immutable once
 * built, but for which projections are broken, and how long they take.
 */
#ifndef PGUSHER_PLAN_H
#define PGUSHER_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "cdc/catalog.h"
#include "cdc/config.h"
#include "common/problems.h"

enum { PLAN_CHUNK = 1000 }; /* ids of one SELECT in their order, at most */

/* Some documents, read in the order of id. */
struct plan_stretch {
    const char *filter; /* a condition over the source's columns; "": all documents */
    int limit; /* how many ids; PLAN_CHUNK or a smaller one of few values: each is a statement of its own */
};

/* Columns of every document SELECT before the source's own. In its first row, which is always there, SNAPSHOT
 * is the snapshot of the statement and the rest is NULL; in the others SNAPSHOT is NULL. EXPIRE is ms since
 * 1970, infinity, -infinity or NULL. */
enum document_column { DOC_SNAPSHOT, DOC_EXPIRE, DOC_FIRST };

struct plan_projection {
    const struct projection *config;
    size_t ncolumns; /* of the source, behind DOC_FIRST */
    bool *stored;    /* per column: whether it is a hash field */
    const char **names;
    int id_columns[MAX_ID_COLUMNS]; /* position of each id column among them */
    char *select_name;              /* prepared under these names */
    char *select_by_id;             /* one array parameter per id column */
    char *select_one_name;          /* the same for one id: */
    char *select_one;               /* one parameter per id column */
    char *select_head;              /* of documents in the order of id, up to FROM */
    char *id_list;
    char *from;
    char *behind;      /* the condition: behind the id in one parameter per id column */
    char *sweep_first; /* the first PLAN_CHUNK whose date is in a stretch; NULL: no dates (see plan_sql.h) */
    char *sweep_after;
    char *keys_by_id; /* parameters as select_by_id: only the columns of the key template, in its order */
    bool has_rivals;  /* another projection's keys may look like this one's */
    /* per column of the key template: which id column it is, -1 for none; and its position in the source */
    int key_ids[MAX_KEY_COLUMNS];
    int key_columns[MAX_KEY_COLUMNS];
    char *shape;     /* see shape.h */
    char **lookups;  /* per watch, without a semicolon; NULL where it has none */
    char *broken;    /* why nothing of it can be read now, and the rest need not be set; NULL: it can */
    int64_t took_us; /* what its documents of a page take, on average; see expand.h */
};

/* A changelog row of this capture leads to documents of this projection through this watch. */
struct plan_route {
    int capture;
    size_t projection;
    size_t watch;
    int positions[MAX_ID_COLUMNS]; /* of the watch's columns in the row's keys */
};

struct plan {
    struct plan_projection *projections;
    size_t nprojections;
    struct plan_route *routes;
    size_t nroutes;
    int last_capture; /* the newest one known; ids only grow */
    uint64_t catalog; /* digest of that which it was made from */
};

/* Checks the configuration against the catalog (missing relations and columns, types, privileges) and builds
 * the plan without its routes. NULL when there is an error; the problems say which, with the near name. The
 * plan refers to config. */
struct plan *plan_new(const struct config *config, const struct catalog *catalog, struct problems *problems);
void plan_free(struct plan *plan); /* NULL-safe */

/* Reads a stretch from the first document on or (`after`) behind the id in one parameter per id column. The
 * caller frees, as of the next two. */
char *plan_sql_documents(const struct plan_projection *projection, const struct plan_stretch *stretch,
                         bool after);
/* Only the ids, each once, in the same order. */
char *plan_sql_ids(const struct plan_projection *projection, const struct plan_stretch *stretch, bool after);
/* `what` ("count(*)") of all ids with a row for which the filter is true. */
char *plan_sql_all(const struct plan_projection *projection, const char *what, const char *filter);

/* The projection of this name; -1: there is none. */
int64_t plan_find(const struct plan *plan, const char *name);
/* The projections' names as an array literal; the caller frees. */
char *plan_projection_names(const struct plan *plan);

/* Appends the key of the document with this id (one value per id column); with many rows one for all of the
 * id's, which has * for the other columns. It can be turned back into the id, too. */
void plan_render_key(const struct plan_projection *projection, const char *const *id, struct buf *out);
/* Whether the key of this id can be turned back: false when a value holds the template's separator. */
bool plan_key_survives(const struct plan_projection *projection, const char *const *id);
/* Which other projection this key belongs to, though it could be of `own`, too: the one of whose form more is
 * fixed. NULL: none. */
const struct plan_projection *plan_key_rival(const struct plan *plan, const struct plan_projection *own,
                                             const char *key, size_t len);
/* The id of a key; the caller frees each value. -1 when the key is not of this projection. */
int plan_invert_key(const struct plan_projection *projection, const char *key, size_t len, char **ret_id);

/* Reads pgusher.capture and adds the routes; a projection with a watch that is not captured is broken:
 * install is needed. 0, or -1 with err set. */
int plan_load_routes(struct plan *plan, const struct catalog *catalog, struct pg *pg, struct err *err);

/* ---- with a part that does not fit the database ---- */

/* As plan_new, but a projection with an error is only marked as broken, so never NULL. plan_load_routes marks
 * those that need an install. */
struct plan *plan_new_partial(const struct config *config, const struct catalog *catalog,
                              struct problems *problems);
/* Marks it as broken, or (NULL) as whole again. */
void plan_set_broken(struct plan *plan, size_t projection, const char *why);
size_t plan_count_whole(const struct plan *plan);
/* The names of those that are not broken as an array literal; the caller frees. */
char *plan_whole_names(const struct plan *plan);

#endif
