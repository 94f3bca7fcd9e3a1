/* Getting items: reserve, the upkeep it does on the way, the lease. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "lua/scripts.h"
#include "queue/queue_batch.h"
#include "queue/handle.h"

enum { PAUSE_MS = 100 };

static struct script_call *reserve_call(const struct pgusher_queue *queue, size_t max)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_reserve);

    queue_call_processing_key(call, &queue->keys, queue->consumer);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    script_arg_int(call, queue->lease_ms);
    script_arg_int(call, (int64_t)max);
    script_arg(call, queue->last_token, strlen(queue->last_token));
    return call;
}

static bool is_reservation(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == RESERVED_PARTS &&
           reply->element[RESERVED_ITEMS]->type == REDIS_REPLY_ARRAY;
}

/* Takes back what others left. Failing at it must not cost the caller its items: the next reserve tries
 * again. */
static int64_t keep_up(struct pgusher_queue *queue, const redisReply *reply)
{
    const redisReply *expired = reply->element[RESERVED_EXPIRED];
    int64_t recovered = 0;

    if (expired->len > 0)
        recovered = handle_recover_consumer(queue, expired->str);
    if (reply->element[RESERVED_ELECTED]->integer)
        recovered += handle_recover_plain(queue);
    handle_begin(queue);
    return recovered;
}

/* Takes the reply over. How many came back to the queue is told so that an empty-handed caller looks again.
 */
static int take_reservation(struct pgusher_queue *queue, redisReply *reply,
                            struct pgusher_queue_batch **ret_batch, int64_t *ret_recovered)
{
    size_t count;

    if (!is_reservation(reply)) {
        freeReplyObject(reply);
        return handle_refuse(queue, "Redis gave no reservation: is another program called reserve?");
    }
    queue->registered = true;
    queue->reserved_at_ms = clock_mono_ms();
    queue->left = (size_t)reply->element[RESERVED_LEFT]->integer;
    queue->due_ms = reply->element[RESERVED_DUE]->integer;
    queue->paused = reply->element[RESERVED_PAUSED]->integer != 0;
    *ret_recovered = keep_up(queue, reply);
    count = reply->element[RESERVED_ITEMS]->elements;
    if (count) {
        snprintf(queue->last_token, sizeof(queue->last_token), "%s", reply->element[RESERVED_TOKEN]->str);
        *ret_batch = queue_batch_new(reply);
    } else {
        freeReplyObject(reply);
    }
    return (int)count;
}

static int reserve_now(struct pgusher_queue *queue, size_t max, struct pgusher_queue_batch **ret_batch,
                       int64_t *ret_recovered)
{
    redisReply *reply = handle_call(queue, reserve_call(queue, max));

    return reply ? take_reservation(queue, reply, ret_batch, ret_recovered) : -1;
}

static int begin_reserve(struct pgusher_queue *queue, size_t max, struct pgusher_queue_batch **ret_batch)
{
    handle_begin(queue);
    *ret_batch = NULL;
    if (max < 1 || max > PGUSHER_QUEUE_MAX_ITEMS)
        return handle_refuse(queue, "reserve takes 1 to %d items, not %zu", PGUSHER_QUEUE_MAX_ITEMS, max);
    return handle_introduce(queue);
}

/* A reservation whose ack failed is left as if its reply had been lost: the next one gives its items again.
 */
int pgusher_queue_ack_reserve(struct pgusher_queue *queue, struct pgusher_queue_batch *done, size_t max,
                              struct pgusher_queue_batch **ret_batch, struct pgusher_queue_acked *ret_acked)
{
    struct script_call *calls[2];
    redisReply *replies[2];
    int64_t recovered;

    if (begin_reserve(queue, max, ret_batch) != 0)
        return -1;
    calls[0] = queue_batch_ack_call(queue, done);
    calls[1] = reserve_call(queue, max);
    handle_call_both(queue, calls, replies);
    if (replies[0])
        queue_batch_take_acked(done, replies[0], ret_acked);
    if (replies[0] && replies[1])
        return take_reservation(queue, replies[1], ret_batch, &recovered);
    freeReplyObject(replies[1]);
    return -1;
}

static int wait_some(struct pgusher_queue *queue, int64_t wait_ms)
{
    int fd = pgusher_queue_wait_begin(queue, wait_ms);
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (fd == -1)
        return -1;
    if (fd >= 0)
        return pgusher_queue_wait_end(queue);
    poll(&ready, 0, (int)(wait_ms < PAUSE_MS ? wait_ms : PAUSE_MS));
    return 0;
}

int pgusher_queue_reserve(struct pgusher_queue *queue, size_t max, int64_t wait_ms,
                          struct pgusher_queue_batch **ret_batch)
{
    int64_t deadline_ms = clock_mono_ms() + wait_ms;

    if (begin_reserve(queue, max, ret_batch) != 0)
        return -1;
    for (;;) {
        int64_t recovered = 0;
        int count = reserve_now(queue, max, ret_batch, &recovered);
        int64_t left_ms = deadline_ms - clock_mono_ms();

        if (count != 0 || (left_ms <= 0 && recovered == 0))
            return count;
        if (recovered == 0 && wait_some(queue, left_ms) < 0)
            return -1;
    }
}

size_t pgusher_queue_left(const struct pgusher_queue *queue)
{
    return queue->left;
}

int64_t pgusher_queue_due_ms(const struct pgusher_queue *queue)
{
    return queue->due_ms;
}

int pgusher_queue_heartbeat(struct pgusher_queue *queue)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_heartbeat);
    redisReply *reply;
    int known;

    handle_begin(queue);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    script_arg_int(call, queue->lease_ms);
    reply = handle_call(queue, call);
    if (!reply)
        return -1;
    known = reply->integer == 1;
    freeReplyObject(reply);
    return known;
}
