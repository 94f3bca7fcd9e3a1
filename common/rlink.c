#include "common/rlink.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_error.h"
#include "common/redis_nodes.h"
#include "common/redis_tls.h"
#include "common/rlink_private.h"
#include "common/script.h"
#include "common/sigpipe.h"

enum {
    LOOK_AGAIN_MS = 1000,
    REPLY_TIMEOUTS = 10,                      /* of which one reply may take, while something comes */
    MAX_TEXT_BYTES = (512 << 20) + (1 << 16), /* what Redis lets a text have, and what hiredis reads ahead */
};

struct rlink {
    struct redis_url url;
    struct redis_url server; /* the one in use, or to be used next; empty: to be looked for */
    bool sent_there;         /* by MOVED, or to be with another rlink */
    size_t first;            /* of a cluster's addresses to try, or of the sentinels to ask next */
    int64_t epoch;           /* of the failover by which the server became the primary */
    int64_t looked_at_ms;    /* when the sentinels were asked last whether it still is */
    int timeout_ms;
    redisContext *context; /* NULL while closed */
};

struct rlink *rlink_new(const struct redis_url *url, int timeout_ms)
{
    struct rlink *rlink = mem_zalloc(sizeof(*rlink));

    if (!rlink)
        return NULL;
    if (!redis_url_copy(&rlink->url, url)) {
        free(rlink);
        return NULL;
    }
    rlink->timeout_ms = timeout_ms;
    return rlink;
}

void rlink_free(struct rlink *rlink)
{
    if (!rlink)
        return;
    rlink_close(rlink);
    redis_url_free(&rlink->url);
    redis_url_free(&rlink->server);
    free(rlink);
}

bool rlink_is_open(const struct rlink *rlink)
{
    return rlink->context != NULL;
}

int rlink_fd(const struct rlink *rlink)
{
    return rlink->context ? rlink->context->fd : -1;
}

void rlink_close(struct rlink *rlink)
{
    if (rlink->context)
        redisFree(rlink->context);
    rlink->context = NULL;
}

