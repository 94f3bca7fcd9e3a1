#include "cdc/worker_notify.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#ifdef PGUSHER_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/mem.h"

enum {
    LOOK_MS = 2000,       /* at least so often */
    LOOKS = 4,            /* within the time after which the watchdog bites, at least */
    KNOWN_WAIT_MS = 1000, /* a shorter one is in STATUS for nobody to see */
    START_MS = 60 * 1000, /* from one sign of life to the next, until READY=1 */
};

struct notify {
    const struct worker *worker;
    struct timer *timer;
    int64_t watchdog_ms; /* 0: none */
    int64_t look_ms;
    uint64_t steps;
    uint64_t seen; /* how far it was at the last look */
    bool ready;
    bool reloading;
    bool stopping;
    char *failure; /* NULL: none since there was a session */
    char *status;  /* as it was last told */
};

/* ---- telling ---- */

#ifdef PGUSHER_SYSTEMD
static void tell(const char *state)
{
    sd_notify(0, state);
}

static int64_t watchdog_ms(void)
{
    uint64_t usec;

    return sd_watchdog_enabled(0, &usec) > 0 ? (int64_t)(usec / 1000) : 0;
}
#else
static void tell(const char *state)
{
    (void)state;
}

static int64_t watchdog_ms(void)
{
    return 0;
}
#endif

/* Takes the text over. */
static void tell_status(struct notify *notify, char *status)
{
    char *state;

    if (notify->status && strcmp(status, notify->status) == 0) {
        free(status);
        return;
    }
    free(notify->status);
    notify->status = status;
    state = mem_printf("STATUS=%s", status);
    for (char *c = state; *c; c++)
        if (*c == '\n')
            *c = ' ';
    tell(state);
    free(state);
}

static void tell_alive(const struct notify *notify)
{
    char *more;

    if (notify->watchdog_ms)
        tell("WATCHDOG=1");
    if (notify->ready)
        return;
    more = mem_printf("EXTEND_TIMEOUT_USEC=%" PRId64, (int64_t)START_MS * 1000);
    tell(more);
    free(more);
}

/* ---- looking ---- */

static int64_t silent_ms(const struct session *session)
{
    return session && session->pg ? pg_silent_ms(session->pg) : 0;
}

static int64_t waits_for_postgres_ms(const struct notify *notify)
{
    int64_t ms = silent_ms(notify->worker->session), tried_ms = silent_ms(notify->worker->tried);

    ms = ms > tried_ms ? ms : tried_ms;
    return ms >= KNOWN_WAIT_MS ? ms : 0;
}

static uint64_t session_progress(const struct session *session)
{
    const struct tally *tally = session ? &session->tally : NULL;

    if (!session)
        return 0;
    return (uint64_t)(tally->put + tally->unchanged + tally->removed + tally->absent + tally->stale +
                      tally->refused) +
           (session->pg ? pg_answers(session->pg) : 0);
}

static uint64_t progress(const struct notify *notify)
{
    return notify->steps + session_progress(notify->worker->session) +
           session_progress(notify->worker->tried);
}

static char *describe(struct notify *notify, int64_t waited_ms)
{
    char *row = worker_row_text(notify->worker->row);

    if (row)
        mem_replace(&notify->failure, NULL);
    if (!waited_ms && row)
        return row;
    free(row);
    if (waited_ms)
        return mem_printf("waiting for PostgreSQL, which has not answered for %" PRId64 " s",
                          waited_ms / 1000);
    return notify->failure ? mem_printf("waiting, and trying again: %s", notify->failure)
                           : mem_strdup("connecting to PostgreSQL and Redis");
}

static void look(void *arg)
{
    struct notify *notify = arg;
    int64_t waited_ms = waits_for_postgres_ms(notify);
    uint64_t now = progress(notify);

    if (!notify->stopping)
        tell_status(notify, describe(notify, waited_ms));
    if (now != notify->seen || waited_ms)
        tell_alive(notify);
    notify->seen = now;
    timer_start(notify->timer, notify->look_ms);
}

/* ---- what the worker says ---- */

struct notify *notify_new(const struct worker *worker)
{
    struct notify *notify = mem_zalloc(sizeof(*notify));

    notify->worker = worker;
    notify->watchdog_ms = watchdog_ms();
    notify->look_ms = notify->watchdog_ms ? least(LOOK_MS, notify->watchdog_ms / LOOKS) : LOOK_MS;
    notify->timer = timer_new(worker->loop, look, notify);
    if (getenv("NOTIFY_SOCKET"))
        look(notify);
    return notify;
}

void notify_free(struct notify *notify)
{
    if (!notify)
        return;
    timer_free(notify->timer);
    free(notify->failure);
    free(notify->status);
    free(notify);
}

void notify_ready(struct notify *notify)
{
    if (notify->ready)
        return;
    notify->ready = true;
    tell_status(notify, describe(notify, 0));
    tell("READY=1");
}

void notify_step(struct notify *notify)
{
    notify->steps++;
}

void notify_failed(struct notify *notify, const struct err *why)
{
    mem_replace(&notify->failure, why->text);
    tell_status(notify, describe(notify, 0));
}

void notify_reloading(struct notify *notify)
{
    char *state;

    if (!notify->ready)
        return;
    state = mem_printf("RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
    notify->reloading = true;
    tell(state);
    free(state);
}

void notify_reloaded(struct notify *notify)
{
    if (notify->reloading)
        tell("READY=1");
    notify->reloading = false;
}

void notify_stopping(struct notify *notify)
{
    if (!notify->stopping)
        tell("STOPPING=1\nSTATUS=stopping: the page at hand is finished, the cursor saved");
    notify->stopping = true;
}

int64_t notify_longest_nap_ms(const struct notify *notify)
{
    return notify->watchdog_ms ? notify->watchdog_ms / LOOKS : INT64_MAX;
}
