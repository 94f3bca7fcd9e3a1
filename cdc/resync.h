/* Bringing one projection wholly in step: after a TRUNCATE nobody knows any more which documents there were,
 * so every key of the projection in Redis is looked at (by SCAN), and every row of its source. Memory stays
 * bounded.
 */
#ifndef PGUSHER_RESYNC_H
#define PGUSHER_RESYNC_H

#include "cdc/session.h"

/* queue_all: as with batch_new, because a run that died may have written what it did not queue. */

/* Called after each chunk with the number of documents so far; false stops with ST_AGAIN. May be NULL. */
typedef bool resync_progress_fn(void *arg, int64_t documents);

/* Puts all documents of the source, in the order of id. 0, or -1 with err set. */
int resync_rows(struct session *session, size_t projection, bool queue_all, resync_progress_fn *progress,
                void *arg, struct err *err);
/* Looks at all keys of the projection in Redis: those without a row are removed. 0, or -1 with err set. */
int resync_keys(struct session *session, size_t projection, bool queue_all, struct err *err);

#endif
