/* What consume_slot.c (the states, and the next thing to do) and consume_run.c (running the command) share.
 */
#ifndef PGUSHER_CONSUME_SLOT_PRIVATE_H
#define PGUSHER_CONSUME_SLOT_PRIVATE_H

#include "common/backoff.h"
#include "queue/consume_child.h"
#include "queue/consume_reservation.h"
#include "queue/consume_slot.h"

/* What a slot waits for. */
enum state {
    BUSY,
    WAITING,
    NAPPING,
    LINGERING,
    RUNNING,
    OFFLINE,
    BACKING_OFF,
    ENDED,
};

struct slot {
    struct consume *consume;
    struct pgusher_queue *queue;
    struct reservation *reservation; /* NULL between two */
    struct child *child;
    enum state state;
    enum state rest; /* LINGERING or BACKING_OFF before the next reservation; BUSY: none */
    int64_t rest_ms;
    bool expired; /* the reservation: said once */
    bool offline;
    struct backoff redis_backoff;
    struct backoff target_backoff;
    struct timer *timer; /* the end of the state */
    struct timer *heartbeat;
    struct io *wait;
};

void slot_enter(struct slot *slot, enum state state);
void slot_rest_before_next(struct slot *slot, enum state rest, int64_t ms);
/* Does what there is to do, up to the next state. */
void slot_advance(struct slot *slot);
/* Runs the command on the items of the work's current run: the slot is RUNNING then. False when no process is
 * to be had; then the items have been decided about. */
bool slot_begin_run(struct slot *slot);

#endif
