/* Bringing one projection wholly in step, a step at a time: every row of its source, and every key of its
 * form in Redis (by SCAN, on every primary), because nobody may know any more which documents there were.
 * Memory stays bounded; live changes may be applied between two steps.
 */
#ifndef PGUSHER_RESYNC_H
#define PGUSHER_RESYNC_H

#include "cdc/session.h"

/* queue_all: as in struct sink_queueing, because a run that died may have written what it did not queue. The
 * items wait until nothing else does. */

/* ---- rows: puts documents of the source, in the order of id ---- */

/* A stretch behind *position, as reader_after. 0, or -1 with err set. */
int resync_rows_step(struct session *session, size_t projection, const struct plan_stretch *stretch,
                     bool queue_all, char ***position, size_t *ret_count, struct err *err);

/* ---- keys: those without a row are removed, others brought in step ---- */

struct resync_keys;

struct resync_keys *resync_keys_new(struct session *session, size_t projection, bool queue_all);
void resync_keys_free(struct resync_keys *keys); /* NULL-safe */
/* About `limit` keys more. *ret_done: there are no more. 0, or -1 with err set. */
int resync_keys_step(struct resync_keys *keys, int limit, bool *ret_done, struct err *err);
int64_t resync_keys_seen(const struct resync_keys *keys);

/* Both wholly, keys first. 0, or -1 with err set. */
int resync_all(struct session *session, size_t projection, bool queue_all, struct err *err);

#endif
