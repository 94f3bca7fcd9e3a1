/* Putting items on a queue over an asynchronous connection: what the worker does after its puts.
 * The queue's keys and the meaning of each reply are those of the queue protocol; see lua/enqueue.lua. */
#ifndef PGUSHER_ENQUEUE_H
#define PGUSHER_ENQUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/script_send.h"
#include "queue/keys.h"
#include "queue/queue_config.h"

enum { ENQUEUE_MAX_ITEMS = 500 };

/* A call of the enqueue script without items: add them with script_arg, at most ENQUEUE_MAX_ITEMS. */
struct script_call *enqueue_call_new(const char *queue, enum queue_lane lane);
/* A call of the promote script, to be made now and then while items wait for later: consumers that do not
 * know this program would not get them otherwise. */
struct script_call *enqueue_promote_new(const char *queue);
/* From its reply: how many it moved on, and how many wait for later still. False: it is no such reply. */
bool enqueue_read_promoted(const struct rreply *reply, int64_t *ret_moved, int64_t *ret_left);

/* Tells the queue the settings that the configuration gives it, for all who use it. A full Redis (maxmemory)
 * is not told, which is no error. */
int enqueue_configure(struct rconn *rconn, const struct queue_config *queue, struct err *err);

/* How many items the reply says were put on the list: they did not wait already. */
int64_t enqueue_count_new(const struct rreply *reply);

#endif
