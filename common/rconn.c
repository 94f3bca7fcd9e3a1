#include "common/rconn.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rconn_kind.h"
#include "common/script.h"

/* During a failover nobody is the primary for a moment: that is waited for here, because to begin anew costs
 * the owner more. */
enum { PATIENCE_MS = 5000, LOOK_AGAIN_MS = 250 };

enum state { CLOSED, OPENING, UP };

struct rconn {
    struct loop *loop;
    struct rconn_handlers handlers;
    void *arg;
    enum state state;
    const struct rconn_kind *kind;
    void *self; /* of this kind; NULL while closed */
    struct redis_url url;
    int64_t patient_until_ms;
    struct timer *look_again;
    char *identity;
    size_t primaries; /* as many as there were when it last came up */
    struct err why_down;
    bool going_down;
    bool again; /* instead of telling the owner */
    bool freed;
};

static void open_now(void *arg)
{
    struct rconn *rconn = arg;

    rconn->self = rconn->kind->open(rconn, &rconn->url);
}

struct rconn *rconn_new(struct loop *loop, const struct rconn_handlers *handlers, void *arg)
{
    struct rconn *rconn = mem_zalloc(sizeof(*rconn));

    rconn->loop = loop;
    rconn->handlers = *handlers;
    rconn->arg = arg;
    rconn->kind = &rconn_single;
    rconn->look_again = timer_new(loop, open_now, rconn);
    return rconn;
}

struct loop *rconn_loop(const struct rconn *rconn)
{
    return rconn->loop;
}

bool rconn_is_up(const struct rconn *rconn)
{
    return rconn->state == UP;
}

const char *rconn_identity(const struct rconn *rconn)
{
    return rconn->identity ? rconn->identity : "";
}

/* ---- up and down ---- */

void rconn_open(struct rconn *rconn, const struct redis_url *url)
{
    static const struct rconn_kind *const kinds[] = {
        [REDIS_SINGLE] = &rconn_single,
        [REDIS_SENTINEL] = &rconn_sentinel,
        [REDIS_CLUSTER] = &rconn_cluster,
    };

    redis_url_copy(&rconn->url, url);
    rconn->kind = kinds[url->kind];
    rconn->primaries = 1;
    rconn->state = OPENING;
    rconn->patient_until_ms = url->kind == REDIS_SINGLE ? 0 : clock_mono_ms() + PATIENCE_MS;
    open_now(rconn);
}

void rconn_came_up(struct rconn *rconn, const char *identity)
{
    if (rconn->state != OPENING)
        return;
    if (rconn->kind->primaries)
        rconn->primaries = rconn->kind->primaries(rconn->self);
    free(rconn->identity);
    rconn->identity = mem_strdup(identity);
    rconn->state = UP;
    rconn->handlers.up(rconn->arg);
}

static void release(struct rconn *rconn)
{
    timer_free(rconn->look_again);
    redis_url_free(&rconn->url);
    free(rconn->identity);
    free(rconn);
}

static void finish_going_down(void *arg)
{
    struct rconn *rconn = arg;
    struct err why = rconn->why_down;

    if (rconn->self)
        rconn->kind->free(rconn->self);
    rconn->self = NULL;
    rconn->going_down = false;
    if (rconn->freed) {
        release(rconn);
    } else if (rconn->again) {
        rconn->state = OPENING;
        timer_start(rconn->look_again, LOOK_AGAIN_MS);
    } else {
        rconn->handlers.down(rconn->arg, &why);
    }
}

/* Deferred calls run in the order in which they were deferred: those of the links come first, with all that
 * was outstanding. */
static void close_and_finish(void *arg)
{
    struct rconn *rconn = arg;

    if (rconn->self)
        rconn->kind->close(rconn->self, rconn->why_down.text);
    loop_defer(rconn->loop, finish_going_down, rconn);
}

/* From the loop, because `open` itself may still be on the stack. */
static void go_down(struct rconn *rconn, enum status status, const char *why)
{
    if (rconn->going_down)
        return;
    err_clear(&rconn->why_down);
    err_set(&rconn->why_down, status, "%s", why);
    rconn->again =
        rconn->state == OPENING && status != ST_CONFIG && clock_mono_ms() < rconn->patient_until_ms;
    timer_stop(rconn->look_again);
    rconn->going_down = true;
    rconn->state = CLOSED;
    loop_defer(rconn->loop, close_and_finish, rconn);
}

void rconn_went_down(struct rconn *rconn, enum status status, const char *why)
{
    if (rconn->state != CLOSED)
        go_down(rconn, status, why);
}

void rconn_drop(struct rconn *rconn, enum status status, const char *why)
{
    rconn->patient_until_ms = 0;
    rconn->again = false;
    rconn_went_down(rconn, status, why);
}

void rconn_free(struct rconn *rconn)
{
    if (!rconn)
        return;
    rconn->freed = true;
    go_down(rconn, ST_LOST, "Redis: the connection was closed by its owner");
}

/* ---- routes ---- */

int rconn_route(const struct rconn *rconn, const char *key, size_t len)
{
    return rconn->kind->route ? rconn->kind->route(key, len) : 0;
}

size_t rconn_primaries(const struct rconn *rconn)
{
    return rconn->primaries;
}

int rconn_primary_route(const struct rconn *rconn, size_t i)
{
    if (!rconn->kind->primary_route)
        return 0;
    return rconn->state == UP ? rconn->kind->primary_route(rconn->self, i) : RCONN_ANY;
}

size_t rconn_primary_of(const struct rconn *rconn, int route)
{
    if (!rconn->kind->primary_of || rconn->state != UP || route == RCONN_ANY)
        return 0;
    return rconn->kind->primary_of(rconn->self, route);
}

const char *rconn_route_tag(const struct rconn *rconn, int route)
{
    return rconn->kind->route_tag ? rconn->kind->route_tag(route < 0 ? 0 : route) : NULL;
}

/* ---- commands ---- */

void rconn_send_raw(struct rconn *rconn, int route, const char *command, size_t len, rconn_fn *fn, void *arg)
{
    if (rconn->state == UP)
        rconn->kind->send(rconn->self, route, command, len, fn, arg);
    else
        rconn_refuse(rconn->loop, &rconn->why_down, fn, arg);
}

void rconn_send(struct rconn *rconn, int route, int argc, const char *const *argv, const size_t *lens,
                rconn_fn *fn, void *arg)
{
    struct buf command = BUF_NONE;

    buf_printf(&command, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++)
        resp_put_bulk(&command, argv[i], lens ? lens[i] : strlen(argv[i]));
    rconn_send_raw(rconn, route, command.data, command.len, fn, arg);
    buf_free(&command);
}
