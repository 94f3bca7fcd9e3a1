/* A slot: one consumer of the queue, and the runs of the command on what it reserves.
 *
 * It is driven by what it waits for (a state), and each time does the next thing there is to do: settle what
 * is decided, run what is open, reserve more. Whatever fails for want of Redis is simply done again later;
 * nothing decided is forgotten.
 */
#ifndef PGUSHER_CONSUME_SLOT_H
#define PGUSHER_CONSUME_SLOT_H

#include "common/loop.h"
#include "common/status.h"
#include "queue/consume.h"
#include "queue/consume_nodes.h"

enum { CALL_TIMEOUT_MS = 2000 }; /* one slot's call keeps all others waiting, and their heartbeats */

/* What the slots of a process share. */
struct consume {
    const struct consume_options *options;
    struct loop *loop;
    struct nodes *nodes; /* for --docs; NULL without */
    bool stopping;       /* nothing more is reserved or run */
    bool halted;         /* nor waited for */
    bool reached;        /* Redis has answered once: from now on it is waited for whatever it says */
    bool succeeded;      /* so has the command: it is there */
    bool wait_refused;   /* Redis lets no slot wait: said once, until it has been away */
    size_t offline;      /* slots that cannot reach Redis */
    bool hangs;          /* while stopping: Redis takes the commands and does not answer */
    size_t ended;        /* slots */
    enum exit_code exit_code;
};

struct slot;

/* NULL, with a message in err, when the options are wrong. */
struct slot *slot_new(struct consume *consume, struct err *err);
void slot_free(struct slot *slot); /* NULL-safe */
void slot_start(struct slot *slot);
/* consume->stopping has been set: ends unless something must be finished first. */
void slot_stop(struct slot *slot);
/* consume->halted has been set: what runs is stopped, or killed. */
void slot_halt(struct slot *slot, bool kill);
/* Its unique name in the queue. */
const char *slot_name(const struct slot *slot);

/* To be provided by the owner: something that no waiting mends. Begins to stop. */
void consume_fail(struct consume *consume, enum exit_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
