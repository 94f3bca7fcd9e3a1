/* Projections whose SQL does not fit the database: a view was dropped, a column renamed, a privilege revoked.
 * They are left out, the others go on, and all is made up for when they fit again.
 *
 * A projection that fails is probed (see probe.h). If it fits, only our plan of it is stale, so the session
 * ends and the next one reads the catalog anew. Otherwise it is broken: said once for each reason, and noted
 * in pgusher.projection. It is probed again after a second, then at intervals that double up to a minute, at
 * a reload and when another worker says so; when it fits, the session is begun anew, with its plan.
 *
 * No change is lost: before a page with changes of a broken projection counts as applied, a row in
 * pgusher.backfill makes sure that all its documents are brought in step by a run that begins later. None
 * begins before it fits. When all projections are broken nothing is left out: there is nobody to go on, so
 * the worker tries again until one fits.
 */
#ifndef PGUSHER_WORKER_BROKEN_H
#define PGUSHER_WORKER_BROKEN_H

#include "cdc/expand.h"
#include "cdc/session.h"

struct broken;

/* strict: nothing is left out; what is broken is an error. */
struct broken *broken_new(bool strict);
void broken_free(struct broken *broken); /* NULL-safe */

/* A session begins: what its plan says is broken is noted, and what other workers noted is probed. 0, or -1
 * with err set. */
int broken_begin(struct broken *broken, struct session *session, struct err *err);
/* The session ended. */
void broken_end(struct broken *broken);
/* A payload that the session was told. */
void broken_told(struct broken *broken, const char *payload);
/* All are to be probed now. */
void broken_look_again(struct broken *broken);

/* The SQL of this projection failed because of `why` (ST_UNFIT). 0: it is broken, and is left out from now
 * on. -1 with err set: the session must be begun anew. */
int broken_take(struct broken *broken, size_t projection, const struct err *why, struct err *err);
/* The same of what is not a change (a backfill, which is put off then, the sweep, …): if it fails though the
 * projection fits, and with a plan that was read anew, that is its own. */
int broken_take_chore(struct broken *broken, size_t projection, const struct err *why, struct err *err);
/* The page is in Redis: takes in what it was to each projection, before it counts as applied. queue_all: what
 * it leads to may be written already and not queued. As broken_take. */
int broken_take_page(struct broken *broken, const struct expand_result *results, bool queue_all,
                     struct err *err);

/* How long until the next step should be made, ms; 0: now; -1: none is broken. */
int64_t broken_ms_left(const struct broken *broken);
/* Probes. 0, or -1 with err set: the session must be begun anew, perhaps because one fits again. */
int broken_step(struct broken *broken, struct err *err);

#endif
