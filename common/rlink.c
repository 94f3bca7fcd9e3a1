#include "common/rlink.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/redis_nodes.h"
#include "common/redis_tls.h"
#include "common/rlink_private.h"

enum { LOOK_AGAIN_MS = 1000 };

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

bool rlink_redirect(struct rlink *rlink, const char *address)
{
    const struct redis_url *in_use = rlink->server.naddresses ? &rlink->server : &rlink->url;
    bool redirected;
    char *host;
    int port;

    if (!redis_read_address(address, in_use->naddresses ? in_use->addresses[0].host : "", &host, &port))
        return false;
    redirected = redis_url_to_server(&rlink->server, &rlink->url, host, port);
    free(host);
    if (!redirected)
        return false;
    rlink_close(rlink);
    rlink->sent_there = true;
    return true;
}

bool rlink_follow(struct rlink *rlink, const char *error)
{
    struct redis_redirect redirect;

    return redis_read_redirect(error, &redirect) && !redirect.ask && rlink_redirect(rlink, redirect.address);
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
    struct err why = ERR_NONE;

    if (rlink->context)
        return 0;
    rlink->looked_at_ms = clock_mono_ms();
    if (open_somewhere(rlink, &why) == 0)
        return 0;
    rlink->sent_there = false;
    if (why.status == ST_LOST)
        why.status = ST_AGAIN; /* whichever question was not answered: nothing of the caller's was sent */
    err_copy(err, &why);
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
