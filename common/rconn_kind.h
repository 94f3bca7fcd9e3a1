/* What stands behind an rconn: one server (rconn_single.c), the primary that Sentinel names
 * (rconn_sentinel.c), the primaries of a cluster (rconn_cluster.c). Private to these.
 *
 * An rconn has at most one of them, from rconn_open until it has gone down. rconn.c sees to it that going
 * down happens once: it tells `close`, and when all that were outstanding have been told, `free`.
 */
#ifndef PGUSHER_RCONN_KIND_H
#define PGUSHER_RCONN_KIND_H

#include "common/rconn_link.h"

struct rconn_kind {
    /* Begins to connect; rconn_came_up or rconn_went_down follows. */
    void *(*open)(struct rconn *rconn, const struct redis_url *url);
    /* While up. */
    void (*send)(void *self, int route, const char *command, size_t len, rconn_fn *fn, void *arg);
    /* Frees its links, which then tell what is outstanding from the loop. No callback is called in here. */
    void (*close)(void *self, const char *why);
    void (*free)(void *self);
    /* NULL: there is one primary, and route 0 leads there. */
    int (*route)(const char *key, size_t len);
    size_t (*primaries)(const void *self);
    int (*primary_route)(const void *self, size_t i);
    size_t (*primary_of)(const void *self, int route);
    const char *(*route_tag)(int route);
};

extern const struct rconn_kind rconn_single, rconn_sentinel, rconn_cluster;

/* identity: the caller's. Does nothing when it was dropped meanwhile: the last greeting may come with what
 * made the owner drop it. */
void rconn_came_up(struct rconn *rconn, const char *identity);
/* Does nothing when it is down or on the way. */
void rconn_went_down(struct rconn *rconn, enum status status, const char *why);

#endif
