#include "common/rconn.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_error.h"

#define ERROR_PREFIX "Redis: "

enum { CONNECT_DEADLINE_MS = 5000 };

enum state { CLOSED, CONNECTING, GREETING, UP };

struct pending {
    struct rconn *rconn;
    rconn_fn *fn;
    void *arg;
};

struct rconn {
    struct loop *loop;
    struct rconn_handlers handlers;
    void *arg;
    enum state state;
    redisAsyncContext *context;
    struct io *io;
    bool want_read;
    bool want_write;
    struct timer *deadline;
    size_t outstanding;
    struct redis_url url;
    int greetings; /* answers still awaited before the connection is up */
    struct err why_down;
    bool going_down;
    bool freed;
};

/* ---- the event loop under hiredis ---- */

static void update_io(struct rconn *rconn)
{
    if (rconn->context)
        io_set(rconn->io, rconn->context->c.fd, rconn->want_read, rconn->want_write);
}

static void add_read(void *arg)
{
    struct rconn *rconn = arg;

    rconn->want_read = true;
    update_io(rconn);
}

static void del_read(void *arg)
{
    struct rconn *rconn = arg;

    rconn->want_read = false;
    update_io(rconn);
}

static void add_write(void *arg)
{
    struct rconn *rconn = arg;

    rconn->want_write = true;
    update_io(rconn);
}

static void del_write(void *arg)
{
    struct rconn *rconn = arg;

    rconn->want_write = false;
    update_io(rconn);
}

/* hiredis forgets its context after this hook; it must not be touched again. */
static void cleanup(void *arg)
{
    struct rconn *rconn = arg;

    rconn->want_read = rconn->want_write = false;
    io_set(rconn->io, -1, false, false);
}

static void on_io(void *arg, bool readable, bool writable)
{
    struct rconn *rconn = arg;

    if (writable && rconn->context && rconn->want_write)
        redisAsyncHandleWrite(rconn->context);
    if (readable && rconn->context && rconn->want_read)
        redisAsyncHandleRead(rconn->context);
}

/* ---- life of the connection ---- */

static void on_deadline(void *arg)
{
    struct rconn *rconn = arg;

    if (rconn->state == UP)
        rconn_drop(rconn, ST_LOST, "Redis: no reply within the deadline");
    else
        rconn_drop(rconn, ST_AGAIN, "Redis: no answer while connecting");
}

static void watch_progress(struct rconn *rconn)
{
    if (rconn->outstanding)
        timer_start(rconn->deadline, rconn->state == UP ? RCONN_DEADLINE_MS : CONNECT_DEADLINE_MS);
    else
        timer_stop(rconn->deadline);
}

struct rconn *rconn_new(struct loop *loop, const struct rconn_handlers *handlers, void *arg)
{
    struct rconn *rconn = mem_zalloc(sizeof(*rconn));

    rconn->loop = loop;
    rconn->handlers = *handlers;
    rconn->arg = arg;
    rconn->io = io_new(loop, on_io, rconn);
    rconn->deadline = timer_new(loop, on_deadline, rconn);
    return rconn;
}

static void release(struct rconn *rconn)
{
    io_free(rconn->io);
    timer_free(rconn->deadline);
    redis_url_free(&rconn->url);
    free(rconn);
}

/* Runs from the loop, because hiredis 0.14 must not be freed inside its own callbacks. */
static void finish_going_down(void *arg)
{
    struct rconn *rconn = arg;
    redisAsyncContext *context = rconn->context;
    struct err why = rconn->why_down;

    rconn->state = CLOSED;
    rconn->context = NULL;
    if (context)
        redisAsyncFree(context); /* calls what is outstanding, with no reply */
    io_set(rconn->io, -1, false, false);
    timer_stop(rconn->deadline);
    rconn->going_down = false;
    if (rconn->freed)
        release(rconn);
    else
        rconn->handlers.down(rconn->arg, &why);
}

