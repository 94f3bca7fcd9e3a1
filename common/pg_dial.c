#include "common/pg_dial.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/pg_error.h"
#include "common/pg_hosts.h"
#include "common/resolve.h"

enum {
    HEAD_START_MS = 250, /* before the next one is tried beside it */
    ASK_AGAIN_MS = 500,
};

enum lane_state { WAITING, BUSY, FAILED, GIVEN_UP };

/* One address, or a name until it is known which addresses it has. */
struct lane {
    struct lane *next;
    struct pg_dial *dial;
    struct pg_host host;
    enum lane_state state;
    struct resolve *resolve;
    PGconn *conn;
    struct io *io;
    struct timer *deadline;
    char *why; /* it failed, the last time */
};

struct pg_dial {
    struct loop *loop;
    struct pg_target target;
    struct pg_hosts hosts;
    struct lane *lanes;
    struct timer *step;
    int64_t began_ms;
    bool unusable; /* libpq cannot make sense of the conninfo */
    pg_dial_fn *fn;
    void *arg;
};

static void lane_connect(struct lane *lane);
static void on_lane_io(void *arg, bool readable, bool writable);
static void on_lane_deadline(void *arg);

/* ---- lanes ---- */

static struct lane *lane_new(struct pg_dial *dial, const struct pg_host *host, const char *address)
{
    struct lane *lane = mem_zalloc(sizeof(*lane));

    lane->dial = dial;
    pg_host_init(&lane->host, host->name, address, host->port);
    lane->io = io_new(dial->loop, on_lane_io, lane);
    lane->deadline = timer_new(dial->loop, on_lane_deadline, lane);
    return lane;
}

static void lane_close(struct lane *lane)
{
    io_set(lane->io, -1, false, false);
    timer_stop(lane->deadline);
    resolve_free(lane->resolve);
    PQfinish(lane->conn);
    lane->resolve = NULL;
    lane->conn = NULL;
}

static void lane_free(struct lane *lane)
{
    lane_close(lane);
    io_free(lane->io);
    timer_free(lane->deadline);
    pg_host_free(&lane->host);
    free(lane->why);
    free(lane);
}

static struct lane *first_in(const struct pg_dial *dial, enum lane_state state)
{
    struct lane *lane = dial->lanes;

    while (lane && lane->state != state)
        lane = lane->next;
    return lane;
}

/* ---- the end ---- */

static void finish_failed(struct pg_dial *dial)
{
    struct buf all = BUF_NONE;
    struct err err = ERR_NONE;

    timer_stop(dial->step);
    for (const struct lane *lane = dial->lanes; lane; lane = lane->next)
        buf_printf(&all, "%s\n", lane->why);
    if (dial->unusable)
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): one lane at least said why */
        err_set(&err, ST_CONFIG, "PostgreSQL: %.*s", (int)strcspn(all.data, "\n"), all.data);
    pg_connect_error(all.data, &err);
    buf_free(&all);
    dial->fn(dial->arg, NULL, &err);
}

static void finish_up(struct lane *lane)
{
    struct pg_dial *dial = lane->dial;
    PGconn *conn = lane->conn;

    lane->conn = NULL;
    timer_stop(dial->step);
    for (lane = dial->lanes; lane; lane = lane->next)
        lane_close(lane);
    dial->fn(dial->arg, conn, NULL);
}

/* ---- one step after the other ---- */

static void lane_start(struct lane *lane);

/* Begins the next one, however it goes. */
static void step(struct pg_dial *dial)
{
    struct lane *next = first_in(dial, WAITING);

    if (next)
        lane_start(next);
    else if (!first_in(dial, BUSY))
        finish_failed(dial);
    else
        timer_start(dial->step, ASK_AGAIN_MS);
}

/* Not for ever: those that fail slowly, each in its own time, would always find another one busy. */
static bool may_ask_again(const struct pg_dial *dial)
{
    return clock_mono_ms() - dial->began_ms < dial->hosts.deadline_ms;
}

static void on_step(void *arg)
{
    struct pg_dial *dial = arg;

    if (!first_in(dial, WAITING) && may_ask_again(dial))
        for (struct lane *lane = dial->lanes; lane; lane = lane->next)
            if (lane->state == FAILED)
                lane->state = WAITING;
    step(dial);
}

/* The last thing its caller does: it may be the end of the dial. */
static void lane_fail(struct lane *lane, enum lane_state state, const char *why)
{
    char *copy = mem_strdup(why);

    lane_close(lane);
    free(lane->why);
    lane->why = copy;
    lane->state = state;
    step(lane->dial);
}

static void lane_fail_to(struct lane *lane, enum lane_state state, const char *what, const char *detail)
{
    char *why = mem_printf("connection to server at \"%s\" failed: %s%s",
                           lane->host.name      ? lane->host.name
                           : lane->host.address ? lane->host.address
                                                : "",
                           what, detail);

    lane_fail(lane, state, why);
    free(why);
}

