#include "common/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"

enum { MAX_ADDRESSES = 16 };

/* What the thread and the loop share; the last of the two frees it. */
struct lookup {
    atomic_int owners;
    char *name;
    atomic_bool ended; /* from then on what stands below is the loop's */
    int event;         /* readable then */
    int error;
    int system_error; /* when that is EAI_SYSTEM */
    struct addrinfo *found;
};

struct resolve {
    struct lookup *lookup; /* NULL: there was no descriptor for it */
    struct io *io;
    struct timer *refusal;
    int refused; /* errno */
    resolve_fn *fn;
    void *arg;
};

static void lookup_release(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) != 1)
        return;
    if (lookup->found)
        freeaddrinfo(lookup->found);
    close(lookup->event);
    free(lookup->name);
    free(lookup);
}

static void *lookup_run(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};

    lookup->error = getaddrinfo(lookup->name, NULL, &hints, &lookup->found);
    lookup->system_error = errno;
    atomic_store(&lookup->ended, true);
    eventfd_write(lookup->event, 1);
    lookup_release(lookup);
    return NULL;
}

/* Without a thread the answer comes all the same, only the loop waits for it. */
static void lookup_start(struct lookup *lookup)
{
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_t thread;
    int failed;

    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &detached, lookup_run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    if (failed)
        lookup_run(lookup);
}

static size_t addresses_of(const struct lookup *lookup, char texts[][NI_MAXHOST])
{
    size_t n = 0;

    for (const struct addrinfo *a = lookup->found; a && n < MAX_ADDRESSES; a = a->ai_next)
        if (getnameinfo(a->ai_addr, a->ai_addrlen, texts[n], NI_MAXHOST, NULL, 0, NI_NUMERICHOST) == 0)
            n++;
    return n;
}

/* NULL: there are addresses. */
static const char *why_none(const struct lookup *lookup, size_t count)
{
    if (lookup->error == EAI_SYSTEM)
        return strerror(lookup->system_error);
    if (lookup->error)
        return gai_strerror(lookup->error);
    return count ? NULL : "it has no address";
}

static void on_event(void *arg, bool readable, bool writable)
{
    struct resolve *resolve = arg;
    char texts[MAX_ADDRESSES][NI_MAXHOST];
    const char *addresses[MAX_ADDRESSES];
    size_t n;

    (void)readable;
    (void)writable;
    if (!atomic_load(&resolve->lookup->ended))
        return;
    n = addresses_of(resolve->lookup, texts);
    io_set(resolve->io, -1, false, false);
    for (size_t i = 0; i < n; i++)
        addresses[i] = texts[i];
    resolve->fn(resolve->arg, addresses, n, why_none(resolve->lookup, n));
}

static void on_refusal(void *arg)
{
    struct resolve *resolve = arg;

    resolve->fn(resolve->arg, NULL, 0, strerror(resolve->refused));
}

static struct lookup *lookup_new(const char *name, int event)
{
    struct lookup *lookup = mem_zalloc(sizeof(*lookup));

    lookup->owners = 2;
    lookup->name = mem_strdup(name);
    lookup->event = event;
    return lookup;
}

struct resolve *resolve_new(struct loop *loop, const char *name, resolve_fn *fn, void *arg)
{
    struct resolve *resolve = mem_zalloc(sizeof(*resolve));
    int event = eventfd(0, EFD_CLOEXEC);

    resolve->refused = event < 0 ? errno : 0;
    resolve->fn = fn;
    resolve->arg = arg;
    resolve->io = io_new(loop, on_event, resolve);
    resolve->refusal = timer_new(loop, on_refusal, resolve);
    if (event < 0) {
        timer_start(resolve->refusal, 0);
        return resolve;
    }
    resolve->lookup = lookup_new(name, event);
    io_set(resolve->io, event, true, false);
    lookup_start(resolve->lookup);
    return resolve;
}

void resolve_free(struct resolve *resolve)
{
    if (!resolve)
        return;
    io_free(resolve->io);
    timer_free(resolve->refusal);
    if (resolve->lookup)
        lookup_release(resolve->lookup);
    free(resolve);
}
