#include "common/pg_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/pg_private.h"

enum { QUERY_DEADLINE_MS = 3000 };

struct pg_watch {
    struct pg *pg;
    struct timer *deadline;
    int backend_pid;
    pg_watch_fn *fn; /* NULL: nobody is to be told any more */
    void *arg;
};

/* $1 the session, $2 ours as it was announced to us: another one is a pooler's invention. A session that
 * waits for us is ended: it may hold locks, and would hold them for as long as something keeps its connection
 * open. */
static const char question[] =
    "SELECT known, a.pid IS NOT NULL, CASE WHEN known AND (a.state LIKE 'idle%' OR a.wait_event = "
    "'ClientWrite')"
    " AND a.state_change < clock_timestamp() - interval '3 s' THEN pg_terminate_backend(a.pid) END"
    " FROM (SELECT pg_backend_pid() = $2::int) AS us (known) LEFT JOIN pg_stat_activity a ON a.pid = $1::int";
enum { KNOWN, EXISTS, ANSWERED };

static void tell(struct pg_watch *watch, const char *dead, const char *unknown)
{
    if (watch->fn)
        watch->fn(watch->arg, dead, unknown);
}

static void on_done(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct pg_watch *watch = arg;

    timer_stop(watch->deadline);
    if (err || pg_rows_get(rows, 0, KNOWN, NULL)[0] != 't')
        tell(watch, NULL, err ? err->text : NULL);
    else if (pg_rows_get(rows, 0, EXISTS, NULL)[0] != 't')
        tell(watch, "PostgreSQL: the session has ended, but the connection does not say so", NULL);
    else if (pg_rows_get(rows, 0, ANSWERED, NULL))
        tell(watch, "PostgreSQL: the server waits for us as we for it: the connection leads nowhere", NULL);
    else
        tell(watch, NULL, NULL);
}

static void on_up(void *arg)
{
    struct pg_watch *watch = arg;
    char session[16], ours[16];
    const char *const params[] = {session, ours};
    struct pg_query query = {.sql = question, .params = params, .nparams = 2};

    snprintf(session, sizeof(session), "%d", watch->backend_pid);
    snprintf(ours, sizeof(ours), "%d", PQbackendPID(watch->pg->conn));
    timer_start(watch->deadline, QUERY_DEADLINE_MS);
    pg_send(watch->pg, &query, on_done, watch);
}

static void on_down(void *arg, const struct err *why)
{
    struct pg_watch *watch = arg;

    tell(watch, NULL, why->text);
}

static void on_deadline(void *arg)
{
    struct pg_watch *watch = arg;

    tell(watch, NULL, "PostgreSQL: a new connection is not answered either");
}

struct pg_watch *pg_watch_new(struct loop *loop, const struct pg_target *target, int backend_pid,
                              pg_watch_fn *fn, void *arg)
{
    static const struct pg_handlers handlers = {on_up, on_down, NULL};
    struct pg_watch *watch = mem_zalloc(sizeof(*watch));
    char *name = mem_printf("%s (watch)", target->application_name ? target->application_name : "pgusher");
    struct pg_target named = {target->conninfo, target->password, name};

    watch->backend_pid = backend_pid;
    watch->fn = fn;
    watch->arg = arg;
    watch->deadline = timer_new(loop, on_deadline, watch);
    watch->pg = pg_new(loop, &handlers, watch);
    pg_open(watch->pg, &named);
    free(name);
    return watch;
}

void pg_watch_free(struct pg_watch *watch)
{
    if (!watch)
        return;
    watch->fn = NULL;
    pg_free(watch->pg);
    timer_free(watch->deadline);
    free(watch);
}
