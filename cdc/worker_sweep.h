/* The sweep: documents whose date passed. Redis drops such a hash by itself, so nothing changes in the
 * database and nobody would tell the queues. Now and then ("sweep" in the configuration) one worker of the
 * fleet asks each source that has dates which of them passed since the last time, applies these documents and
 * queues them, whatever became of them.
 *
 * Redis' clock decides, the one that is furthest behind when there are several primaries: whatever is queued
 * is gone by then. Grace included, everything before `swept_to` was told; that moment is kept in
 * pgusher.projection and beside the data, as cursors are (see position.h), and only moves when the queues
 * have been told. So what passed while no worker lived, or while one died, is told by the next. What the
 * fleet never swept begins a look-back ago.
 *
 * A source whose dates cannot be read is passed over until the next round, and said once.
 */
#ifndef PGUSHER_WORKER_SWEEP_H
#define PGUSHER_WORKER_SWEEP_H

#include "cdc/session.h"

struct sweep;

struct sweep *sweep_new(struct session *session);
void sweep_free(struct sweep *sweep); /* NULL-safe */

/* How long until the next step should be made, ms; 0: now; -1: never, for no projection has dates and queues.
 * While live changes wait (busy), steps take at most a fifth of the time. */
int64_t sweep_ms_left(const struct sweep *sweep, bool busy);
/* Makes one step: at most PLAN_CHUNK documents. 0, or -1 with err set. */
int sweep_step(struct sweep *sweep, struct err *err);
/* When it gave ST_UNFIT: the projection that was passed over, maybe for its plan is of another day. */
size_t sweep_unfit(const struct sweep *sweep);

#endif
