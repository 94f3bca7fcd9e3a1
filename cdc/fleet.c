#include "cdc/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/position.h"
#include "common/human.h"
#include "common/log.h"
#include "common/mem.h"

enum { ASK_EVERY_MS = 500, ASK_SOON_MS = 50, ASK_ALONE_MS = 30000 };
enum { SHARE_WORKERS, SHARE_OWNED, SHARE_QUOTA, SHARE_INSTALLED_AT };

struct fleet {
    struct session *session;
    struct timer *timer;
    char *call; /* the payload that is for this fleet's workers */
    bool asking;
    bool ask_again;
    bool news;
    int workers;
    int quota;
    struct parts owned; /* by the last answer */
};

static void ask(void *arg);

/* ---- asking for the share ---- */

static bool is_settled(const struct fleet *fleet)
{
    return (int)fleet->owned.count == fleet->quota;
}

/* A gap is looked at again soon: its owner may be about to end. Who is alone may have missed another one. */
static void ask_later(struct fleet *fleet)
{
    if (fleet->ask_again)
        ask(fleet);
    else if ((int)fleet->owned.count < fleet->quota)
        timer_start(fleet->timer, ASK_SOON_MS);
    else if (fleet->workers > 1 || !is_settled(fleet))
        timer_start(fleet->timer, ASK_EVERY_MS);
    else
        timer_start(fleet->timer, fleet->session->deaf ? ASK_EVERY_MS : ASK_ALONE_MS);
}

static void take_share(struct fleet *fleet, const struct pg_rows *rows)
{
    struct session *session = fleet->session;
    struct parts owned = parts_parse(pg_rows_get(rows, 0, SHARE_OWNED, NULL));
    int workers = atoi(pg_rows_get(rows, 0, SHARE_WORKERS, NULL));
    int quota = atoi(pg_rows_get(rows, 0, SHARE_QUOTA, NULL));

    if (strcmp(pg_rows_get(rows, 0, SHARE_INSTALLED_AT, NULL), session->installed_at) != 0)
        session_abort(session, "the schema pgusher was installed anew");
    if (workers != fleet->workers || quota != fleet->quota || owned.count != fleet->owned.count) {
        fleet->news = true;
        if (session->wake)
            session->wake(session->arg);
    }
    fleet->workers = workers;
    fleet->quota = quota;
    fleet->owned = owned;
}

static void on_share(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct fleet *fleet = arg;

    fleet->asking = false;
    if (err) {
        session_lose(fleet->session, err);
        return;
    }
    take_share(fleet, rows);
    ask_later(fleet);
}

static void ask(void *arg)
{
    struct fleet *fleet = arg;
    const char *const params[] = {fleet->session->number};
    struct pg_query query = {.sql = "SELECT workers, owned, quota, extract(epoch FROM installed_at)"
                                    " FROM pgusher.share($1)",
                             .name = "share",
                             .params = params,
                             .nparams = 1};

    fleet->ask_again = fleet->asking;
    if (fleet->asking)
        return;
    fleet->asking = true;
    timer_stop(fleet->timer);
    pg_send(fleet->session->pg, &query, on_share, fleet);
}

/* ---- life ---- */

struct fleet *fleet_join(struct session *session, struct err *err)
{
    const char *const params[] = {session->number};
    struct pg_query query = {.sql = "SELECT pg_advisory_lock_shared(1885828469, $1::integer),"
                                    " pg_notify('pgusher', 'fleet ' || $1)",
                             .params = params,
                             .nparams = 1};
    struct fleet *fleet;

    if (pg_run(session->pg, &query, NULL, err) != 0)
        return NULL;
    fleet = mem_zalloc(sizeof(*fleet));
    fleet->session = session;
    fleet->timer = timer_new(session->loop, ask, fleet);
    fleet->call = mem_printf("fleet %s", session->number);
    ask(fleet);
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    if (!fleet)
        return;
    timer_free(fleet->timer);
    free(fleet->call);
    free(fleet);
}

void fleet_told(struct fleet *fleet, const char *payload)
{
    if (strcmp(payload, fleet->call) == 0)
        ask(fleet);
}

bool fleet_has_news(const struct fleet *fleet)
{
    return fleet->news;
}

int fleet_workers(const struct fleet *fleet)
{
    return fleet->workers;
}

/* ---- following ---- */

static int begin_reading(struct session *session, struct feed *feed, const struct parts *parts,
                         struct err *err)
{
    struct cursor *cursors = mem_zalloc(sizeof(*cursors) * MAX_PARTITIONS);
    bool resumable = true;
    int result = position_load(session, parts, cursors, &resumable, err);

    if (result == 0 && !resumable) {
        session->changes_lost = true;
        err_set(err, ST_AGAIN, "the changelog no longer goes back to where this fleet was");
        result = -1;
    }
    for (size_t i = 0; i < parts->count; i++) {
        if (result == 0)
            feed_add(feed, parts->list[i], &cursors[parts->list[i]]);
        cursor_free(&cursors[parts->list[i]]);
    }
    free(cursors);
    return result;
}

static int give_up_excess(struct fleet *fleet, struct feed *feed, struct err *err)
{
    struct parts excess = {0};

    for (size_t i = (size_t)fleet->quota; i < fleet->owned.count; i++)
        parts_add(&excess, fleet->owned.list[i]);
    if (excess.count == 0)
        return 0;
    if (feed_hand_over(feed, &excess, err) != 0)
        return -1;
    fleet->owned = parts_filter(&fleet->owned, &excess, false);
    return 0;
}

int fleet_follow(struct fleet *fleet, struct feed *feed, bool *ret_gained, struct err *err)
{
    struct parts gained = parts_filter(&fleet->owned, &fleet->session->parts, false);

    fleet->news = false;
    *ret_gained = gained.count > 0;
    if (gained.count && begin_reading(fleet->session, feed, &gained, err) != 0)
        return -1;
    if (give_up_excess(fleet, feed, err) != 0)
        return -1;
    log_write(fleet->session->hushed ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
              "%s; %zu of %d partitions are read here", human_of(fleet->workers, "worker").text,
              fleet->owned.count, fleet->session->partitions);
    return 0;
}

int fleet_own_all(struct session *session, struct feed *feed, bool *ret_owned, struct err *err)
{
    struct pg_query unlock = {.sql = "SELECT pg_advisory_unlock_all()"};
    const char *const params[] = {session->number};
    struct pg_query query = {.sql =
                                 "SELECT bool_and(pg_try_advisory_lock(1885828468, $1::integer * 1024 + p))"
                                 " FROM pgusher.meta, generate_series(0, partitions - 1) p",
                             .params = params,
                             .nparams = 1};
    struct pg_rows *rows = NULL;
    struct parts all = {0};

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    *ret_owned = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    if (!*ret_owned)
        return pg_run(session->pg, &unlock, NULL, err);
    for (int i = 0; i < session->partitions; i++)
        parts_add(&all, i);
    return begin_reading(session, feed, &all, err);
}
