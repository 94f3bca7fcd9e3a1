/* Putting items on a queue over an asynchronous connection: what the worker does after its puts.
 * The queue's keys and the meaning of each reply are those of the queue protocol; see lua/enqueue.lua. */
#ifndef PGUSHER_ENQUEUE_H
#define PGUSHER_ENQUEUE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/script_send.h"
#include "queue/queue_config.h"

enum { ENQUEUE_MAX_ITEMS = 500 };

/* A call of the enqueue script without items: add them with script_arg, at most ENQUEUE_MAX_ITEMS. */
struct script_call *enqueue_call_new(const char *queue);

/* Tells the queue the settings that the configuration gives it, for all who use it. A full Redis (maxmemory)
 * is not told, which is no error. */
int enqueue_configure(struct rconn *rconn, const struct queue_config *queue, struct err *err);

/* How many items the reply says were put on the list: they did not wait already. */
int64_t enqueue_count_new(const struct rreply *reply);

#endif
