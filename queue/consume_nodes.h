/* Commands about one key each, in pipelines: in a Redis Cluster each key may be on another node, so MOVED and
 * ASK are followed per key.
 *
 * Every call blocks until its answers. A node that failed is not asked again for a while, so that one which
 * hangs costs its timeout once, however many want something of it; what is at the others can be had.
 */
#ifndef PGUSHER_CONSUME_NODES_H
#define PGUSHER_CONSUME_NODES_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/redis_url.h"
#include "common/rlink.h"
#include "common/status.h"

enum { NODES_PIPELINE = 100 };

struct node;
struct nodes;

/* "VERB key", and its answer. */
struct question {
    const char *verb;
    const char *key;
    size_t len;
    redisReply *reply; /* NULL: to be asked. The caller frees. An error reply is a reply. */
    struct node *node; /* this and the next: for nodes_ask alone */
    bool asking;
};

/* Takes the URL's content over; does not connect. */
struct nodes *nodes_new(struct redis_url *url, int timeout_ms);
void nodes_free(struct nodes *nodes); /* NULL-safe */

/* Behind sentinels, asks where this connection is from now on: a primary that was replaced may go on for
 * seconds, and whose queue is read on one must not be told what the documents are on the other. */
void nodes_stay_with(struct nodes *nodes, const struct rlink *queue);

/* Asks at most NODES_PIPELINE questions. 0; or -1 with err, and then some may have been answered. */
int nodes_ask(struct nodes *nodes, struct question *questions, size_t count, struct err *err);

#endif
