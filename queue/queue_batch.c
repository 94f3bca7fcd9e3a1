#include "queue/queue_batch.h"

#include <stdlib.h>

#include "common/mem.h"

struct pgusher_queue_batch *queue_batch_new(redisReply *reply)
{
    struct pgusher_queue_batch *batch = mem_alloc(sizeof(*batch));
    bool *settled = mem_zalloc(sizeof(*settled) * (reply->element[RESERVED_ITEMS]->elements + 1));

    if (!batch || !settled) {
        free(batch);
        free(settled);
        return NULL;
    }
    *batch = (struct pgusher_queue_batch){reply, settled};
    return batch;
}

void pgusher_queue_batch_free(struct pgusher_queue_batch *batch)
{
    if (!batch)
        return;
    freeReplyObject(batch->reply);
    free(batch->settled);
    free(batch);
}

const redisReply *queue_batch_item(const struct pgusher_queue_batch *batch, size_t index)
{
    return batch->reply->element[RESERVED_ITEMS]->element[index];
}

size_t pgusher_queue_batch_count(const struct pgusher_queue_batch *batch)
{
    return batch->reply->element[RESERVED_ITEMS]->elements;
}

const char *pgusher_queue_batch_item(const struct pgusher_queue_batch *batch, size_t index, size_t *ret_len)
{
    const redisReply *item = queue_batch_item(batch, index);

    if (ret_len)
        *ret_len = (size_t)item->len;
    return item->str;
}

int pgusher_queue_batch_attempt(const struct pgusher_queue_batch *batch, size_t index)
{
    const redisReply *attempts = batch->reply->element[RESERVED_ATTEMPTS];

    return index < attempts->elements ? (int)attempts->element[index]->integer : 1;
}

uint64_t pgusher_queue_batch_token(const struct pgusher_queue_batch *batch)
{
    return strtoull(batch->reply->element[RESERVED_TOKEN]->str, NULL, 10);
}

bool pgusher_queue_batch_settled(const struct pgusher_queue_batch *batch, size_t index)
{
    return batch->settled[index];
}
