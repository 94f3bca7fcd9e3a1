/* Inside look.h: what Redis is asked. One round asks everything at once; it lives until the last answer has
 * come, maybe longer than who asked. */
#ifndef PGUSHER_LOOK_REDIS_H
#define PGUSHER_LOOK_REDIS_H

#include <jansson.h>

#include "cdc/beside_private.h"
#include "common/rconn.h"
#include "queue/keys.h"

struct look_round {
    struct rconn *rconn;
    const struct config *config; /* NULL: nobody wants it any more */
    bool details;
    size_t pending; /* answers */
    struct look_primary *primaries;
    size_t nprimaries;
    struct reading first, all; /* the records beside the data */
    size_t records_pending;
    struct look_queue *queues; /* as in the configuration */
    struct err err;
    loop_fn *over;
    void *arg;
};

struct look_primary {
    struct look_round *round;
    char *address; /* NULL: that of the connection */
    json_t *json;  /* NULL: not told */
};

struct look_queue {
    struct look_round *round;
    const char *name;
    struct queue_keys keys;
    json_t *json; /* NULL: not told */
    struct err err;
};

/* The connection is up. `over` is called from the loop, once; then it can be told and ended. */
struct look_round *look_round_begin(struct rconn *rconn, const struct config *config, bool details,
                                    loop_fn *over, void *arg);
void look_round_end(struct look_round *round); /* NULL-safe */
/* Puts "redis" and "queues" into status, as far as they are known. */
void look_round_tell(const struct look_round *round, json_t *status);

/* ---- for its own files ---- */

/* An answer has come. */
void look_round_heard(struct look_round *round, const struct err *err);

/* INFO as JSON; the caller's. */
json_t *look_primary_json(const char *address, const char *info);
/* What CLUSTER NODES says of the node itself: its address; NULL: nothing. The caller frees. */
char *look_primary_address(const char *nodes);

/* Asks for all that one queue tells. */
void look_queue_ask(struct look_queue *queue);

#endif
