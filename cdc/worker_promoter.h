/* Feeds consumers that do not know the queue's lane for later, where a backfill's items wait: while items are
 * there, some are moved on to the list again and again (lua/promote.lua). Consumers that know it take them by
 * themselves.
 *
 * It does so by itself, from the event loop, whatever the worker waits for. What Redis refuses is tried
 * again: others will notice that something is wrong.
 */
#ifndef PGUSHER_WORKER_PROMOTER_H
#define PGUSHER_WORKER_PROMOTER_H

#include "cdc/session.h"

struct promoter;

struct promoter *promoter_new(struct session *session);
/* After session_close, which ends what is outstanding. NULL-safe. */
void promoter_free(struct promoter *promoter);

#endif
