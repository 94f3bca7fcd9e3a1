/* libpgusher-queue: a reliable queue of document keys in Redis, for consumers and producers in C.
 *
 * An item is an identity, the Redis key of a document that changed ("event:77"); who takes it reads the
 * document as it is *then*. An item that waits is not queued twice; one that changes while it is in flight
 * goes round once more after its ack, and is never processed twice at the same time. A consumer that dies
 * loses nothing: its lease runs out, and any other consumer takes back what it held. The scripts' heads
 * (lua/, or share/pgusher/lua where it is installed) are the protocol.
 *
 *     struct pgusher_queue_options options = {.redis = "unix:///run/redis/redis.sock", .queue = "{search}"};
 *     struct pgusher_queue *queue = pgusher_queue_open(&options, error, sizeof(error));
 *     struct pgusher_queue_batch *batch;
 *
 *     while (pgusher_queue_reserve(queue, 100, 5000, &batch) >= 0) {
 *         ... index what stands behind pgusher_queue_batch_item(batch, i) ...
 *         pgusher_queue_ack(queue, batch, NULL, 0, NULL);
 *         pgusher_queue_batch_free(batch);
 *     }
 *
 * Every call blocks until its answers; for each Redis may be silent for options.timeout_ms, and most calls
 * need one. (Only a server that goes on sending without an end is waited for longer: ten times that.) A
 * connection that failed is closed and opened again by the next call, which must come from the same thread or
 * be serialised by the caller: a handle has one user at a time. Nothing is global; any number of handles may
 * be open. In Redis Cluster the queue's name must hold a hash tag
 * ("{search}"); the handle follows MOVED.
 *
 * Time: a consumer must call reserve or heartbeat more often than its lease lasts, or its items are given to
 * others. Its late acks are then refused ("stale"), which is harmless.
 *
 * A failover of Redis may lose acks that were answered. What was acked so is given again to a handle that
 * holds nothing when it reserves. One that holds unsettled items all the time (two batches by turns) gets it
 * only when it has closed, or its lease has run out: until then such an item counts as in flight, and a
 * change of its document waits. Let such a handle settle all it holds now and then, at least after a call
 * that failed.
 *
 * Errors: functions return -1 (or NULL), pgusher_queue_status says what may be done about it and
 * pgusher_queue_error why. The library writes nothing to stdout or stderr, installs no signal handler, and
 * starts no thread. A call that lacks memory fails as any other and may be repeated (AGAIN, LOST); only
 * hiredis before 1.0 aborts the program where it cannot allocate itself.
 */
#ifndef PGUSHER_QUEUE_H
#define PGUSHER_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PGUSHER_QUEUE_API __attribute__((visibility("default")))

#define PGUSHER_QUEUE_MAX_ITEMS 1000 /* in one call */
#define PGUSHER_QUEUE_MIN_LEASE_MS 100
#define PGUSHER_QUEUE_MAX_ITEM_BYTES 1048576 /* 1 MiB */

/* What may be done after an error. */
enum pgusher_queue_status {
    PGUSHER_QUEUE_OK,
    PGUSHER_QUEUE_AGAIN,   /* nothing happened; the same call may succeed later (Redis is down, full, loading)
                            */
    PGUSHER_QUEUE_LOST,    /* the answer was lost: it may have happened. Every call may safely be repeated. */
    PGUSHER_QUEUE_REFUSED, /* this call will never succeed: wrong arguments, a key of another type */
    PGUSHER_QUEUE_CONFIG,  /* an operator must act: address, password, privileges, an untagged name in a
                              cluster */
};

struct pgusher_queue;
struct pgusher_queue_batch; /* what one reservation gave */

/* Zero or NULL means the default. What stands in the queue itself, in its meta hash, holds for all who use
 * it. */
struct pgusher_queue_options {
    const char *redis;    /* redis://[user:pass@]host[:port][/db], unix:///path[?db=n], redis+sentinel://,
                           * redis+cluster://, rediss://: see docs/redis.md */
    const char *password; /* instead of one in the address */
    const char *queue;    /* its name: the Redis key of its waiting list */
    const char *consumer; /* beginning of the consumer's name, for humans (host name); made unique by more */

    /* How long after its last sign of life a consumer's items are given to others: at least 100, 30,000. */
    int64_t lease_ms;
    int timeout_ms; /* of a call: 5,000 */

