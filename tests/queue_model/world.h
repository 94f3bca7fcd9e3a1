/* The world of one history: a source of documents with versions, consumers in all states of health, time,
 * chance, and what is known for certain about them. Redis and the library are real; the scripts read the time
 * from "test:now".
 *
 * A history ends at the first thing that is broken; everything here does nothing good afterwards. */
#ifndef QUEUE_MODEL_WORLD_H
#define QUEUE_MODEL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hiredis/hiredis.h>

#include "queue/pgusher-queue.h"

#define QUEUE "{q}"

enum {
    MAX_DOCS = 32,
    MAX_HANDLES = 400,
    MAX_HOLDINGS = 4,
    MAX_BATCH = 10,
    MAX_PLAIN = 3,
    TRAIL = 30,
    LEASE_MS = 1000,
    PLAIN_TIMEOUT_MS = 20000,
    MAX_DELAY_MS = 3000,
};

/* What a queue is used for. */
struct config {
    const char *name;
    bool coalesce;
    bool plain_consumers;
    bool plain_producers;
    int max_failures;
    int max_crashes;
    int docs;
    int consumers;
    bool removals; /* from the middle of the list: after one, items may be queued twice */
};

/* No plain program is about: then every failure and every crash is known. */
bool config_is_native(const struct config *config);

/* Versions: 0 never changed. All that is known about a document from outside the queue. */
struct doc {
    int64_t version; /* in the source */
    int64_t pushed;  /* the newest of which the queue was told */
    int64_t indexed; /* the newest that was handled to the end */
    int64_t waived;  /* an operator threw it away then */
    int failures;    /* the most there can be since the last success */
    int crashes;
    bool unsure;       /* an answer was lost: there may be fewer failures than that */
    uint64_t credited; /* token of the last delivery that was counted as a possible crash */
};

/* A batch, and what its consumer has read of its documents. */
struct holding {
    struct pgusher_queue_batch *batch;
    uint64_t token;
    size_t count;
    int docs[MAX_BATCH];
    int64_t read[MAX_BATCH]; /* version, -1: not read yet */
    bool gone[MAX_BATCH];    /* not ours any more: thrown away, or settled by a call whose answer was lost */
    bool lapsed;             /* since it was given, there was a moment at which its lease had run out */
};

struct handle {
    struct pgusher_queue *queue;
    bool alive;       /* false: crashed. It may come back, as a process does that was stopped for long. */
    int64_t deadline; /* of its lease, 0 while it has none */
    struct holding holdings[MAX_HOLDINGS];
    size_t nholdings;
    int moved[MAX_DOCS]; /* what blocking moves brought since its last reserve */
    bool unsure;         /* the answer of a reserve was lost, and there was none since */
};

struct plain {
    int doc; /* -1: idle */
    int64_t read;
    int64_t since;
};

struct world {
    const struct config *config;
    const char *url;
    redisContext *redis;
    uint64_t seed;
    uint64_t chance;
    int step;
    int64_t now;
    bool paused;
    struct doc docs[MAX_DOCS];
    struct handle handles[MAX_HANDLES];
    size_t nhandles;
    struct plain plains[MAX_PLAIN];
    struct pgusher_queue *producer; /* pushes, and does an operator's work */
    uint64_t last_token;
    bool inexact; /* something was removed from the middle: until the list is empty, items may wait twice */
    char trail[TRAIL][200];
    bool broken;
    char why[600];
};

/* An empty Redis, no consumers. seed 0 is as good as any. */
void world_begin(struct world *world, const struct config *config, const char *url, redisContext *redis,
                 uint64_t seed);
void world_end(struct world *world);

/* ---- chance ---- */
uint64_t world_random(struct world *world);
size_t world_below(struct world *world, size_t limit);
bool world_percent(struct world *world, unsigned percent);

/* ---- time ---- */
void world_set_time(struct world *world, int64_t now);
void world_pass(struct world *world, int64_t ms);

/* ---- documents ---- */
struct pgusher_queue_item doc_item(int doc);
int doc_of(const char *data, size_t len); /* -1: no document has this name */

/* ---- talking to Redis past the library ---- */
/* Ends the program if Redis fails or refuses. */
redisReply *world_redis(struct world *world, const char *format, ...);
int64_t world_integer(struct world *world, const char *format, ...);
/* One of the scripts, with the ten keys of the queue and, if not NULL, the processing list of `consumer`. */
redisReply *world_script(struct world *world, const char *name, const char *consumer, int argc,
                         const char *const *argv);
void world_digest(struct world *world, char digest[41]);

#endif
