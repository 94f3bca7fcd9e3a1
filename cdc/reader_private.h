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

/* reader_after, but first the ids alone, then their documents: so that a row that fails can be found, and no
 * id's rows are torn apart. */
int reader_ids_after(struct reader *reader, size_t projection, const struct plan_stretch *stretch,
                     char ***after, size_t *ret_count, struct err *err);

/* Sets err to what a failed statement means for its projection; -1. */
int reader_fail(const struct reader *reader, const struct plan_projection *projection, const struct err *why,
                struct err *err);

#endif
