/* Between the parts of an rlink: rlink.c talks, rlink_sentinel.c finds the primary. */
#ifndef PGUSHER_RLINK_PRIVATE_H
#define PGUSHER_RLINK_PRIVATE_H

#include "common/rlink.h"

/* Connects to `server` alone, and greets it. 0, or -1 with err set, and then it is closed. */
int rlink_open_server(struct rlink *rlink, const struct redis_url *server, struct err *err);
/* The same with the primary that url's sentinels name. *ret_epoch: that of the failover that made it so. */
int rlink_open_primary(struct rlink *rlink, const struct redis_url *url, int64_t *ret_epoch, struct err *err);
/* Whether the i-th sentinel names another primary than `server`, since a failover later than `epoch`. */
bool rlink_was_replaced(const struct redis_url *url, size_t i, const struct redis_url *server, int64_t epoch);

#endif