    /* Told to the queue: */
    int max_failures;         /* refusals until an item is a dead letter: as in the queue (8) */
    int max_crashes;          /* deaths of its consumers until then: as in the queue (3) */
    int64_t plain_timeout_ms; /* how long plain consumers may hold an item: as in the queue (1 h) */
    int coalesce;             /* 1 yes; -1 no, plain programs LPUSH to it: as in the queue (yes) */
};

/* Opens a handle and connects. NULL on failure, with the reason in `error` (cut to error_size; may be NULL).
 * A consumer becomes known to others by its first reserve. */
PGUSHER_QUEUE_API struct pgusher_queue *pgusher_queue_open(const struct pgusher_queue_options *options,
                                                           char *error, size_t error_size);
/* The same without connecting: the first call does. Fails on wrong options only. */
PGUSHER_QUEUE_API struct pgusher_queue *pgusher_queue_new(const struct pgusher_queue_options *options,
                                                          char *error, size_t error_size);
/* Leaves: what the consumer still holds goes back to the front of the queue. If Redis cannot be reached, the
 * lease's end does it. Batches stay readable; their items are no longer yours. NULL-safe. */
PGUSHER_QUEUE_API void pgusher_queue_close(struct pgusher_queue *queue);

/* About the last call on this handle that failed; "" and OK before. */
PGUSHER_QUEUE_API const char *pgusher_queue_error(const struct pgusher_queue *queue);
PGUSHER_QUEUE_API enum pgusher_queue_status pgusher_queue_status(const struct pgusher_queue *queue);
PGUSHER_QUEUE_API const char *pgusher_queue_name(const struct pgusher_queue *queue);
PGUSHER_QUEUE_API const char *
pgusher_queue_consumer(const struct pgusher_queue *queue); /* its full, unique name */

/* ---- producing ---- */

struct pgusher_queue_item {
    const char *data;
    size_t len; /* 1 to PGUSHER_QUEUE_MAX_ITEM_BYTES; any bytes */
};

enum pgusher_queue_pushed {
    PGUSHER_QUEUE_QUEUED,
    PGUSHER_QUEUE_COALESCED, /* it waits already */
    PGUSHER_QUEUE_DIRTY,     /* it is in flight: it goes round once more after its ack */
    PGUSHER_QUEUE_JOINED,    /* its next attempt is delayed, and will see the new state */
    PGUSHER_QUEUE_REVIVED,   /* it was a dead letter: queued, with its counts reset */
};

/* Queues items, at most PGUSHER_QUEUE_MAX_ITEMS. `ret_outcomes` (may be NULL) has room for `count`. While
 * Redis is above maxmemory: AGAIN. */
PGUSHER_QUEUE_API int pgusher_queue_push(struct pgusher_queue *queue, const struct pgusher_queue_item *items,
                                         size_t count, enum pgusher_queue_pushed *ret_outcomes);
/* The same for items that are to wait until nothing else does: all documents at once, say, which must not
 * delay what changes meanwhile. One that changes comes at once. Consumers that only know RPOPLPUSH get them
 * as long as a consumer of this library, pgusherd or `pgusher-queue recover` looks after the queue. */
PGUSHER_QUEUE_API int pgusher_queue_push_later(struct pgusher_queue *queue,
                                               const struct pgusher_queue_item *items, size_t count,
                                               enum pgusher_queue_pushed *ret_outcomes);

/* ---- consuming ---- */

/* Reserves up to `max` items (1 to PGUSHER_QUEUE_MAX_ITEMS), waiting up to wait_ms for the first one; renews
 * the lease; and, on the way, takes back what consumers left whose leases have run out. Returns how many
 * items *ret_batch holds; 0 when none came (*ret_batch is then NULL), also early, when another waiter was
 * faster or the queue is paused. */
PGUSHER_QUEUE_API int pgusher_queue_reserve(struct pgusher_queue *queue, size_t max, int64_t wait_ms,
                                            struct pgusher_queue_batch **ret_batch);

PGUSHER_QUEUE_API size_t pgusher_queue_batch_count(const struct pgusher_queue_batch *batch);
/* NUL-terminated; may hold NULs itself if a producer put them there. ret_len may be NULL. */
PGUSHER_QUEUE_API const char *pgusher_queue_batch_item(const struct pgusher_queue_batch *batch, size_t index,
                                                       size_t *ret_len);
