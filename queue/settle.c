/* Settling items of a batch: ack, nack, release. */
#include <stdlib.h>
#include <string.h>

#include "common/backoff.h"
#include "common/mem.h"
#include "lua/scripts.h"
#include "queue/queue_batch.h"
#include "queue/handle.h"

enum { BACKOFF_BASE_MS = 1000, BACKOFF_CAP_MS = 600000, BACKOFF_DOUBLINGS = 10 };

/* The items that one call is about, as numbers in the batch. */
struct chosen {
    size_t *index;
    size_t count;
};

static int choose(struct pgusher_queue *queue, const struct pgusher_queue_batch *batch, const size_t *indexes,
                  size_t count, struct chosen *chosen)
{
    size_t total = pgusher_queue_batch_count(batch);

    if (!indexes)
        count = total;
    chosen->index = mem_alloc(sizeof(size_t) * (count + 1));
    chosen->count = 0;
    if (!chosen->index)
        return handle_out_of_memory(queue);
    for (size_t i = 0; i < count; i++) {
        size_t index = indexes ? indexes[i] : i;

        if (index >= total) {
            free(chosen->index);
            handle_refuse(queue, "the batch has no item %zu; it has %zu", index, total);
            return -1;
        }
        if (!batch->settled[index])
            chosen->index[chosen->count++] = index;
    }
    return 0;
}

static void add_token(struct script_call *call, const struct pgusher_queue_batch *batch)
{
    const redisReply *token = batch->reply->element[RESERVED_TOKEN];

    script_arg(call, token->str, (size_t)token->len);
}

static struct script_call *settle_call(const struct pgusher_queue *queue, const struct script *script,
                                       const struct pgusher_queue_batch *batch)
{
    struct script_call *call = queue_call_new(&queue->keys, script);

    queue_call_processing_key(call, &queue->keys, queue->consumer);
    script_arg(call, queue->consumer, strlen(queue->consumer));
    add_token(call, batch);
    return call;
}

static void add_item(struct script_call *call, const struct pgusher_queue_batch *batch, size_t index)
{
    const redisReply *item = queue_batch_item(batch, index);

    script_arg(call, item->str, (size_t)item->len);
}

static redisReply *settle(struct pgusher_queue *queue, struct script_call *call, int type, size_t elements,
                          struct pgusher_queue_batch *batch, struct chosen *chosen)
{
    redisReply *reply = handle_call_for(queue, call, type, elements);

    for (size_t i = 0; reply && i < chosen->count; i++) {
        queue->unsettled -= !batch->settled[chosen->index[i]]; /* an index may be given twice */
        batch->settled[chosen->index[i]] = true;
    }
    free(chosen->index);
    return reply;
}

/* ack and release, which say nothing of an item but its name. */
static redisReply *settle_by_name(struct pgusher_queue *queue, const struct script *script,
                                  struct pgusher_queue_batch *batch, const size_t *indexes, size_t count,
                                  int type, size_t elements)
{
    struct script_call *call;
    struct chosen chosen;

    handle_begin(queue);
    if (choose(queue, batch, indexes, count, &chosen) != 0)
        return NULL;
    call = settle_call(queue, script, batch);
    for (size_t i = 0; i < chosen.count; i++)
        add_item(call, batch, chosen.index[i]);
    return settle(queue, call, type, elements, batch, &chosen);
}

static struct pgusher_queue_acked read_acked(const redisReply *reply)
{
    return (struct pgusher_queue_acked){(size_t)reply->element[0]->integer,
                                        (size_t)reply->element[1]->integer,
                                        (size_t)reply->element[2]->integer};
}

int pgusher_queue_ack(struct pgusher_queue *queue, struct pgusher_queue_batch *batch, const size_t *indexes,
                      size_t count, struct pgusher_queue_acked *ret_acked)
{
    struct pgusher_queue_acked acked;
    redisReply *reply = settle_by_name(queue, &script_ack, batch, indexes, count, REDIS_REPLY_ARRAY, 3);

    if (!reply)
        return -1;
    acked = read_acked(reply);
    freeReplyObject(reply);
    if (ret_acked)
        *ret_acked = acked;
    return (int)acked.acked;
}

void queue_batch_add_unsettled(struct script_call *call, const struct pgusher_queue_batch *batch)
{
    add_token(call, batch);
    for (size_t i = 0; i < pgusher_queue_batch_count(batch); i++)
        if (!batch->settled[i])
            add_item(call, batch, i);
}

size_t queue_batch_unsettled(const struct pgusher_queue_batch *batch)
{
    size_t count = 0;

    for (size_t i = 0; i < pgusher_queue_batch_count(batch); i++)
        count += !batch->settled[i];
    return count;
}

size_t queue_batch_settle_all(struct pgusher_queue_batch *batch, const redisReply *reply,
                              struct pgusher_queue_acked *ret_acked)
{
    size_t unsettled = queue_batch_unsettled(batch);

    memset(batch->settled, true, pgusher_queue_batch_count(batch));
    if (ret_acked)
        *ret_acked = read_acked(reply);
    return unsettled;
}

static int64_t delay_of(const struct pgusher_queue_batch *batch, size_t index, int64_t delay_ms)
{
    struct backoff backoff;

    if (delay_ms == PGUSHER_QUEUE_BURY)
        return -1;
    if (delay_ms >= 0)
        return delay_ms;
    backoff_init(&backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    for (int i = 1; i < pgusher_queue_batch_attempt(batch, index) && i < BACKOFF_DOUBLINGS; i++)
        backoff_next(&backoff);
    return backoff_next(&backoff);
}

int pgusher_queue_nack(struct pgusher_queue *queue, struct pgusher_queue_batch *batch, const size_t *indexes,
                       size_t count, const char *reason, int64_t delay_ms)
{
    struct script_call *call;
    struct chosen chosen;
    redisReply *reply;
    int held = 0;

    handle_begin(queue);
    if (choose(queue, batch, indexes, count, &chosen) != 0)
        return -1;
    call = settle_call(queue, &script_nack, batch);
    for (size_t i = 0; i < chosen.count; i++) {
        add_item(call, batch, chosen.index[i]);
        script_arg_int(call, delay_of(batch, chosen.index[i], delay_ms));
        script_arg(call, reason ? reason : "", reason ? strlen(reason) : 0);
    }
    reply = settle(queue, call, REDIS_REPLY_ARRAY, chosen.count, batch, &chosen);
    if (!reply)
        return -1;
    for (size_t i = 0; i < reply->elements; i++)
        held += reply->element[i]->integer != 0;
    freeReplyObject(reply);
    return held;
}

int pgusher_queue_release(struct pgusher_queue *queue, struct pgusher_queue_batch *batch,
                          const size_t *indexes, size_t count)
{
    redisReply *reply = settle_by_name(queue, &script_release, batch, indexes, count, REDIS_REPLY_INTEGER, 0);
    int held;

    if (!reply)
        return -1;
    held = (int)reply->integer;
    freeReplyObject(reply);
    return held;
}
