#include <stdlib.h>

#include "common/mem.h"
#include "common/rconn_kind.h"

struct single {
    struct rconn *rconn;
    struct rconn_link *link;
    char *shown;
};

static void on_up(void *arg)
{
    struct single *single = arg;

    rconn_came_up(single->rconn, single->shown);
}

static void on_down(void *arg, const struct err *why)
{
    struct single *single = arg;

    rconn_went_down(single->rconn, why->status, why->text);
}

static void *single_open(struct rconn *rconn, const struct redis_url *url)
{
    static const struct rconn_handlers handlers = {on_up, on_down};
    struct single *single = mem_zalloc(sizeof(*single));

    single->rconn = rconn;
    single->shown = redis_url_show(url);
    single->link = rconn_link_new(rconn_loop(rconn), ROLE_SERVER, &handlers, single);
    rconn_link_open(single->link, url);
    return single;
}

static void single_send(void *self, int route, const char *command, size_t len, rconn_fn *fn, void *arg)
{
    struct single *single = self;

    (void)route;
    rconn_link_send(single->link, command, len, fn, arg);
}

static void single_close(void *self, const char *why)
{
    struct single *single = self;

    rconn_link_free(single->link, why);
}

static void single_free(void *self)
{
    struct single *single = self;

    free(single->shown);
    free(single);
}

const struct rconn_kind rconn_single = {
    .open = single_open, .send = single_send, .close = single_close, .free = single_free};