/* Which attempt at this item this is: 1 is the first. */
PGUSHER_QUEUE_API int pgusher_queue_batch_attempt(const struct pgusher_queue_batch *batch, size_t index);
/* Grows with every reservation of the queue, across restarts of Redis; below 2^53. Fit to be the external
 * version of a search engine, because an item is never in two reservations at once. */
PGUSHER_QUEUE_API uint64_t pgusher_queue_batch_token(const struct pgusher_queue_batch *batch);
/* Whether the item has been acked, nacked or released. */
PGUSHER_QUEUE_API bool pgusher_queue_batch_settled(const struct pgusher_queue_batch *batch, size_t index);
/* Frees the memory; items that are not settled stay in flight, held by the handle's consumer. NULL-safe. */
PGUSHER_QUEUE_API void pgusher_queue_batch_free(struct pgusher_queue_batch *batch);

/* ack, nack and release settle items of a batch: the `count` items whose numbers stand in `indexes`, or, with
 * indexes NULL, all that are not settled yet. After an error nothing counts as settled, and the call may be
 * repeated. They return how many items were still held under the batch's token; for the others (the lease had
 * run out, or a lost answer had settled them) nothing was done. */
struct pgusher_queue_acked {
    size_t acked;
    size_t requeued; /* of these: changed meanwhile, hence queued again */
    size_t stale;
};
PGUSHER_QUEUE_API int pgusher_queue_ack(struct pgusher_queue *queue, struct pgusher_queue_batch *batch,
                                        const size_t *indexes, size_t count,
                                        struct pgusher_queue_acked *ret_acked);

/* ack of all that is not settled in `done`, and reserve without waiting, in one round trip: the fastest way
 * from item to item. Returns what reserve returns. After an error `done` may be settled or not
 * (pgusher_queue_batch_settled). */
PGUSHER_QUEUE_API int pgusher_queue_ack_reserve(struct pgusher_queue *queue, struct pgusher_queue_batch *done,
                                                size_t max, struct pgusher_queue_batch **ret_batch,
                                                struct pgusher_queue_acked *ret_acked);

#define PGUSHER_QUEUE_BACKOFF (-1) /* 1 s, doubling with every attempt up to 10 min, with jitter */
#define PGUSHER_QUEUE_BURY (-2)    /* no attempt can help: a dead letter at once */

/* They failed, because of `reason` (512 bytes are kept): tried again after delay_ms, or one of the above. An
 * item that failed max_failures times becomes a dead letter, unless it changed meanwhile. */
PGUSHER_QUEUE_API int pgusher_queue_nack(struct pgusher_queue *queue, struct pgusher_queue_batch *batch,
                                         const size_t *indexes, size_t count, const char *reason,
                                         int64_t delay_ms);

/* Untried: back to the front, and no failure is counted. */
PGUSHER_QUEUE_API int pgusher_queue_release(struct pgusher_queue *queue, struct pgusher_queue_batch *batch,
                                            const size_t *indexes, size_t count);

/* Renews the lease. 1; or 0: it had run out, and what this consumer held is given to others. */
PGUSHER_QUEUE_API int pgusher_queue_heartbeat(struct pgusher_queue *queue);

/* For programs with an event loop: the wait of reserve in two steps. wait_begin starts a blocking move of at
 * most wait_ms (and a quarter of the lease) on a connection of its own and returns its file descriptor; when
 * that is readable, wait_end returns 1 (something came: reserve adopts it), or 0 (time is up). wait_cancel
 * ends it early. Call reserve with wait_ms 0 before each wait_begin. It returns -2, and the caller waits by
 * itself, while the queue is paused, while Redis refuses such moves (it is full, or forbids BLMOVE), when
 * wait_ms is 0, when the last reserve is so long ago that the lease would not outlive the wait, and as long
 * as a wait whose answer was lost may go on in a Redis that forbids CLIENT. */
PGUSHER_QUEUE_API int pgusher_queue_wait_begin(struct pgusher_queue *queue, int64_t wait_ms);
PGUSHER_QUEUE_API int pgusher_queue_wait_end(struct pgusher_queue *queue);
/* In how many ms wait_end should be called if nothing is readable before: it then ends the wait in time. */
PGUSHER_QUEUE_API int64_t pgusher_queue_wait_ms(const struct pgusher_queue *queue);
PGUSHER_QUEUE_API int pgusher_queue_wait_cancel(struct pgusher_queue *queue);
/* What the last reserve said: how many items wait still, and in how many ms something falls due (-1:
 * nothing). */
