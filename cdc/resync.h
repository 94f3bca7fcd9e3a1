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

/* So many at a time keep both servers busy: what is read while the last documents are written counts little.
 */
enum { RESYNC_MOST = 10 * PLAN_CHUNK };

struct resync_step {
    size_t projection;
    struct plan_stretch stretch;
    size_t most; /* documents: so many stretches, one behind the other; fewer when a live change comes */
    bool queue_all;
    /* set by resync_rows_step */
    size_t count;
    bool done; /* there are no more */
};

/* Those behind *position, as reader_after. 0, or -1 with err set. */
int resync_rows_step(struct session *session, struct resync_step *step, char ***position, struct err *err);

/* ---- keys: those without a row are removed, others brought in step ---- */

struct resync_keys;

struct resync_keys *resync_keys_new(struct session *session, size_t projection, bool queue_all);
void resync_keys_free(struct resync_keys *keys); /* NULL-safe */
/* About `limit` keys more. *ret_done: there are no more. 0, or -1 with err set. */
int resync_keys_step(struct resync_keys *keys, int limit, bool *ret_done, struct err *err);
int64_t resync_keys_seen(const struct resync_keys *keys);

#endif
