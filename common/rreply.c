/* Reading replies, and waiting for one, see rconn.h. An rreply is hiredis's redisReply under another name. */
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/script.h"
#include "common/rconn.h"

static const redisReply *raw(const struct rreply *reply)
{
    return (const redisReply *)reply;
}

enum rreply_type rreply_type(const struct rreply *reply)
{
    switch (raw(reply)->type) {
    case REDIS_REPLY_INTEGER:
        return RREPLY_INTEGER;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return RREPLY_STRING;
    case REDIS_REPLY_ARRAY:
        return RREPLY_ARRAY;
    case REDIS_REPLY_ERROR:
        return RREPLY_ERROR;
    default:
        return RREPLY_NIL;
    }
}

int64_t rreply_integer(const struct rreply *reply)
{
    return raw(reply)->type == REDIS_REPLY_INTEGER ? raw(reply)->integer : 0;
}

const char *rreply_string(const struct rreply *reply, size_t *ret_len)
{
    if (ret_len)
        *ret_len = raw(reply)->str ? (size_t)raw(reply)->len : 0;
    return raw(reply)->str ? raw(reply)->str : "";
}

size_t rreply_count(const struct rreply *reply)
{
    return raw(reply)->type == REDIS_REPLY_ARRAY ? raw(reply)->elements : 0;
}

const struct rreply *rreply_at(const struct rreply *reply, size_t index)
{
    static const redisReply nothing = {.type = REDIS_REPLY_NIL};

    return (const struct rreply *)(index < rreply_count(reply) ? raw(reply)->element[index] : &nothing);
}

static redisReply *copy_reply(const redisReply *from)
{
    redisReply *to = mem_zalloc(sizeof(*to));

    to->type = from->type;
    to->integer = from->integer;
    to->len = from->len;
    if (from->str)
        to->str = mem_strndup(from->str, (size_t)from->len);
    to->elements = from->elements;
    if (from->elements)
        to->element = mem_zalloc(from->elements * sizeof(*to->element));
    for (size_t i = 0; i < from->elements; i++)
        to->element[i] = copy_reply(from->element[i]);
    return to;
}

void rreply_free(struct rreply *reply)
{
    redisReply *own = (redisReply *)reply;

    if (!own)
        return;
    for (size_t i = 0; i < own->elements; i++)
        rreply_free((struct rreply *)own->element[i]);
    free(own->element);
    free(own->str);
    free(own);
}

struct waiting {
    bool done;
    redisReply *reply;
    struct err *err;
};

static void on_waited(void *arg, const struct rreply *reply, const struct err *err)
{
    struct waiting *waiting = arg;

    waiting->done = true;
    if (err)
        err_copy(waiting->err, err);
    else
        waiting->reply = copy_reply(raw(reply));
}

struct rreply *rconn_run_raw(struct rconn *rconn, int route, const char *command, size_t len, struct err *err)
{
    struct waiting waiting = {false, NULL, err};

    rconn_send_raw(rconn, route, command, len, on_waited, &waiting);
    loop_run_until(rconn_loop(rconn), &waiting.done);
    return (struct rreply *)waiting.reply;
}

struct rreply *rconn_run(struct rconn *rconn, int route, int argc, const char *const *argv, struct err *err)
{
    struct buf command = BUF_NONE;
    struct rreply *reply;

    resp_put_command(&command, argc, argv);
    reply = rconn_run_raw(rconn, route, command.data, command.len, err);
    buf_free(&command);
    return reply;
}
