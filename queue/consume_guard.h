/* The processes of one run: a guard, which leads a process group of its own, and the shell that runs the
 * command in it.
 *
 * The guard waits for the shell and ends as it ended; what the command leaves in the background lives on. A
 * SIGTERM that we send to the group is for the command: the guard then ends when nobody is left in the group.
 * When our own process dies, however it dies, the guard kills the group: PR_SET_PDEATHSIG alone would reach
 * the shell only, not the programs of a pipeline. Nothing is inherited but stdout, stderr, what is given
 * here, and the environment.
 */
#ifndef PGUSHER_CONSUME_GUARD_H
#define PGUSHER_CONSUME_GUARD_H

#include <stdint.h>
#include <sys/types.h>

struct guard_task {
    const char *command; /* for /bin/sh -c */
    const char *queue;   /* QUEUE, TOKEN and ATTEMPT in its environment */
    uint64_t token;
    int attempt;
    int input;    /* becomes its file descriptor 0 */
    int verdicts; /* becomes its file descriptor 3 */
    int alive;    /* the writing end of a pipe: it is at its end when the guard has ended */
};

/* The guard's process id, which is the group's, too; or -1 with errno. The caller closes the descriptors. */
pid_t guard_start(const struct guard_task *task);

#endif
