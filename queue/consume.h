/* pgusher-queue consume: runs a command on the items of a queue.
 *
 * Each of its parallel slots is a consumer of its own: it reserves a batch, runs the command with the items
 * on its stdin, settles them by what the command says and how it ends, and begins again. Everything happens
 * in one thread and one event loop; calls of the queue library, which are short, block it.
 *
 * The reading order: consume_end.h (what the end of a run means), consume_work.h (the items of a batch),
 * consume_slot.h (a slot's states), consume_child.h (the process).
 */
#ifndef PGUSHER_QUEUE_CONSUME_H
#define PGUSHER_QUEUE_CONSUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/tool_target.h"

struct consume_options {
    const struct tool_target *target;
    const char *command; /* for /bin/sh -c */
    size_t batch;        /* items in a run, 1 to PGUSHER_QUEUE_MAX_ITEMS */
    int64_t linger_ms;   /* how long a batch may fill before it is taken; 0: not at all */
    bool docs;           /* JSON lines with the documents instead of the items */
    int parallel;        /* slots */
    int64_t timeout_ms;  /* of a run; 0: none */
    int64_t grace_ms;    /* how long runs may go on after SIGTERM */
    bool once;           /* ends when the queue has nothing more to give */
};

/* Runs until SIGTERM or SIGINT, or as `once` says. Returns the exit code. The program has begun (program.h).
 */
int consume_run(const struct consume_options *options);

#endif
