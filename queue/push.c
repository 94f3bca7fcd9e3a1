/* Producing. */

#include "lua/scripts.h"
#include "queue/handle.h"

static int check_items(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count)
{
    if (count > PGUSHER_QUEUE_MAX_ITEMS)
        return handle_refuse(queue, "%zu items in one call; at most %d are taken", count,
                             PGUSHER_QUEUE_MAX_ITEMS);
    for (size_t i = 0; i < count; i++) {
        if (items[i].len == 0)
            return handle_refuse(queue, "item %zu of %zu is empty", i + 1, count);
        if (items[i].len > PGUSHER_QUEUE_MAX_ITEM_BYTES)
            return handle_refuse(queue,
                                 "item %zu of %zu has %zu bytes; it is meant to be a key, of at most %d",
                                 i + 1, count, items[i].len, PGUSHER_QUEUE_MAX_ITEM_BYTES);
    }
    return 0;
}

static bool are_outcomes(const redisReply *reply)
{
    for (size_t i = 0; reply && i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_INTEGER || reply->element[i]->integer < 0 ||
            reply->element[i]->integer > PGUSHER_QUEUE_REVIVED)
            return false;
    return true;
}

static int push(struct pgusher_queue *queue, enum queue_lane lane, const struct pgusher_queue_item *items,
                size_t count, enum pgusher_queue_pushed *ret_outcomes)
{
    struct script_call *call;
    redisReply *reply;

    handle_begin(queue);
    if (check_items(queue, items, count) != 0 || handle_introduce(queue) != 0)
        return -1;
    if (count == 0)
        return 0;
    call = queue_call_new(&queue->keys, &script_enqueue);
    queue_call_lane(call, lane);
    for (size_t i = 0; i < count; i++)
        script_arg(call, items[i].data, items[i].len);
    reply = handle_call_for(queue, call, REDIS_REPLY_ARRAY, count);
    reply = handle_expect(queue, reply, are_outcomes(reply));
    if (!reply)
        return -1;
    for (size_t i = 0; ret_outcomes && i < reply->elements; i++)
        ret_outcomes[i] = (enum pgusher_queue_pushed)reply->element[i]->integer;
    freeReplyObject(reply);
    return 0;
}

int pgusher_queue_push(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                       enum pgusher_queue_pushed *ret_outcomes)
{
    return push(queue, LANE_NOW, items, count, ret_outcomes);
}

int pgusher_queue_push_later(struct pgusher_queue *queue, const struct pgusher_queue_item *items,
                             size_t count, enum pgusher_queue_pushed *ret_outcomes)
{
    return push(queue, LANE_LATER, items, count, ret_outcomes);
}
