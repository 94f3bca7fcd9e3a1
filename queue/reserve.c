/* Getting items: reserve, the upkeep it does on the way, the lease. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "lua/scripts.h"
#include "queue/queue_batch.h"
#include "queue/handle.h"

enum { PAUSE_MS = 100, RECOVER_AGAIN_MS = 1000 };

/* Up to which token the caller knows what it holds. Who holds nothing is given again whatever Redis thinks it
 * holds: a Redis that failed over, or was restarted, may have forgotten the last acks. */
static const char *known_token(const struct pgusher_queue *queue, const struct pgusher_queue_batch *done)
{
    return queue->unsettled > (done ? queue_batch_unsettled(done) : 0) ? queue->last_token : "0";
}

/* `done`: a batch of which all that is not settled is acked on the way; or NULL. */
static struct script_call *reserve_call(struct pgusher_queue *queue, size_t max,
                                        const struct pgusher_queue_batch *done)
{
    struct script_call *call = queue_call_new(&queue->keys, &script_reserve);
    const char *known = known_token(queue, done);

    queue->asked_at_ms = clock_mono_ms();
    queue_call_processing_key(call, &queue->keys, queue->consumer);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    script_arg_int(call, queue->lease_ms);
    script_arg_int(call, (int64_t)max);
    script_arg(call, known, strlen(known));
    if (done)
        queue_batch_add_unsettled(call, done);
    else
        script_arg(call, "", 0);
    return call;
}

static bool is_reservation(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == RESERVED_PARTS &&
           reply->element[RESERVED_TOKEN]->type == REDIS_REPLY_STRING &&
           reply->element[RESERVED_EXPIRED]->type == REDIS_REPLY_STRING &&
           is_array_of_strings(reply->element[RESERVED_ITEMS], false) &&
           reply->element[RESERVED_ACKED]->elements == 3;
}

/* Failing at one is no reason to leave the others. It is tried again, though not at once: it stays due all
 * the time. */
static int64_t recover_expired(struct pgusher_queue *queue, const char *consumer)
{
    int64_t now_ms = clock_mono_ms(), recovered = -1;

    if (now_ms >= queue->recover_after_ms)
        recovered = handle_recover_consumer(queue, consumer);
    if (recovered >= 0)
        return recovered;
    queue->due_ms = queue->lease_ms;
    if (now_ms < queue->recover_after_ms)
        return 0;
    queue->recover_after_ms = now_ms + RECOVER_AGAIN_MS;
    handle_begin(queue);
    return handle_recover_consumers(queue);
}

/* Takes back what others left. Failing at it must not cost the caller its items. */
static int64_t keep_up(struct pgusher_queue *queue, const redisReply *reply)
{
    const redisReply *expired = reply->element[RESERVED_EXPIRED];
    int64_t recovered = 0;

    if (expired->len > 0)
        recovered = recover_expired(queue, expired->str);
    handle_begin(queue);
    if (reply->element[RESERVED_ELECTED]->integer)
        recovered += handle_recover_plain(queue);
    handle_begin(queue);
    return recovered > 0 ? recovered : 0;
}

/* Without memory for a batch the answer is as good as lost: the next reserve, which names the token of the
 * last that was taken, gets the items again. */
static int take_items(struct pgusher_queue *queue, redisReply *reply, struct pgusher_queue_batch **ret_batch)
{
    struct pgusher_queue_batch *batch = queue_batch_new(reply);

    if (!batch) {
        freeReplyObject(reply);
        err_set(&queue->err, ST_LOST, "out of memory");
        return -1;
    }
    snprintf(queue->last_token, sizeof(queue->last_token), "%s", reply->element[RESERVED_TOKEN]->str);
    queue->unsettled += pgusher_queue_batch_count(batch);
    *ret_batch = batch;
    return (int)pgusher_queue_batch_count(batch);
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
    queue->reserved_at_ms = queue->asked_at_ms; /* the lease is no younger than that */
    queue->left = (size_t)reply->element[RESERVED_LEFT]->integer;
    queue->due_ms = reply->element[RESERVED_DUE]->integer;
    queue->paused = reply->element[RESERVED_PAUSED]->integer != 0;
    *ret_recovered = keep_up(queue, reply);
    count = reply->element[RESERVED_ITEMS]->elements;
    if (count)
        return take_items(queue, reply, ret_batch);
    freeReplyObject(reply);
    return 0;
}

