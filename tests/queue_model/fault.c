/* The fortified headers would make these functions inline ones. */
#undef _FORTIFY_SOURCE
#include "tests/queue_model/fault.h"

#include <errno.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int spared = -1;
static int countdown = -1; /* -1: not armed */
static bool happened;
static uint64_t chance;

void fault_seed(uint64_t seed)
{
    chance = seed;
}

void fault_spare(int fd)
{
    spared = fd;
}

void fault_lose_answer(int passed)
{
    countdown = passed;
    happened = false;
}

bool fault_disarm(void)
{
    bool struck = happened;

    countdown = -1;
    happened = false;
    return struck;
}

static bool is_socket(int fd)
{
    int type;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
}

/* The answer must be there before it is thrown away: then the command has been executed. */
static bool strikes(int fd)
{
    struct pollfd answer = {.fd = fd, .events = POLLIN};

    if (countdown < 0 || fd == spared || !is_socket(fd) || countdown-- > 0)
        return false;
    poll(&answer, 1, 1000);
    happened = true;
    errno = ECONNRESET;
    return true;
}

/* Visible to the shared library of hiredis, too. */
#pragma GCC visibility push(default)

ssize_t read(int fd, void *data, size_t size)
{
    return strikes(fd) ? -1 : syscall(SYS_read, fd, data, size);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    return strikes(fd) ? -1 : recvfrom(fd, data, size, flags, NULL, NULL);
}

ssize_t getrandom(void *data, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++) {
        chance = chance * 6364136223846793005 + 1442695040888963407;
        ((unsigned char *)data)[i] = (unsigned char)(chance >> 56);
    }
    return (ssize_t)size;
}

#pragma GCC visibility pop
