/* What the files of the reader share. */
#ifndef PGUSHER_READER_PRIVATE_H
#define PGUSHER_READER_PRIVATE_H

#include "cdc/reader.h"

struct reader {
    struct session *session;
    struct reader_handlers handlers;
    void *arg;
    struct document document;
    const char *const *refused_id;
};

/* One SELECT under way. */
struct reading {
    struct reader *reader;
    const struct plan_projection *projection;
    int64_t version;       /* -1 until the first row told it */
    const struct ids *ids; /* what was asked for; NULL when reading in order */
    size_t first;
    size_t asked;     /* how many of ids, from first on */
    bool *seen;       /* per asked id */
    struct ids *keys; /* told so far, with many rows; else NULL */
    char **last;      /* id of the last row when reading in order */
    size_t count;
    bool done;
    struct err err;
};

/* Runs one. The caller has set reader, projection and what was asked for. 0, or -1 with err set. */
int reader_select(struct reading *reading, const char *name, const char *sql, const char *const *params,
                  size_t nparams, struct err *err);

void reader_refuse(struct reader *reader, const struct plan_projection *projection, const char *const *id,
                   const char *key, const char *error);

/* reader_after, but first the ids alone, then their documents: so that a row that fails can be found, and no
 * id's rows are torn apart. */
int reader_ids_after(struct reader *reader, size_t projection, const struct plan_stretch *stretch,
                     char ***after, size_t *ret_count, struct err *err);

/* Sets err to what a failed statement means for its projection; -1. */
int reader_fail(const struct reader *reader, const struct plan_projection *projection, const struct err *why,
                struct err *err);

#endif