PGUSHER_QUEUE_API size_t pgusher_queue_left(const struct pgusher_queue *queue);
PGUSHER_QUEUE_API int64_t pgusher_queue_due_ms(const struct pgusher_queue *queue);

/* ---- looking at it and repairing it ---- */

struct pgusher_queue_consumer_stats {
    const char *name;
    int64_t lease_left_ms; /* below 0: dead, and not yet recovered */
    size_t held;
    int64_t oldest_ms; /* since its oldest item was reserved; -1 none */
};

struct pgusher_queue_stats {
    size_t waiting;
    size_t in_flight;
    size_t dirty; /* of these: changed meanwhile */
    size_t delayed;
    size_t dead;
    size_t plain;              /* in Q-processing, the plain consumers' list */
    int64_t oldest_waiting_ms; /* -1 none, or not known (plain pushes are not dated) */
    int64_t oldest_held_ms;
    int64_t next_due_ms; /* until the next delayed item's attempt; -1 none */
    bool paused;
    bool coalesce;
    int max_failures;
    int max_crashes;
    /* counters since the queue began */
    uint64_t queued, coalesced, acked, requeued, failed, died, recovered, released, replayed;
    int64_t now_ms; /* the clock of Redis, since 1970 */
    struct pgusher_queue_consumer_stats *consumers;
    size_t nconsumers;
    size_t later;            /* pushed to wait until nothing else does; not among `waiting` */
    int64_t oldest_later_ms; /* -1 none */
};

PGUSHER_QUEUE_API int pgusher_queue_stats(struct pgusher_queue *queue, struct pgusher_queue_stats *ret_stats);
PGUSHER_QUEUE_API void pgusher_queue_stats_free(struct pgusher_queue_stats *stats);

/* Takes back what consumers without a valid lease held, and what plain consumers left longer than
 * plain_timeout_ms. reserve does all that, too. Returns how many items went back to the queue or became dead
 * letters. */
PGUSHER_QUEUE_API int pgusher_queue_recover(struct pgusher_queue *queue);

/* One item as it stands in a list of items below. */
struct pgusher_queue_entry {
    const char *item;
    size_t len;
    int64_t when_ms; /* since 1970: since when it waits, when it is due, when it died; -1 not known */
    int failures;
    int crashes;
    const char *reason; /* of the last failure; "" none */
};

enum pgusher_queue_place {
    PGUSHER_QUEUE_WAITING, /* the next to leave first */
    PGUSHER_QUEUE_DELAYED, /* the next due first */
    PGUSHER_QUEUE_DEAD,    /* the longest dead first */
    PGUSHER_QUEUE_LATER,   /* those that wait until nothing else does: the longest there first */
};

/* Calls `fn` for each item in `place` from the `offset`-th on, at most `max` (0: all), until it returns
 * false. Reads in pages: what moves meanwhile may be seen twice or not at all. */
typedef bool pgusher_queue_entry_fn(void *arg, const struct pgusher_queue_entry *entry);
PGUSHER_QUEUE_API int pgusher_queue_each(struct pgusher_queue *queue, enum pgusher_queue_place place,
                                         size_t offset, size_t max, pgusher_queue_entry_fn *fn, void *arg);

/* Queues dead letters again with their counts reset; `ret_done` (may be NULL) says of each whether it was
 * dead. replay_all does it with all there are. They return how many were replayed. */
PGUSHER_QUEUE_API int64_t pgusher_queue_replay(struct pgusher_queue *queue,
                                               const struct pgusher_queue_item *items, size_t count,
                                               bool *ret_done);
PGUSHER_QUEUE_API int64_t pgusher_queue_replay_all(struct pgusher_queue *queue);

/* Removes items wherever they are; who is handling one will find its ack stale. Returns how many were
 * anywhere. */
PGUSHER_QUEUE_API int64_t pgusher_queue_remove(struct pgusher_queue *queue,
                                               const struct pgusher_queue_item *items, size_t count,
                                               bool *ret_done);
/* Throws away the dead letters, or everything there is but counters and settings. Returns how many. */
PGUSHER_QUEUE_API int64_t pgusher_queue_purge_dead(struct pgusher_queue *queue);
PGUSHER_QUEUE_API int64_t pgusher_queue_purge_all(struct pgusher_queue *queue);

/* While paused, reserve gives nothing; producers go on. */
PGUSHER_QUEUE_API int pgusher_queue_pause(struct pgusher_queue *queue, bool paused);

#ifdef __cplusplus
}
#endif

#endif
