/* What one reservation gave: the reply of the reserve script, and which of its items are settled. */
#ifndef PGUSHER_QUEUE_BATCH_H
#define PGUSHER_QUEUE_BATCH_H

#include <hiredis/hiredis.h>

#include "common/script.h"
#include "queue/pgusher-queue.h"

/* The places of these arrays in the reply of lua/reserve.lua. */
enum reserve_reply {
    RESERVED_TOKEN,
    RESERVED_LEFT,
    RESERVED_DUE,
    RESERVED_PAUSED,
    RESERVED_EXPIRED,
    RESERVED_ELECTED,
    RESERVED_ITEMS,
    RESERVED_ATTEMPTS,
    RESERVED_ACKED,
    RESERVED_PARTS
};

struct pgusher_queue_batch {
    redisReply *reply;
    bool *settled;
};

/* Takes the reply over; NULL when memory is out, and then it does not. */
struct pgusher_queue_batch *queue_batch_new(redisReply *reply);
/* Adds to the call the token, and the items that are not settled. */
void queue_batch_add_unsettled(struct script_call *call, const struct pgusher_queue_batch *batch);
size_t queue_batch_unsettled(const struct pgusher_queue_batch *batch);
/* They are acked; `reply` says how many of them. Returns how many were not settled before. */
size_t queue_batch_settle_all(struct pgusher_queue_batch *batch, const redisReply *reply,
                              struct pgusher_queue_acked *ret_acked);
const redisReply *queue_batch_item(const struct pgusher_queue_batch *batch, size_t index);

#endif
