/* From changes to documents: each changelog row is followed along its routes to document ids, directly or
 * through the watch's lookup. A lookup that finds few ids joins the others of the page; one that finds very
 * many (a venue with 100,000 tickets) is read through a server-side cursor, a bounded chunk at a time.
 *
 * One projection is read after the other, the one first that is the quickest of late: so a slow one
 * delays its own documents only.
 */
#ifndef PGUSHER_EXPAND_H
#define PGUSHER_EXPAND_H

#include "cdc/batch.h"
#include "cdc/feed.h"

/* What the changes are to a projection. */
struct expand_result {
    bool touched;     /* some concern it */
    bool truncated;   /* a table of it was truncated: the caller resyncs it */
    struct err unfit; /* its SQL does not fit the database: not all of them are in the batch */
};

/* Projects into the batch every document that the changes concern; of a broken projection nothing. Sets
 * results[i] for each projection, whatever was there. 0, or -1 with err set. */
int expand_apply(struct batch *batch, struct session *session, const struct change *changes, size_t count,
                 struct expand_result *results, struct err *err);

/* Projects into the batch the documents that one lookup finds for these values. 0, or -1 with err set. */
int expand_value(struct batch *batch, struct session *session, size_t projection, size_t watch,
                 const char *const *values, struct err *err);

#endif
