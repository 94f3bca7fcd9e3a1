/* A reservation between the queue and the command: its items are made lines, and what has been decided about
 * them is carried out in the queue, which also says which of them were refused.
 */
#ifndef PGUSHER_CONSUME_RESERVATION_H
#define PGUSHER_CONSUME_RESERVATION_H

#include <stdbool.h>

#include "common/status.h"
#include "queue/consume_nodes.h"
#include "queue/consume_work.h"
#include "queue/pgusher-queue.h"

struct reservation {
    struct pgusher_queue_batch *batch;
    struct work *work; /* item by item as in the batch */
    bool prepared;
    bool unsure; /* an answer about settling it was lost: what is stale may have been us */
};

struct reservation *reservation_new(struct pgusher_queue_batch *batch); /* takes it over */
void reservation_free(struct reservation *reservation);                 /* NULL-safe; settles nothing */

/* Gives each item its line (with `nodes` its document), or buries it; then the work's first run is ready.
 * Does nothing when that has been done. 0; or -1 with err: call again later. */
int reservation_prepare(struct reservation *reservation, struct nodes *nodes, struct err *err);
/* Settles what is decided and not settled yet, in as few calls as can be. 0; or -1 with the error in the
 * handle: call again later. */
int reservation_settle(struct reservation *reservation, struct pgusher_queue *queue);

#endif
