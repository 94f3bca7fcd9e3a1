/* Between the parts of an rlink: rlink.c opens it, rlink_sentinel.c finds the primary, rlink_talk.c talks. */
#ifndef PGUSHER_RLINK_PRIVATE_H
#define PGUSHER_RLINK_PRIVATE_H

#include "common/redis_url.h"
#include "common/rlink.h"

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

/* Connects to `server` alone, and greets it. 0, or -1 with err set, and then it is closed. */
int rlink_open_server(struct rlink *rlink, const struct redis_url *server, struct err *err);
/* The same with the primary that url's sentinels name. *ret_epoch: that of the failover that made it so. */
int rlink_open_primary(struct rlink *rlink, const struct redis_url *url, int64_t *ret_epoch, struct err *err);
/* Whether the i-th sentinel names another primary than `server`, since a failover later than `epoch`. */
bool rlink_was_replaced(const struct redis_url *url, size_t i, const struct redis_url *server, int64_t epoch);

#endif
