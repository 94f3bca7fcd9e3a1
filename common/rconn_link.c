#include "common/rconn_link.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"
#include "common/redis_guard.h"
#include "common/redis_tls.h"
#include "common/rconn_greet.h"
#include "common/script.h"

#define ERROR_PREFIX "Redis: "

enum { CONNECT_DEADLINE_MS = 5000 };
enum state { CLOSED, CONNECTING, GREETING, UP };

struct pending {
    struct rconn_link *link;
    rconn_fn *fn;
    void *arg;
};

struct rconn_link {
    struct loop *loop;
    enum rconn_role role;
    struct rconn_handlers handlers;
    void *arg;
    enum state state;
    redisAsyncContext *context;
    struct redis_guard *guard; /* of its replies; lives longer than it */
    struct io *io;
    bool want_read;
    bool want_write;
    struct timer *deadline;
    size_t outstanding;
    struct redis_url url;
    rconn_message_fn *on_message;
    void *message_arg;
    struct err why_down;
    bool going_down;
    bool freed;
};

/* ---- the event loop under hiredis ---- */

static void want(struct rconn_link *link, bool read, bool write)
{
    link->want_read = read;
    link->want_write = write;
    if (link->context)
        io_set(link->io, link->context->c.fd, read, write);
}

static void add_read(void *arg)
{
    struct rconn_link *link = arg;

    want(link, true, link->want_write);
}

static void del_read(void *arg)
{
    struct rconn_link *link = arg;

    want(link, false, link->want_write);
}

static void add_write(void *arg)
{
    struct rconn_link *link = arg;

    want(link, link->want_read, true);
}

static void del_write(void *arg)
{
    struct rconn_link *link = arg;

    want(link, link->want_read, false);
}

/* hiredis forgets its context after this hook; it must not be touched again. */
static void cleanup(void *arg)
{
    struct rconn_link *link = arg;

    link->want_read = link->want_write = false;
    io_set(link->io, -1, false, false);
}

static void on_io(void *arg, bool readable, bool writable)
{
    struct rconn_link *link = arg;

    if (link->url.tls)
        redis_tls_forget();
    if (writable && link->context && link->want_write)
        redisAsyncHandleWrite(link->context);
    if (readable && link->context && link->want_read)
        redisAsyncHandleRead(link->context);
}

/* ---- going down ---- */

static void release(struct rconn_link *link)
{
    io_free(link->io);
    timer_free(link->deadline);
    redis_url_free(&link->url);
    free(link);
}

/* Runs from the loop, because hiredis 0.14 must not be freed inside its own callbacks. */
static void finish_going_down(void *arg)
{
    struct rconn_link *link = arg;
    redisAsyncContext *context = link->context;
    struct err why = link->why_down;

    link->state = CLOSED;
    link->context = NULL;
    if (context)
        redisAsyncFree(context); /* calls what is outstanding, with no reply */
    redis_guard_free(link->guard);
    link->guard = NULL;
    io_set(link->io, -1, false, false);
    timer_stop(link->deadline);
    link->on_message = NULL;
    link->going_down = false;
    if (link->freed)
        release(link);
    else
        link->handlers.down(link->arg, &why);
}

static void go_down(struct rconn_link *link, enum status status, const char *why)
{
    if (link->going_down)
        return;
    err_clear(&link->why_down);
    err_set(&link->why_down, status, "%s", why);
    link->going_down = true;
    link->state = CLOSED;
    timer_stop(link->deadline);
    loop_defer(link->loop, finish_going_down, link);
}

static void drop_with(struct rconn_link *link, enum status status, const char *what)
{
    char *shown = redis_url_show(&link->url);
    char *why = mem_printf("%s at %s: %s", link->role == ROLE_SENTINEL ? "Sentinel" : "Redis", shown, what);

    if (link->state != CLOSED)
        go_down(link, status, why);
    free(why);
    free(shown);
}

void rconn_link_free(struct rconn_link *link, const char *why)
{
    if (!link)
        return;
    link->freed = true;
    link->state = CLOSED;
    go_down(link, ST_LOST, why);
}

/* ---- coming up ---- */

static void on_deadline(void *arg)
{
    struct rconn_link *link = arg;

    if (link->state == UP)
        drop_with(link, ST_LOST, "no reply within the deadline");
    else
        drop_with(link, ST_AGAIN,
                  link->url.tls ? "no answer while connecting; does it speak TLS there?"
                                : "no answer while connecting");
}

static void watch_progress(struct rconn_link *link)
{
    if (link->outstanding)
        timer_start(link->deadline, link->state == UP ? RCONN_DEADLINE_MS : CONNECT_DEADLINE_MS);
    else
        timer_stop(link->deadline);
}

struct rconn_link *rconn_link_new(struct loop *loop, enum rconn_role role,
                                  const struct rconn_handlers *handlers, void *arg)
{
    struct rconn_link *link = mem_zalloc(sizeof(*link));

    link->loop = loop;
    link->role = role;
    link->handlers = *handlers;
    link->arg = arg;
    link->io = io_new(loop, on_io, link);
    link->deadline = timer_new(loop, on_deadline, link);
    return link;
}

bool rconn_link_is_up(const struct rconn_link *link)
{
    return link->state == UP;
}

/* hiredis reports here that the connection is gone and frees the context itself afterwards. */
static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct rconn_link *link = context->data;

    if (link->context != context)
        return;
    link->context = NULL;
    drop_with(link, link->state == UP ? ST_LOST : ST_AGAIN,
              status == REDIS_OK ? "disconnected" : redis_tls_why(&context->c));
}

