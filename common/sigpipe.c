#include "common/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static bool is_pending(void)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}

void sigpipe_begin(struct sigpipe_guard *guard)
{
    sigset_t block;

    sigemptyset(&block);
    sigaddset(&block, SIGPIPE);
    guard->was_pending = is_pending();
    pthread_sigmask(SIG_BLOCK, &block, &guard->before);
}

void sigpipe_end(const struct sigpipe_guard *guard)
{
    const struct timespec now = {0, 0};
    int saved = errno;
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (!guard->was_pending && is_pending())
        sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
    errno = saved;
}