static void go_down(struct rconn *rconn, enum status status, const char *why)
{
    if (rconn->going_down)
        return;
    err_clear(&rconn->why_down);
    err_set(&rconn->why_down, status, "%s", why);
    rconn->going_down = true;
    rconn->state = CLOSED;
    timer_stop(rconn->deadline);
    loop_defer(rconn->loop, finish_going_down, rconn);
}

void rconn_drop(struct rconn *rconn, enum status status, const char *why)
{
    if (rconn->state != CLOSED)
        go_down(rconn, status, why);
}

void rconn_free(struct rconn *rconn)
{
    if (!rconn)
        return;
    rconn->freed = true;
    rconn->state = CLOSED;
    go_down(rconn, ST_LOST, "Redis: the connection was closed by its owner");
}

struct loop *rconn_loop(const struct rconn *rconn)
{
    return rconn->loop;
}

bool rconn_is_up(const struct rconn *rconn)
{
    return rconn->state == UP;
}

static void drop_with(struct rconn *rconn, enum status status, const char *what)
{
    char *shown = redis_url_show(&rconn->url);
    char *why = mem_printf("Redis at %s: %s", shown, what);

    if (rconn->state != CLOSED)
        go_down(rconn, status, why);
    free(why);
    free(shown);
}

/* hiredis reports here that the connection is gone and frees the context itself afterwards. */
static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct rconn *rconn = context->data;

    if (rconn->context != context)
        return;
    rconn->context = NULL;
    drop_with(rconn, ST_LOST, status == REDIS_OK ? "disconnected" : context->errstr);
}

static void on_greeting(void *arg, const struct rreply *reply, const struct err *err)
{
    struct rconn *rconn = arg;

    (void)reply;
    if (rconn->state != GREETING)
        return;
    if (err) {
        drop_with(rconn, err->status == ST_REFUSED ? ST_CONFIG : err->status,
                  err->text + strlen(ERROR_PREFIX));
        return;
    }
    if (--rconn->greetings > 0)
        return;
    rconn->state = UP;
    watch_progress(rconn);
    rconn->handlers.up(rconn->arg);
}

static void greet(struct rconn *rconn, int argc, const char *const *argv)
{
    size_t lens[4];

    for (int i = 0; i < argc; i++)
        lens[i] = strlen(argv[i]);
    rconn->greetings++;
    rconn_send(rconn, RCONN_ANY, argc, argv, lens, on_greeting, rconn);
}

static void send_greetings(struct rconn *rconn)
{
    const struct redis_url *url = &rconn->url;
    char db[16];

    rconn->greetings = 0;
    if (url->password && url->user)
        greet(rconn, 3, (const char *const[]){"AUTH", url->user, url->password});
    else if (url->password)
        greet(rconn, 2, (const char *const[]){"AUTH", url->password});
    snprintf(db, sizeof(db), "%d", url->db);
    if (url->db)
        greet(rconn, 2, (const char *const[]){"SELECT", db});
    /* Unlike PING it is refused while the data set is loading. */
    greet(rconn, 2, (const char *const[]){"EXISTS", "pgusher:epoch"});
}

static void on_connect(const redisAsyncContext *context, int status)
{
    struct rconn *rconn = context->data;

    if (rconn->context != context)
        return;
    if (status != REDIS_OK) {
        rconn->context = NULL;
        drop_with(rconn, ST_AGAIN, context->errstr);
        return;
    }
    if (rconn->state != CONNECTING)
        return;
    rconn->state = GREETING;
    send_greetings(rconn);
}

static void attach(struct rconn *rconn, redisAsyncContext *context)
{
    rconn->context = context;
    context->data = rconn;
    context->ev.data = rconn;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
    if (!rconn->url.path)
        redisEnableKeepAlive(&context->c);
}

