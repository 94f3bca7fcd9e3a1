/* Producers and consumers that use the library, with what the model knows of each call's effect. Every call
 * is compared with what Redis held just before it; a difference breaks the world. An answer may be lost
 * (fault.h) in any of them. */
#ifndef QUEUE_MODEL_NATIVE_H
#define QUEUE_MODEL_NATIVE_H

#include "tests/queue_model/world.h"

enum verdict { VERDICT_ACK, VERDICT_NACK, VERDICT_RELEASE };

/* Items of a holding, as the library wants to be told them. */
struct choice {
    size_t index[MAX_BATCH];
    size_t count;
    bool all; /* NULL to the library: what is not settled yet */
};

struct pgusher_queue *native_connect(struct world *world); /* of the world's configuration */
struct handle *native_open(struct world *world);  /* one more consumer; NULL when there were too many */
struct handle *native_alive(struct world *world); /* any of them that is alive; opened if there are too few */
void handle_free(struct handle *handle);
/* Leaves the queue. The slot is dead afterwards. */
void native_close(struct world *world, struct handle *handle);

/* pgusher_queue_push or pgusher_queue_push_later */
typedef int push_fn(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                    enum pgusher_queue_pushed *ret_outcomes);
/* Tells the queue of documents as they are now, again if the answer was lost. */
bool native_push(struct world *world, push_fn *push, const int *docs, size_t count,
                 enum pgusher_queue_pushed *outcomes);
/* NULL when nothing came, or the answer was lost. */
struct holding *native_reserve(struct world *world, struct handle *handle, size_t max);
/* The same for what the library says it reserved. */
struct holding *native_take(struct world *world, struct handle *handle, struct pgusher_queue_batch *batch,
                            int count, size_t max);
/* Acks what is not settled of a holding and reserves, in one call. */
struct holding *native_ack_reserve(struct world *world, struct handle *handle, struct holding *holding,
                                   size_t max);
/* The documents of a holding are looked at now, if they were not before. */
void native_read(struct world *world, struct holding *holding);
/* The holding is gone afterwards if all of it is settled. Items of an ack are indexed before. */
bool native_settle(struct world *world, struct handle *handle, struct holding *holding, enum verdict verdict,
                   const struct choice *choice, int64_t delay_ms);
bool native_heartbeat(struct world *world, struct handle *handle);
/* A blocking move finds something; its answer never arrives. */
void native_move(struct world *world, struct handle *handle);

/* No failure is on the document any more. (A copy that a blocking move brought before may revive a dead
 * letter: then its failures are not certain.) */
void native_begin_anew(struct world *world, int doc);
/* Time has passed: whose lease has run out since? */
void native_note_lapses(struct world *world);
/* Whether a call that failed had a reason to. */
bool native_lost(struct world *world, const struct pgusher_queue *queue, const char *what);
/* The same of a call that renews the lease: it may have done so. */
bool native_lost_renewal(struct world *world, struct handle *handle, const char *what);

#endif
