/* The first words on a new connection: password, database, and whether there is whom we expect. */
#ifndef PGUSHER_RCONN_GREET_H
#define PGUSHER_RCONN_GREET_H

#include "common/rconn_link.h"

typedef void rconn_greeted_fn(void *arg, const struct err *err);

/* fn is called once: err NULL, or why it is not to be used. The URL must live until then. */
void rconn_greet(struct rconn_link *link, enum rconn_role role, const struct redis_url *url,
                 rconn_greeted_fn *fn, void *arg);

#endif
