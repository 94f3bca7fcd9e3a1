/* A batch: documents are read by the user's SQL and handed to the sink; all its effects are complete when
 * batch_finish returns 0. If anything fails before, the whole batch is done again by its owner: every step is
 * idempotent under the version guard.
 *
 * A document whose row makes the SQL fail is found by halving, and goes to quarantine alone, unless a table
 * was altered since the plan was made: then the batch fails with ST_AGAIN, for a session with a new plan.
 * With "rows": "many" see rows_index.h, too.
 */
#ifndef PGUSHER_BATCH_H
#define PGUSHER_BATCH_H

#include "cdc/quarantine.h"
#include "cdc/reader.h"

struct batch;

struct batch *batch_new(struct session *session, struct sink_queueing queueing);
void batch_free(struct batch *batch); /* NULL-safe */

/* Projects the documents with these ids: a row is put, no row is a removal. 0, or -1 with err set. */
int batch_apply_ids(struct batch *batch, size_t projection, const struct ids *ids, struct err *err);

/* The same for what stands under these keys (one value each, of the form of the projection's keys). With many
 * rows one that its id does not yield is removed although nobody knew it, and ids of which all these keys
 * were yielded in version `since` or later are passed over. */
int batch_apply_keys(struct batch *batch, size_t projection, const struct ids *keys, int64_t since,
                     struct err *err);

/* Projects a stretch of documents behind *after, as reader_after. 0, or -1 with err set. */
int batch_apply_after(struct batch *batch, size_t projection, const struct plan_stretch *stretch,
                      char ***after, size_t *ret_count, struct err *err);

/* Puts a lookup into quarantine that fails for these values of the watch's columns. */
void batch_lookup_refused(struct batch *batch, const struct plan_projection *projection,
                          const struct watch *watch, const char *const *values, const char *error);
/* As quarantine_built, and quarantine_retried. */
void batch_built(struct batch *batch, const struct quarantine_entry *entry);
void batch_retried(struct batch *batch, const struct quarantine_entry *entry);

/* Waits until everything is written, queues what changed, writes the quarantine. 0, or -1 with err set. */
int batch_finish(struct batch *batch, struct err *err);

#endif
