/* How a run of the command ended, and what that means for its items. Pure. */
#ifndef PGUSHER_CONSUME_END_H
#define PGUSHER_CONSUME_END_H

#include <stddef.h>
#include <stdint.h>

enum end_kind {
    END_EXITED,
    END_SIGNALLED,
    END_TIMED_OUT, /* we killed it, because it took too long */
    END_STOPPED,   /* it was killed, because we shut down */
    END_NOT_BEGUN, /* there was no process to be had */
};

struct run_end {
    enum end_kind kind;
    int number; /* exit status, or signal */
};

/* For items without a verdict of their own. */
enum run_meaning {
    RUN_GOOD,        /* they are done */
    RUN_BAD,         /* one of them is at fault */
    RUN_UNAVAILABLE, /* none is: what the command works for is down */
    RUN_NO_COMMAND,  /* none is: the command itself cannot be run */
    RUN_STOPPED,     /* none is: we shut down */
};

/* `wait_status` as waitpid gives it. */
struct run_end run_end_of(int wait_status);
enum run_meaning run_end_meaning(const struct run_end *end);
/* The same run, when it ended while we were shutting down: what stops us (systemd, a terminal) often signals
 * the command, too. */
struct run_end run_end_while_stopping(const struct run_end *end);
/* The command, as far as it fits into a message; the caller frees. */
char *run_command_text(const char *command);
/* "COMMAND exited with status 3"; the caller frees. */
char *run_end_text(const struct run_end *end, const char *command, int64_t timeout_ms);
/* As much of some bytes as is text and fits into a message; the caller frees. */
char *run_excerpt(const char *data, size_t len, size_t max);

#endif
