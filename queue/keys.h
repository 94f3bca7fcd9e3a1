/* The names of a queue's keys, and calls of its scripts with them. The name of the queue is the key of its
 * waiting list; no program but this one may use the others. */
#ifndef PGUSHER_QUEUE_KEYS_H
#define PGUSHER_QUEUE_KEYS_H

#include "common/script.h"

enum queue_key {
    KEY_WAITING,
    KEY_MARKS,
    KEY_INFLIGHT,
    KEY_DIRTY,
    KEY_META,
    KEY_DELAYED,
    KEY_DEAD,
    KEY_FAILURES,
    KEY_CONSUMERS,
    KEY_LATER,
    KEY_COMMON, /* how many every script gets */
    KEY_PLAIN = KEY_COMMON,
    KEY_SEEN,
    KEY_COUNT
};

/* Where enqueued items wait. */
enum queue_lane {
    LANE_NOW,
    LANE_LATER,  /* to wait until nothing else does: a backfill's items */
    LANE_SOONER, /* what waits for later is queued now; about others nothing is done */
};

struct queue_keys {
    char *name[KEY_COUNT];
};

bool queue_keys_init(struct queue_keys *keys, const char *queue); /* false: memory is out (mem.h) */
void queue_keys_free(struct queue_keys *keys);
/* The list of what one consumer holds; the caller frees. */
char *queue_processing_key(const struct queue_keys *keys, const char *consumer);

/* A call of the script with the common keys, in their order; further ones are added after them. */
struct script_call *queue_call_new(const struct queue_keys *keys, const struct script *script);
void queue_call_key(struct script_call *call, const struct queue_keys *keys, enum queue_key key);
void queue_call_processing_key(struct script_call *call, const struct queue_keys *keys, const char *consumer);
/* What the enqueue script wants to know before the items. */
void queue_call_lane(struct script_call *call, enum queue_lane lane);

#endif