/* What libpq says, which knows the address only, with the name that the user wrote. The caller frees. */
static char *why_with_name(const struct lane *lane)
{
    static const char start[] = "connection to server at ";
    const char *why = PQerrorMessage(lane->conn);

    if (!lane->host.name || !lane->host.address || strncmp(why, start, strlen(start)) != 0)
        return mem_strdup(why);
    return mem_printf("%s\"%s\", %s", start, lane->host.name, why + strlen(start));
}

/* An operator's mistake is not mended by asking again. */
static void lane_refused(struct lane *lane)
{
    char *why = why_with_name(lane);
    struct err err = ERR_NONE;

    pg_connect_error(why, &err);
    lane_fail(lane, err.status == ST_CONFIG ? GIVEN_UP : FAILED, why);
    free(why);
}

static void on_lane_deadline(void *arg)
{
    lane_fail_to(arg, GIVEN_UP, "no answer in time", "");
}

static void on_notice(void *arg, const char *message)
{
    (void)arg;
    log_debug("PostgreSQL says: %.*s", (int)strcspn(message, "\n"), message);
}

static void on_lane_io(void *arg, bool readable, bool writable)
{
    struct lane *lane = arg;
    PostgresPollingStatusType status;

    (void)readable;
    (void)writable;
    io_set(lane->io, -1, false, false); /* the socket may be another one afterwards */
    status = PQconnectPoll(lane->conn);
    /* Asked for after the first message buffer exists; later servers' errors then carry their SQLSTATE. */
    PQsetErrorVerbosity(lane->conn, PQERRORS_VERBOSE);
    if (status == PGRES_POLLING_OK)
        finish_up(lane);
    else if (status == PGRES_POLLING_FAILED)
        lane_refused(lane);
    else
        io_set(lane->io, PQsocket(lane->conn), status == PGRES_POLLING_READING,
               status == PGRES_POLLING_WRITING);
}

static void lane_connect(struct lane *lane)
{
    lane->conn = pg_host_connect(&lane->host, &lane->dial->hosts, &lane->dial->target);
    PQsetErrorVerbosity(lane->conn, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(lane->conn, on_notice, NULL);
    if (PQstatus(lane->conn) != CONNECTION_BAD) {
        io_set(lane->io, PQsocket(lane->conn), false, true);
        return;
    }
    if (!strstr(PQerrorMessage(lane->conn), "connection to server") &&
        !pg_lacked_memory(PQerrorMessage(lane->conn)))
        lane->dial->unusable = true;
    lane_refused(lane);
}

static void on_resolved(void *arg, const char *const *addresses, size_t count, const char *error)
{
    struct lane *lane = arg;

    resolve_free(lane->resolve);
    lane->resolve = NULL;
    if (count == 0) {
        lane_fail_to(lane, FAILED, "no address for this name: ", error);
        return;
    }
    lane->host.address = mem_strdup(addresses[0]);
    for (size_t i = count; i-- > 1;) {
        struct lane *other = lane_new(lane->dial, &lane->host, addresses[i]);

        other->next = lane->next;
        lane->next = other;
    }
    lane_connect(lane);
}

static void lane_start(struct lane *lane)
{
    struct pg_dial *dial = lane->dial;

    lane->state = BUSY;
    timer_start(dial->step, HEAD_START_MS);
    timer_start(lane->deadline, dial->hosts.deadline_ms);
    if (pg_host_needs_address(&lane->host))
        lane->resolve = resolve_new(dial->loop, lane->host.name, on_resolved, lane);
    else
        lane_connect(lane);
}

/* ---- the whole ---- */

struct pg_dial *pg_dial_new(struct loop *loop, const struct pg_target *target, pg_dial_fn *fn, void *arg)
{
    struct pg_dial *dial = mem_zalloc(sizeof(*dial));
    struct lane **tail = &dial->lanes;

    dial->loop = loop;
    dial->target = pg_target_copy(target);
    dial->fn = fn;
    dial->arg = arg;
    dial->step = timer_new(loop, on_step, dial);
    dial->began_ms = clock_mono_ms();
    pg_hosts_init(&dial->hosts, target);
    for (size_t i = 0; i < dial->hosts.count; i++) {
        *tail = lane_new(dial, &dial->hosts.list[i], dial->hosts.list[i].address);
        tail = &(*tail)->next;
    }
    timer_start(dial->step, 0);
    return dial;
}

void pg_dial_free(struct pg_dial *dial)
{
    if (!dial)
        return;
    while (dial->lanes) {
        struct lane *lane = dial->lanes;

        dial->lanes = lane->next;
        lane_free(lane);
    }
    timer_free(dial->step);
    pg_hosts_free(&dial->hosts);
    pg_target_free(&dial->target);
    free(dial);
}
