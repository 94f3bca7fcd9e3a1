/* What is behind struct pgusher_queue, for the files of the library; and the parts of it that pgusher-queue
 * needs beyond the public API. */
#ifndef PGUSHER_QUEUE_HANDLE_H
#define PGUSHER_QUEUE_HANDLE_H

#include "common/buf.h"
#include "common/rlink.h"
#include "queue/keys.h"
#include "queue/pgusher-queue.h"
#include "queue/settings.h"
#include "queue/stats_read.h"

enum { RUN_ID_SIZE = 64 };

struct pgusher_queue {
    struct redis_url url;
    struct queue_keys keys;
    char *consumer;
    struct err err;
    struct queue_settings settings;
    int64_t lease_ms;
    int timeout_ms;

    struct rlink *link;
    bool introduced; /* on this connection: the settings are in the queue's meta, run_id is known */
    char run_id[RUN_ID_SIZE];
    bool registered; /* reserve has made it known, or may have: leave when closing */

    struct rlink *waiter;            /* BLMOVE has a connection of its own */
    int64_t waiter_id;               /* as CLIENT UNBLOCK wants it; 0 unknown */
    char waiter_run_id[RUN_ID_SIZE]; /* of the server that gave the id */
    bool waiting;                    /* BLMOVE is under way */
    int64_t wait_until_ms;           /* when it ends, at the latest */
    bool wait_lost;                  /* its answer has not come: until then it may bring something */
    int64_t asked_at_ms;             /* when the last reserve was sent */
    int64_t reserved_at_ms;          /* the same of the last that was answered */
    int64_t recover_after_ms;        /* a dead consumer could not be recovered */
    int64_t no_wait_until_ms;        /* Redis refuses blocking moves (maxmemory, privileges) */
    struct err wait_refused;         /* why it refused the last, if an operator must act */

    char last_token[24]; /* of the last reservation whose reply came */
    size_t unsettled;    /* items of the batches that reservations gave */

    /* what the last reserve said */
    size_t left;
    int64_t due_ms;
    bool paused;
};

/* Runs the call and frees it. A reply that is no error, or NULL with the handle's error set. Follows MOVED.
 */
redisReply *handle_call(struct pgusher_queue *queue, struct script_call *call);
/* The same, and the reply is of that type (REDIS_REPLY_ARRAY: of so many elements). */
redisReply *handle_call_for(struct pgusher_queue *queue, struct script_call *call, int type, size_t elements);
/* Its integer; -1 on failure. */
int64_t handle_call_integer(struct pgusher_queue *queue, struct script_call *call);
/* The reply; or NULL, freed and refused, if it is not so. For servers that are no Redis. */
redisReply *handle_expect(struct pgusher_queue *queue, redisReply *reply, bool so);
/* A plain command about the queue's keys. */
redisReply *handle_command(struct pgusher_queue *queue, int argc, const char *const *argv);
redisReply *handle_raw(struct pgusher_queue *queue, const struct buf *command); /* in the wire format */
/* 0 if each key of the queue is of its type; an error that names the one that is not. Commands that look at
 * one key only would not notice. */
int handle_check_types(struct pgusher_queue *queue);
/* Begins a public function: forgets the last error. */
void handle_begin(struct pgusher_queue *queue);
int handle_out_of_memory(struct pgusher_queue *queue); /* -1 */
int handle_refuse(struct pgusher_queue *queue, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sees to it, once per connection, that the settings of the options stand in the queue's meta. */
int handle_introduce(struct pgusher_queue *queue);
/* Reads the run id in a reply to INFO, which it takes over; "" where INFO is forbidden. */
int handle_read_run_id(struct pgusher_queue *queue, redisReply *reply, char ret_run_id[RUN_ID_SIZE]);

/* A wait that is followed by another command, whose reply is behind that of the wait; NULL: by none. Returns
 * as pgusher_queue_wait_begin does. */
int handle_wait_begin(struct pgusher_queue *queue, int64_t wait_ms, const struct buf *then);
/* After a wait whose answer was lost: sees to it that it ends, or has ended. */
void handle_forget_wait(struct pgusher_queue *queue);
/* Closes the handle without leaving: the end of the lease does that. For a Redis that does not answer. */
void handle_abandon(struct pgusher_queue *queue);

/* One consumer by name. How many items came back or died; 0 too when its lease has not run out. */
int64_t handle_recover_consumer(struct pgusher_queue *queue, const char *consumer);
/* All of them. What came back is counted even if the handle's error says that one could not be recovered. */
int64_t handle_recover_consumers(struct pgusher_queue *queue);
int64_t handle_recover_plain(struct pgusher_queue *queue);
/* The names in the registry; the caller frees the reply. */
redisReply *handle_consumers(struct pgusher_queue *queue);
/* Counts leaked marks; removes them, too, if told to. */
int64_t handle_sweep(struct pgusher_queue *queue, bool remove);

#endif