/* Whose answer is lost may hold items all the same, and has something to leave. */
static redisReply *ask(struct pgusher_queue *queue, size_t max, const struct pgusher_queue_batch *done)
{
    redisReply *reply = handle_call(queue, reserve_call(queue, max, done));

    if (!reply && queue->err.status == ST_LOST)
        queue->registered = true;
    return reply;
}

static int reserve_now(struct pgusher_queue *queue, size_t max, struct pgusher_queue_batch **ret_batch,
                       int64_t *ret_recovered)
{
    redisReply *reply = ask(queue, max, NULL);

    return reply ? take_reservation(queue, reply, ret_batch, ret_recovered) : -1;
}

static int begin_reserve(struct pgusher_queue *queue, size_t max, struct pgusher_queue_batch **ret_batch)
{
    handle_begin(queue);
    *ret_batch = NULL;
    if (max < 1 || max > PGUSHER_QUEUE_MAX_ITEMS)
        return handle_refuse(queue, "reserve takes 1 to %d items, not %zu", PGUSHER_QUEUE_MAX_ITEMS, max);
    if (handle_introduce(queue) != 0)
        return -1;
    if (queue->wait_lost && !queue->waiting)
        handle_forget_wait(queue);
    return 0;
}

int pgusher_queue_ack_reserve(struct pgusher_queue *queue, struct pgusher_queue_batch *done, size_t max,
                              struct pgusher_queue_batch **ret_batch, struct pgusher_queue_acked *ret_acked)
{
    redisReply *reply;
    int64_t recovered;

    if (begin_reserve(queue, max, ret_batch) != 0)
        return -1;
    reply = ask(queue, max, done);
    if (!reply)
        return -1;
    if (is_reservation(reply))
        queue->unsettled -= queue_batch_settle_all(done, reply->element[RESERVED_ACKED], ret_acked);
    return take_reservation(queue, reply, ret_batch, &recovered);
}

/* NULL when there is none, or it is an error: then a reserve by itself will find out what is wrong. */
static redisReply *receive_reservation(struct pgusher_queue *queue)
{
    struct err ignored = ERR_NONE;
    redisReply *reply = rlink_receive(queue->waiter, &ignored);

    if (reply && is_reservation(reply))
        return reply;
    freeReplyObject(reply);
    return NULL;
}

static int begin_wait_and_reserve(struct pgusher_queue *queue, size_t max, int64_t wait_ms)
{
    struct script_call *call = reserve_call(queue, max, NULL);
    struct buf command = BUF_NONE;
    int fd;

    script_encode(call, SCRIPT_EVALSHA, &command);
    fd = handle_wait_begin(queue, wait_ms, &command);
    buf_free(&command);
    script_call_free(call);
    return fd;
}

/* The reservation stands behind the wait in one pipeline: that saves a round trip between push and handler.
 */
static int wait_and_reserve(struct pgusher_queue *queue, size_t max, int64_t wait_ms,
                            struct pgusher_queue_batch **ret_batch, int64_t *ret_recovered)
{
    int fd = begin_wait_and_reserve(queue, max, wait_ms);
    redisReply *reply;

    if (fd == -1)
        return -1;
    if (fd == -2)
        poll(NULL, 0, (int)(wait_ms < PAUSE_MS ? wait_ms : PAUSE_MS));
    else if (pgusher_queue_wait_end(queue) < 0)
        return -1;
    reply = fd == -2 ? NULL : receive_reservation(queue);
    return reply ? take_reservation(queue, reply, ret_batch, ret_recovered)
                 : reserve_now(queue, max, ret_batch, ret_recovered);
}

int pgusher_queue_reserve(struct pgusher_queue *queue, size_t max, int64_t wait_ms,
                          struct pgusher_queue_batch **ret_batch)
{
    int64_t began_ms = clock_mono_ms(), left_ms = wait_ms, recovered = 0;
    int count;

    if (begin_reserve(queue, max, ret_batch) != 0)
        return -1;
    count = reserve_now(queue, max, ret_batch, &recovered);
    while (count == 0 && (recovered || left_ms > 0)) {
        count = recovered ? reserve_now(queue, max, ret_batch, &recovered)
                          : wait_and_reserve(queue, max, left_ms, ret_batch, &recovered);
        left_ms = wait_ms - (clock_mono_ms() - began_ms);
    }
    return count;
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

    handle_begin(queue);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    script_arg_int(call, queue->lease_ms);
    return (int)handle_call_integer(queue, call);
}
