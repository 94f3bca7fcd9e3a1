/* What is in quarantine is tried again when it is due, by any worker that knows of it: there was something
 * when its session began, it put it there itself, or it was told (see quarantine.h). A fleet with an empty
 * quarantine asks nothing, unless NOTIFY does not reach the worker: then it looks every five seconds.
 *
 * A document that was removed meanwhile leaves the quarantine, too: there is nothing left to build.
 */
#ifndef PGUSHER_WORKER_RETRY_H
#define PGUSHER_WORKER_RETRY_H

#include "cdc/session.h"

struct retry;

struct retry *retry_new(struct session *session);
void retry_free(struct retry *retry); /* NULL-safe */

/* There may be something that this worker does not know of: another one died. */
void retry_look_again(struct retry *retry);
/* A payload that the session was told. */
void retry_told(struct retry *retry, const char *payload);

/* How long until the next step should be made, ms; 0: now; -1: nothing is there. */
int64_t retry_ms_left(const struct retry *retry);
/* Tries some of what is due. 0, or -1 with err set. */
int retry_step(struct retry *retry, struct err *err);
/* When it gave ST_UNFIT: the projection that cannot be read. */
size_t retry_unfit(const struct retry *retry);

#endif