static void on_greeted(void *arg, const struct err *err)
{
    struct rconn_link *link = arg;

    if (link->state != GREETING)
        return;
    if (err) {
        drop_with(link, err->status, err->text);
        return;
    }
    link->state = UP;
    watch_progress(link);
    link->handlers.up(link->arg);
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct rconn_link *link = context->data;

    if (link->context != context)
        return;
    if (status != REDIS_OK) {
        link->context = NULL;
        drop_with(link, ST_AGAIN, redis_tls_why(&context->c));
    } else if (link->state == CONNECTING) {
        link->state = GREETING;
        rconn_greet(link, link->role, &link->url, on_greeted, link);
    }
}

static void on_refused(void *arg, const char *why)
{
    drop_with(arg, ST_LOST, why);
}

static void attach(struct rconn_link *link, redisAsyncContext *context)
{
    link->context = context;
    link->guard = redis_guard_new(context->c.reader, &link->outstanding, on_refused, link);
    context->data = link;
    context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    if (!link->url.path)
        redisEnableKeepAlive(&context->c);
}

static redisAsyncContext *connect_to(const struct redis_url *url)
{
    redisAsyncContext *context = url->path
                                     ? redisAsyncConnectUnix(url->path)
                                     : redisAsyncConnect(url->addresses[0].host, url->addresses[0].port);

    if (!context)
        mem_exhausted();
    return context;
}

void rconn_link_open(struct rconn_link *link, const struct redis_url *url)
{
    redisAsyncContext *context;
    struct err err = ERR_NONE;

    redis_url_copy(&link->url, url);
    context = connect_to(&link->url);
    link->state = CONNECTING;
    link->outstanding = 0;
    if (context->err)
        err_set(&err, ST_AGAIN, "%s", context->errstr);
    else if (url->tls)
        redis_tls_wrap(&context->c, &link->url, &err);
    if (err.status != ST_OK) {
        drop_with(link, err.status, err.text);
        redisAsyncFree(context);
        return;
    }
    attach(link, context);
    timer_start(link->deadline, CONNECT_DEADLINE_MS);
}

/* ---- commands ---- */

static void set_lost(const struct rconn_link *link, const redisAsyncContext *context, struct err *err)
{
    const char *what = context->err ? redis_tls_why(&context->c) : "the connection was lost";
    char *shown = redis_url_show(&link->url);

    if (link->going_down)
        err_set(err, ST_LOST, "%s", link->why_down.text);
    else if (link->state == GREETING)
        err_set(err, ST_AGAIN, "%s", what);
    else
        err_set(err, ST_LOST, "Redis at %s: %s", shown, what);
    free(shown);
}

const char *rconn_link_said(const struct err *err)
{
    size_t len = strlen(ERROR_PREFIX);

    return strncmp(err->text, ERROR_PREFIX, len) == 0 ? err->text + len : err->text;
}

static void take_error(struct rconn_link *link, const char *text, struct err *err)
{
    if (link->role != ROLE_NODE && redis_error_redirects(text))
        err_set(err, ST_CONFIG,
                "this Redis is a node of a Redis Cluster; its address must begin with redis+cluster://");
    else
        err_set(err, redis_error_classify(text), ERROR_PREFIX "%s", text);
}

static void on_reply(redisAsyncContext *context, void *raw, void *privdata)
{
    struct pending *pending = privdata;
    struct rconn_link *link = pending->link;
    const redisReply *reply = raw;
    bool is_error = reply && reply->type == REDIS_REPLY_ERROR;
    struct err err = ERR_NONE;

    link->outstanding--;
    if (!reply)
        set_lost(link, context, &err);
    else if (is_error)
        take_error(link, reply->str, &err);
    if (link->state != CLOSED)
        watch_progress(link);
    pending->fn(pending->arg, err.status == ST_OK ? (const struct rreply *)reply : NULL,
                err.status == ST_OK ? NULL : &err);
    if (is_error && link->state == UP && redis_error_is_of_server(reply->str))
        drop_with(link, err.status, reply->str);
    free(pending);
}

void rconn_link_send(struct rconn_link *link, const char *command, size_t len, rconn_fn *fn, void *arg)
{
    struct pending *pending;

    if (link->state != UP && link->state != GREETING) {
        rconn_refuse(link->loop, &link->why_down, fn, arg);
        return;
    }
    pending = mem_alloc(sizeof(*pending));
    *pending = (struct pending){link, fn, arg};
    if (!redis_guard_submit(link->context, on_reply, pending, command, len)) {
        rconn_refuse(link->loop, &link->why_down, fn, arg);
        free(pending);
    } else if (link->outstanding++ == 0 && link->state == UP) {
        watch_progress(link);
    }
}

void rconn_link_command(struct rconn_link *link, int argc, const char *const *argv, rconn_fn *fn, void *arg)
{
    struct buf command = BUF_NONE;

    resp_put_command(&command, argc, argv);
    rconn_link_send(link, command.data, command.len, fn, arg);
    buf_free(&command);
}

/* ["message", channel, text]; also ["subscribe", channel, count], and NULL at the end. */
static void on_published(redisAsyncContext *context, void *raw, void *privdata)
{
    struct rconn_link *link = privdata;
    const redisReply *reply = raw;

    (void)context;
    if (link->on_message && reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        reply->element[2]->type == REDIS_REPLY_STRING)
        link->on_message(link->message_arg, reply->element[2]->str);
}

void rconn_link_subscribe(struct rconn_link *link, const char *channel, rconn_message_fn *fn, void *arg)
{
    if (link->state != UP)
        return;
    link->on_message = fn;
    link->message_arg = arg;
    redis_guard_subscribe(link->guard, channel);
    redisAsyncCommand(link->context, on_published, link, "SUBSCRIBE %s", channel);
}
