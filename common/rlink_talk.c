#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/redis_error.h"
#include "common/redis_tls.h"
#include "common/rlink_private.h"
#include "common/script.h"
#include "common/sigpipe.h"

enum {
    REPLY_TIMEOUTS = 10,                      /* of which one reply may take, while something comes */
    MAX_TEXT_BYTES = (512 << 20) + (1 << 16), /* what Redis lets a text have, and what hiredis reads ahead */
};

/* A signal makes the kernel's own timeout begin anew. */
static bool is_late(const struct rlink *rlink, int64_t moved_ms)
{
    return clock_mono_ms() - moved_ms >= rlink->timeout_ms;
}

/* hiredis would write without MSG_NOSIGNAL and kill a program that does not ignore SIGPIPE. */
static int send_all(struct rlink *rlink, const char *data, size_t len, struct err *err)
{
    int64_t moved_ms = clock_mono_ms();

    while (len) {
        ssize_t sent = send(rlink->context->fd, data, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR && !is_late(rlink, moved_ms))
            continue;
        if (sent < 0) {
            err_set(err, ST_LOST, "the connection to Redis was lost: %s",
                    errno == EAGAIN || errno == EINTR ? "it takes nothing within the timeout"
                                                      : strerror(errno));
            rlink_close(rlink);
            return -1;
        }
        moved_ms = clock_mono_ms();
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* With TLS it is hiredis that writes. What it says of a connection that is gone must not kill us. */
static int send_encrypted(struct rlink *rlink, const char *data, size_t len, struct err *err)
{
    struct sigpipe_guard guard;
    int done = 0;

    sigpipe_begin(&guard);
    redis_tls_forget();
    if (redisAppendFormattedCommand(rlink->context, data, len) == REDIS_OK)
        while (!done && redisBufferWrite(rlink->context, &done) == REDIS_OK)
            ;
    sigpipe_end(&guard);
    if (done)
        return 0;
    err_set(err, ST_LOST, "the connection to Redis was lost: %s", redis_tls_why(rlink->context));
    rlink_close(rlink);
    return -1;
}

int rlink_send(struct rlink *rlink, const struct buf *command, struct err *err)
{
    if (command->failed) {
        err_set_memory(err);
        return -1;
    }
    if (rlink_open(rlink, err) != 0)
        return -1;
    if (rlink->server.tls)
        return send_encrypted(rlink, command->data, command->len, err);
    return send_all(rlink, command->data, command->len, err);
}

/* More of the reply. Returns why it is not waited for; NULL: it is. */
static const char *read_more(struct rlink *rlink, int64_t *moved_ms)
{
    size_t had = rlink->context->reader->len;

    if (redisBufferRead(rlink->context) != REDIS_OK)
        return errno == EAGAIN && rlink->context->err == REDIS_ERR_IO ? "no answer within the timeout"
                                                                      : redis_tls_why(rlink->context);
    if (rlink->context->reader->len > MAX_TEXT_BYTES)
        return "a text of its is longer than any that Redis keeps";
    if (rlink->context->reader->len > had)
        *moved_ms = clock_mono_ms();
    return is_late(rlink, *moved_ms) ? "no answer within the timeout" : NULL;
}

/* redisGetReply would wait for ever for a server that goes on sending. */
static const char *read_reply(struct rlink *rlink, void **ret_reply)
{
    int64_t moved_ms = clock_mono_ms(), end_ms = moved_ms + (int64_t)REPLY_TIMEOUTS * rlink->timeout_ms;
    const char *why = NULL;

    while (!why && redisReaderGetReply(rlink->context->reader, ret_reply) == REDIS_OK) {
        if (*ret_reply)
            return NULL;
        why = clock_mono_ms() < end_ms ? read_more(rlink, &moved_ms) : "its answer does not come to an end";
    }
    return why ? why : rlink->context->reader->errstr;
}

redisReply *rlink_receive(struct rlink *rlink, struct err *err)
{
    void *reply = NULL;
    const char *why;

    if (!rlink->context) {
        err_set(err, ST_LOST, "the connection to Redis was lost");
        return NULL;
    }
    if (rlink->server.tls)
        redis_tls_forget();
    why = read_reply(rlink, &reply);
    if (!why)
        return reply;
    err_set(err, ST_LOST, "the connection to Redis was lost: %s", why);
    rlink_close(rlink);
    return NULL;
}

int rlink_exchange(struct rlink *rlink, const struct buf *commands, size_t count, redisReply **ret_replies,
                   struct err *err)
{
    if (rlink_send(rlink, commands, err) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        ret_replies[i] = rlink_receive(rlink, err);
        if (ret_replies[i])
            continue;
        while (i--)
            freeReplyObject(ret_replies[i]);
        return -1;
    }
    return 0;
}

redisReply *rlink_run(struct rlink *rlink, int argc, const char *const *argv, struct err *err)
{
    struct buf command = BUF_NONE;
    redisReply *reply = NULL;
    int failed;

    resp_put_command(&command, argc, argv);
    failed = rlink_exchange(rlink, &command, 1, &reply, err);
    buf_free(&command);
    if (failed)
        return NULL;
    if (reply->type == REDIS_REPLY_ERROR) {
        err_set(err, redis_error_classify(reply->str), "Redis: %s", reply->str);
        freeReplyObject(reply);
        return NULL;
    }
    return reply;
}
