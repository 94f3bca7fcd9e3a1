/* One run of the command as the event loop sees it: its items are written to its stdin, its verdicts are
 * read, its time is taken, its end is told.
 *
 * A command that closes or ignores its stdin is none the worse for it. Verdicts are read up to the command's
 * end, not to the end of the pipe: what it leaves in the background may keep that open.
 */
#ifndef PGUSHER_CONSUME_CHILD_H
#define PGUSHER_CONSUME_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/status.h"
#include "queue/consume_end.h"

struct child;

struct child_task {
    const char *command;
    const char *queue;
    uint64_t token;
    int attempt;
    int64_t timeout_ms; /* 0: none */
};

struct child_handlers {
    void (*verdicts)(void *arg, const char *data, size_t len);
    void (*end)(void *arg,
                const struct run_end *end); /* exactly once, unless freed before; may free the child */
};

/* Takes the content of `input`. NULL with err (ST_AGAIN) when no process or descriptor is to be had. */
struct child *child_start(struct loop *loop, const struct child_task *task, struct buf *input,
                          const struct child_handlers *handlers, void *arg, struct err *err);
/* Asks the whole process group to end (SIGTERM), and kills it when it has not done so within two seconds. It
 * ends as END_STOPPED then. */
void child_stop(struct child *child);
void child_kill(struct child *child); /* the same at once */
void child_free(struct child *child); /* NULL-safe; one that still runs is killed and waited for */

#endif
