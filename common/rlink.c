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
#include "common/mem.h"
#include "common/redis_error.h"
#include "common/script.h"

struct rlink {
    struct redis_url url;
    char *node_host; /* where MOVED sent us; NULL: the URL's address */
    int node_port;
    struct timeval timeout;
    redisContext *context; /* NULL while closed */
};

struct rlink *rlink_new(const struct redis_url *url, int timeout_ms)
{
    struct rlink *rlink = mem_zalloc(sizeof(*rlink));

    redis_url_copy(&rlink->url, url);
    rlink->timeout = (struct timeval){timeout_ms / 1000, timeout_ms % 1000 * 1000};
    return rlink;
}

void rlink_free(struct rlink *rlink)
{
    if (!rlink)
        return;
    rlink_close(rlink);
    redis_url_free(&rlink->url);
    free(rlink->node_host);
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

static void forget_node(struct rlink *rlink)
{
    free(rlink->node_host);
    rlink->node_host = NULL;
}

void rlink_redirect(struct rlink *rlink, const char *address)
{
    const char *colon = strrchr(address, ':');
    char *host;

    rlink_close(rlink);
    if (!colon)
        return;
    host = colon > address ? mem_strndup(address, (size_t)(colon - address))
                           : mem_strdup(rlink->node_host ? rlink->node_host : rlink->url.host);
    free(rlink->node_host);
    rlink->node_host = host;
    rlink->node_port = atoi(colon + 1);
}

/* ---- opening ---- */

static redisContext *connect_somewhere(const struct rlink *rlink)
{
    if (rlink->node_host)
        return redisConnectWithTimeout(rlink->node_host, rlink->node_port, rlink->timeout);
    if (rlink->url.path)
        return redisConnectUnixWithTimeout(rlink->url.path, rlink->timeout);
    return redisConnectWithTimeout(rlink->url.host, rlink->url.port, rlink->timeout);
}

static int connect_now(struct rlink *rlink, struct err *err)
{
    char *shown = redis_url_show(&rlink->url);

    rlink->context = connect_somewhere(rlink);
    if (!rlink->context || rlink->context->err) {
        err_set(err, ST_AGAIN, "cannot connect to Redis at %s: %s", shown,
                rlink->context ? rlink->context->errstr : "out of memory");
        rlink_close(rlink);
        forget_node(rlink);
    } else {
        fcntl(rlink->context->fd, F_SETFD, FD_CLOEXEC);
        redisSetTimeout(rlink->context, rlink->timeout);
        if (!rlink->url.path)
            redisEnableKeepAlive(rlink->context);
    }
    free(shown);
    return rlink->context ? 0 : -1;
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
    const struct redis_url *url = &rlink->url;
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

int rlink_open(struct rlink *rlink, struct err *err)
{
    if (rlink->context)
        return 0;
    if (connect_now(rlink, err) != 0)
        return -1;
    if (greet(rlink, err) == 0)
        return 0;
    if (err->status == ST_LOST)
        err->status = ST_AGAIN; /* nothing of the caller's was sent */
    rlink_close(rlink);
    return -1;
}

/* ---- talking ---- */

/* hiredis would write without MSG_NOSIGNAL and kill a program that does not ignore SIGPIPE. */
static int send_all(struct rlink *rlink, const char *data, size_t len, struct err *err)
{
    while (len) {
        ssize_t sent = send(rlink->context->fd, data, len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            err_set(err, ST_LOST, "the connection to Redis was lost: %s",
                    errno == EAGAIN ? "it takes nothing within the timeout" : strerror(errno));
            rlink_close(rlink);
            return -1;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return 0;
}

int rlink_send(struct rlink *rlink, const char *command, size_t len, struct err *err)
{
    if (rlink_open(rlink, err) != 0)
        return -1;
    return send_all(rlink, command, len, err);
}

redisReply *rlink_receive(struct rlink *rlink, struct err *err)
{
    void *reply = NULL;

    if (!rlink->context) {
        err_set(err, ST_LOST, "the connection to Redis was lost");
        return NULL;
    }
    if (redisGetReply(rlink->context, &reply) == REDIS_OK)
        return reply;
    err_set(err, ST_LOST, "the connection to Redis was lost: %s",
            rlink->context->err == REDIS_ERR_IO && errno == EAGAIN ? "no answer within the timeout"
                                                                   : rlink->context->errstr);
    rlink_close(rlink);
    return NULL;
}

int rlink_exchange(struct rlink *rlink, const char *commands, size_t len, size_t count,
                   redisReply **ret_replies, struct err *err)
{
    if (rlink_send(rlink, commands, len, err) != 0)
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
    failed = rlink_exchange(rlink, command.data, command.len, 1, &reply, err);
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
