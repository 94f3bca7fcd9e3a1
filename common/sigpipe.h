/* Writing where somebody else's code does it, in a program that may not ignore SIGPIPE: between begin and end
 * this thread gets none. */
#ifndef PGUSHER_SIGPIPE_H
#define PGUSHER_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

struct sigpipe_guard {
    sigset_t before;
    bool was_pending;
};

void sigpipe_begin(struct sigpipe_guard *guard);
void sigpipe_end(const struct sigpipe_guard *guard); /* errno stays */

#endif
