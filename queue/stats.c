/* The figures of a queue. */
#include <string.h>

#include "queue/handle.h"

static redisReply *call_stats(struct pgusher_queue *queue, const redisReply *consumers)
{
    redisReply *reply = handle_call(queue, stats_call_new(&queue->keys, consumers));

    return handle_expect(queue, reply, stats_is_reply(reply));
}

int handle_check_types(struct pgusher_queue *queue)
{
    redisReply *reply = call_stats(queue, NULL);

    freeReplyObject(reply);
    return reply ? 0 : -1;
}

/* -1; an error of Redis that says only "wrong type" is replaced by one that names the key. */
static int name_key(struct pgusher_queue *queue)
{
    if (strncmp(queue->err.text, "Redis: WRONGTYPE Operation", 26) == 0) {
        handle_begin(queue);
        if (handle_check_types(queue) == 0)
            handle_refuse(queue,
                          "Redis: WRONGTYPE: a key of the queue was of another type, and no longer is");
    }
    return -1;
}

int pgusher_queue_stats(struct pgusher_queue *queue, struct pgusher_queue_stats *ret_stats)
{
    redisReply *consumers, *reply;
    int result;

    handle_begin(queue);
    consumers = handle_consumers(queue);
    if (!consumers)
        return name_key(queue);
    reply = call_stats(queue, consumers);
    freeReplyObject(consumers);
    if (!reply)
        return -1;
    result = stats_read(reply, ret_stats);
    freeReplyObject(reply);
    return result == 0 ? 0 : handle_out_of_memory(queue);
}