void rconn_open(struct rconn *rconn, const struct redis_url *url)
{
    redisAsyncContext *context;

    if (url != &rconn->url)
        redis_url_copy(&rconn->url, url);
    context = url->path ? redisAsyncConnectUnix(rconn->url.path)
                        : redisAsyncConnect(rconn->url.host, rconn->url.port);
    rconn->state = CONNECTING;
    rconn->outstanding = 0;
    if (!context)
        abort();
    if (context->err) {
        drop_with(rconn, ST_AGAIN, context->errstr);
        redisAsyncFree(context);
        return;
    }
    attach(rconn, context);
    timer_start(rconn->deadline, CONNECT_DEADLINE_MS);
}

/* ---- routes: there is one server ---- */

int rconn_route(const struct rconn *rconn, const char *key, size_t len)
{
    (void)rconn, (void)key, (void)len;
    return 0;
}

size_t rconn_primaries(const struct rconn *rconn)
{
    (void)rconn;
    return 1;
}

int rconn_primary_route(const struct rconn *rconn, size_t i)
{
    (void)rconn, (void)i;
    return 0;
}

const char *rconn_route_tag(const struct rconn *rconn, int route)
{
    (void)rconn, (void)route;
    return NULL;
}

/* ---- commands ---- */

static void set_lost(const struct rconn *rconn, const redisAsyncContext *context, struct err *err)
{
    if (rconn->going_down)
        err_set(err, ST_LOST, "%s", rconn->why_down.text);
    else
        err_set(err, ST_LOST, ERROR_PREFIX "%s", context->err ? context->errstr : "the connection was lost");
}

static void on_reply(redisAsyncContext *context, void *raw, void *privdata)
{
    struct pending *pending = privdata;
    struct rconn *rconn = pending->rconn;
    const redisReply *reply = raw;
    struct err err = ERR_NONE;

    rconn->outstanding--;
    if (!reply)
        set_lost(rconn, context, &err);
    else if (reply->type == REDIS_REPLY_ERROR)
        err_set(&err, redis_error_classify(reply->str), ERROR_PREFIX "%s", reply->str);
    if (rconn->state != CLOSED)
        watch_progress(rconn);
    pending->fn(pending->arg, err.status == ST_OK ? (const struct rreply *)reply : NULL,
                err.status == ST_OK ? NULL : &err);
    free(pending);
}

static void fail_later(void *arg)
{
    struct pending *pending = arg;
    struct err err = {ST_LOST, "Redis: not connected"};

    pending->fn(pending->arg, NULL, &err);
    free(pending);
}

static struct pending *pending_new(struct rconn *rconn, rconn_fn *fn, void *arg)
{
    struct pending *pending = mem_alloc(sizeof(*pending));

    *pending = (struct pending){rconn, fn, arg};
    return pending;
}

static void sent(struct rconn *rconn, struct pending *pending, int result)
{
    if (result != REDIS_OK) {
        loop_defer(rconn->loop, fail_later, pending);
        return;
    }
    if (rconn->outstanding++ == 0 && rconn->state == UP)
        watch_progress(rconn);
}

static bool can_send(const struct rconn *rconn)
{
    return rconn->state == UP || rconn->state == GREETING;
}

void rconn_send(struct rconn *rconn, int route, int argc, const char *const *argv, const size_t *lens,
                rconn_fn *fn, void *arg)
{
    struct pending *pending = pending_new(rconn, fn, arg);
    int result = REDIS_ERR;

    (void)route;
    if (can_send(rconn))
        result = redisAsyncCommandArgv(rconn->context, on_reply, pending, argc, (const char **)argv, lens);
    sent(rconn, pending, result);
}

void rconn_send_raw(struct rconn *rconn, int route, const char *command, size_t len, rconn_fn *fn, void *arg)
{
    struct pending *pending = pending_new(rconn, fn, arg);
    int result = REDIS_ERR;

    (void)route;
    if (can_send(rconn))
        result = redisAsyncFormattedCommand(rconn->context, on_reply, pending, command, len);
    sent(rconn, pending, result);
}