void rlink_limit_delay(const struct rlink *rlink, int64_t ms)
{
    unsigned int limit_ms = (unsigned int)ms;

    setsockopt(rlink->context->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
}

void rlink_redirect(struct rlink *rlink, const char *address)
{
    const struct redis_url *in_use = rlink->server.naddresses ? &rlink->server : &rlink->url;
    char *host;
    int port;

    rlink_close(rlink);
    if (!redis_read_address(address, in_use->naddresses ? in_use->addresses[0].host : "", &host, &port))
        return;
    if (redis_url_to_server(&rlink->server, &rlink->url, host, port))
        rlink->sent_there = true;
    free(host);
}

void rlink_stay_with(struct rlink *rlink, const struct rlink *other)
{
    if (rlink->context || !other->context || other->url.kind == REDIS_SINGLE)
        return;
    if (redis_url_copy(&rlink->server, &other->server))
        rlink->sent_there = true;
}

bool rlink_is_with(const struct rlink *rlink, const struct rlink *other)
{
    const struct redis_url *mine = &rlink->server, *its = &other->server;

    if (!rlink->context || !other->context)
        return false;
    if (mine->path || its->path)
        return mine->path && its->path && strcmp(mine->path, its->path) == 0;
    return strcmp(mine->addresses[0].host, its->addresses[0].host) == 0 &&
           mine->addresses[0].port == its->addresses[0].port;
}

/* ---- opening ---- */

static redisContext *connect_to(const struct redis_url *server, struct timeval timeout)
{
    if (server->path)
        return redisConnectUnixWithTimeout(server->path, timeout);
    return redisConnectWithTimeout(server->addresses[0].host, server->addresses[0].port, timeout);
}

static void cannot_connect(const struct rlink *rlink, const char *why, struct err *err)
{
    char *shown = redis_url_show(&rlink->server);

    err_set(err, ST_AGAIN, "cannot connect to Redis at %s: %s", shown ? shown : "its address", why);
    free(shown);
}

static int begin_tls(struct rlink *rlink, struct err *err)
{
    struct err why = ERR_NONE;

    if (redis_tls_wrap(rlink->context, &rlink->server, &why) == 0)
        return 0;
    cannot_connect(rlink, why.text, err);
    err->status = why.status;
    rlink_close(rlink);
    return -1;
}

static int connect_now(struct rlink *rlink, struct err *err)
{
    struct timeval timeout = {rlink->timeout_ms / 1000, rlink->timeout_ms % 1000 * 1000L};

    rlink->context = connect_to(&rlink->server, timeout);
    if (!rlink->context || rlink->context->err) {
        cannot_connect(rlink, rlink->context ? rlink->context->errstr : "out of memory", err);
        rlink_close(rlink);
        return -1;
    }
    fcntl(rlink->context->fd, F_SETFD, FD_CLOEXEC);
    redisSetTimeout(rlink->context, timeout);
    if (!rlink->server.path)
        redisEnableKeepAlive(rlink->context);
    return rlink->server.tls ? begin_tls(rlink, err) : 0;
}

static int greet_with(struct rlink *rlink, int argc, const char *const *argv, struct err *err)
{
    redisReply *reply = rlink_run(rlink, argc, argv, err);

    if (!reply)
        return -1;
    freeReplyObject(reply);
    return 0;
}

static int greet(struct rlink *rlink, struct err *err)
{
    const struct redis_url *url = &rlink->server;
    char db[24];

    if (url->password) {
        const char *const auth[] = {"AUTH", url->user ? url->user : "default", url->password};

        if (greet_with(rlink, 3, auth, err) != 0)
            return -1;
    }
    if (url->db == 0)
        return 0;
    snprintf(db, sizeof(db), "%d", url->db);
    return greet_with(rlink, 2, (const char *const[]){"SELECT", db}, err);
}

int rlink_open_server(struct rlink *rlink, const struct redis_url *server, struct err *err)
{
    if (server != &rlink->server && !redis_url_copy(&rlink->server, server)) {
        err_set_memory(err);
        return -1;
    }
    if (connect_now(rlink, err) != 0)
        return -1;
    if (greet(rlink, err) == 0)
        return 0;
    if (err->status == ST_LOST)
        err->status = ST_AGAIN; /* nothing of the caller's was sent */
    rlink_close(rlink);
    return -1;
}

/* The next time at the next address: one that is stopped is connected to, but answers nothing. */
static int open_cluster(struct rlink *rlink, struct err *err)
{
    const struct redis_url *url = &rlink->url;
    struct redis_url server = {0};
    struct err why_not = ERR_NONE;
    int result = -1;

    for (size_t i = 0; result != 0 && i < url->naddresses; i++) {
        const struct redis_address *address = &url->addresses[rlink->first++ % url->naddresses];

        if (redis_url_to_server(&server, url, address->host, address->port))
            result = rlink_open_server(rlink, &server, &why_not);
        else
            err_set_memory(&why_not);
    }
    if (result != 0)
        err_copy(err, &why_not);
    redis_url_free(&server);
    return result;
}

static int open_somewhere(struct rlink *rlink, struct err *err)
{
    if (rlink->sent_there)
        return rlink_open_server(rlink, &rlink->server, err);
    if (rlink->url.kind == REDIS_CLUSTER)
        return open_cluster(rlink, err);
    if (rlink->url.kind == REDIS_SENTINEL)
        return rlink_open_primary(rlink, &rlink->url, &rlink->epoch, err);
    return rlink_open_server(rlink, &rlink->url, err);
}

int rlink_open(struct rlink *rlink, struct err *err)
{
    if (rlink->context)
        return 0;
    rlink->looked_at_ms = clock_mono_ms();
    if (open_somewhere(rlink, err) == 0)
        return 0;
    rlink->sent_there = false;
    return -1;
}

/* ---- talking ---- */

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

/* One sentinel at a time, the next one next time. */
void rlink_leave_former_primary(struct rlink *rlink)
{
    int64_t now_ms = clock_mono_ms();

    if (!rlink->context || rlink->url.kind != REDIS_SENTINEL || rlink->sent_there ||
        now_ms - rlink->looked_at_ms < LOOK_AGAIN_MS)
        return;
    rlink->looked_at_ms = now_ms;
    if (rlink_was_replaced(&rlink->url, rlink->first++ % rlink->url.naddresses, &rlink->server, rlink->epoch))
        rlink_close(rlink);
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
