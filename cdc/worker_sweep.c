#include "cdc/worker_sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "cdc/beside.h"
#include "cdc/plan_sql.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/pg_error.h"
#include "common/mem.h"

enum {
    TRY_AGAIN_MS = 1000,   /* while another worker sweeps: it may die */
    BUSY_SHARE = 4,        /* while busy, pause this many times as long as the last step took */
    SAVE_EVERY_MS = 60000, /* when nothing passed */
};

/* A projection with dates, and with somebody to tell. */
struct swept {
    size_t projection;
    int64_t to_ms; /* everything before was told */
    int64_t told;  /* documents in this round */
    int64_t saved_at_ms;
    char *date; /* of the last document of a stretch that takes several steps; NULL between stretches */
    char **id;
    struct err failed; /* why it was passed over */
};

struct sweep {
    struct session *session;
    struct swept *list;
    size_t count;
    size_t at; /* which one is under way; count: none */
    bool mine; /* this worker sweeps for the fleet */
    bool loaded;
    int64_t upto_ms; /* of this round */
    int64_t began_ms;
    int64_t next_ms;
    size_t unfit;
};

struct sweep *sweep_new(struct session *session)
{
    struct sweep *sweep = mem_zalloc(sizeof(*sweep));

    sweep->session = session;
    sweep->list = mem_zalloc(sizeof(*sweep->list) * (session->plan->nprojections + 1));
    for (size_t i = 0; i < session->plan->nprojections; i++)
        if (session->plan->projections[i].sweep_first && session->plan->projections[i].config->nqueues)
            sweep->list[sweep->count++].projection = i;
    sweep->at = sweep->count;
    return sweep;
}

static struct plan_projection *plan_of(const struct sweep *sweep, const struct swept *swept)
{
    return &sweep->session->plan->projections[swept->projection];
}

static void forget_stretch(const struct sweep *sweep, struct swept *swept)
{
    reader_position_free(plan_of(sweep, swept), swept->id);
    free(swept->date);
    swept->id = NULL;
    swept->date = NULL;
}

void sweep_free(struct sweep *sweep)
{
    if (!sweep)
        return;
    for (size_t i = 0; i < sweep->count; i++)
        forget_stretch(sweep, &sweep->list[i]);
    free(sweep->list);
    free(sweep);
}

int64_t sweep_ms_left(const struct sweep *sweep, bool busy)
{
    int64_t left = sweep->next_ms - clock_mono_ms();

    if (sweep->count == 0)
        return -1;
    return left > 0 && (busy || sweep->at == sweep->count) ? left : 0;
}

/* ---- where to begin ---- */

/* The lock is kept as long as the session lives, so that only one worker has to ask. */
static int claim(struct sweep *sweep, struct err *err)
{
    const char *const params[] = {sweep->session->number};
    struct pg_query query = {
        .sql = "SELECT pg_try_advisory_lock(1885828473, $1)", .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;

    if (pg_run(sweep->session->pg, &query, &rows, err) != 0)
        return -1;
    sweep->mine = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    sweep->next_ms = clock_mono_ms() + TRY_AGAIN_MS;
    return 0;
}

static char *field_of(const struct sweep *sweep, const struct swept *swept)
{
    return mem_printf("sweep:%s", plan_of(sweep, swept)->config->name);
}

struct since {
    int64_t from_ms; /* where to begin when nobody knows */
    int64_t to_ms;
};

static void hold_back(void *arg, const char *text)
{
    struct since *since = arg;
    int64_t ms = text ? atoll(text) : since->from_ms;

    if (ms < since->to_ms)
        since->to_ms = ms;
}

/* The earlier one of what PostgreSQL and what each Redis primary says. */
static int load(struct sweep *sweep, struct swept *swept, struct err *err)
{
    const char *const params[] = {sweep->session->config->fleet, plan_of(sweep, swept)->config->name};
    struct pg_query query = {
        .sql = "SELECT (extract(epoch FROM f.look_back) * 1000)::bigint,"
               " (extract(epoch FROM p.swept_to) * 1000)::bigint"
               " FROM pgusher.fleet f LEFT JOIN pgusher.projection p ON p.fleet = f.name AND p.name = $2"
               " WHERE f.name = $1",
        .params = params,
        .nparams = 2};
    struct since since = {.to_ms = sweep->upto_ms};
    char *field = field_of(sweep, swept);
    struct pg_rows *rows = NULL;
    int result = pg_run(sweep->session->pg, &query, &rows, err);

    if (result == 0 && pg_rows_count(rows)) {
        since.from_ms = sweep->upto_ms - atoll(pg_rows_get(rows, 0, 0, NULL));
        hold_back(&since, pg_rows_get(rows, 0, 1, NULL));
        result = beside_field(sweep->session, field, hold_back, &since, err);
    }
    swept->to_ms = since.to_ms;
    pg_rows_free(rows);
    free(field);
    return result;
}

static int load_all(struct sweep *sweep, struct err *err)
{
    for (size_t i = 0; i < sweep->count && !sweep->loaded; i++)
        if (load(sweep, &sweep->list[i], err) != 0)
            return -1;
    sweep->loaded = true;
    return 0;
}

/* ---- how far it is ---- */

static int save_in_pg(const struct sweep *sweep, const struct swept *swept, const char *ms, struct err *err)
{
    const char *const params[] = {sweep->session->config->fleet, plan_of(sweep, swept)->config->name, ms};
    struct pg_query query = {.sql = "INSERT INTO pgusher.projection (fleet, name, swept_to)"
                                    " VALUES ($1, $2, timestamptz 'epoch' + $3::float8 * interval '1 ms')"
                                    " ON CONFLICT (fleet, name) DO UPDATE SET swept_to = EXCLUDED.swept_to",
                             .name = "save_sweep",
                             .params = params,
                             .nparams = 3};

    return pg_run(sweep->session->pg, &query, NULL, err);
}

static int save(struct sweep *sweep, struct swept *swept, struct err *err)
{
    char *field = field_of(sweep, swept), ms[24];
    int result;

    snprintf(ms, sizeof(ms), "%lld", (long long)swept->to_ms);
    result = beside_set_field(sweep->session, field, ms, err);
    if (result == 0)
        result = save_in_pg(sweep, swept, ms, err);
    swept->saved_at_ms = clock_mono_ms();
    free(field);
    return result;
}

/* ---- asking ---- */

static struct pg_rows *ask(const struct sweep *sweep, const struct swept *swept, struct err *err)
{
    const struct plan_projection *plan = plan_of(sweep, swept);
    int64_t grace_ms = plan->config->expire_grace_ms;
    char from[24], to[24];
    const char *params[2 + MAX_ID_COLUMNS] = {swept->date ? swept->date : from, to};
    struct pg_query query = {.sql = swept->date ? plan->sweep_after : plan->sweep_first,
                             .params = params,
                             .nparams = swept->date ? (int)(2 + plan->config->nid) : 2};
    struct pg_rows *rows = NULL;

    snprintf(from, sizeof(from), "%lld", (long long)(swept->to_ms - grace_ms));
    snprintf(to, sizeof(to), "%lld", (long long)(sweep->upto_ms + 1 - grace_ms));
    for (size_t i = 0; swept->date && i < plan->config->nid; i++)
        params[2 + i] = swept->id[i];
    return pg_run(sweep->session->pg, &query, &rows, err) == 0 ? rows : NULL;
}

static void take_ids(const struct plan_projection *plan, const struct pg_rows *rows, struct ids *ids)
{
    for (int row = 0; row < pg_rows_count(rows); row++) {
        const char *id[MAX_ID_COLUMNS];

        for (size_t i = 0; i < plan->config->nid; i++)
            id[i] = pg_rows_get(rows, row, SWEEP_ID + (int)i, NULL);
        ids_add(ids, id);
    }
}

/* Everything before the last row's date is done; of that date there may be more. */
static void remember_last(const struct sweep *sweep, struct swept *swept, const struct pg_rows *rows)
{
    const struct plan_projection *plan = plan_of(sweep, swept);
    int last = pg_rows_count(rows) - 1;

    forget_stretch(sweep, swept);
    swept->to_ms =
        document_expire_ms(pg_rows_get(rows, last, SWEEP_EXPIRE, NULL), plan->config->expire_grace_ms);
    swept->date = mem_strdup(pg_rows_get(rows, last, SWEEP_DATE, NULL));
    swept->id = mem_zalloc(sizeof(char *) * plan->config->nid);
    for (size_t i = 0; i < plan->config->nid; i++)
        swept->id[i] = mem_strdup(pg_rows_get(rows, last, SWEEP_ID + (int)i, NULL));
}

/* ---- telling ---- */

static int tell(const struct sweep *sweep, const struct swept *swept, const struct pg_rows *rows,
                struct err *err)
{
    struct batch *batch = batch_new(sweep->session, (struct sink_queueing){.all = true});
    struct ids *ids = ids_new(plan_of(sweep, swept)->config->nid);
    int result;

    take_ids(plan_of(sweep, swept), rows, ids);
    result = batch_apply_ids(batch, swept->projection, ids, err);
    if (result == 0)
        result = batch_finish(batch, err);
    ids_free(ids);
    batch_free(batch);
    return result;
}

static void end_stretch(struct sweep *sweep, struct swept *swept)
{
    if (swept->told)
        log_info("the date of %s of projection %s passed", human_of(swept->told, "document").text,
                 plan_of(sweep, swept)->config->name);
    swept->told = 0;
    forget_stretch(sweep, swept);
    sweep->at++;
}

static int take(struct sweep *sweep, struct swept *swept, const struct pg_rows *rows, struct err *err)
{
    int count = pg_rows_count(rows);
    bool idle = count == 0 && !swept->date;

    if (count && tell(sweep, swept, rows, err) != 0)
        return -1;
    swept->told += count;
    if (count == PLAN_CHUNK) {
        remember_last(sweep, swept, rows);
        return save(sweep, swept, err);
    }
    swept->to_ms = sweep->upto_ms + 1;
    end_stretch(sweep, swept);
    if (idle && swept->saved_at_ms && clock_mono_ms() - swept->saved_at_ms < SAVE_EVERY_MS)
        return 0;
    return save(sweep, swept, err);
}

/* The others go on; this one is tried again in the next round. */
static void pass_over(struct sweep *sweep, struct swept *swept, const struct err *why)
{
    const char *name = plan_of(sweep, swept)->config->name;

    if (strcmp(swept->failed.text, why->text) != 0)
        log_error("projection %s: which dates passed cannot be read, so the queues are not told: %s", name,
                  pg_error_for_log(why->text).text);
    log_debug("projection %s: %s", name, why->text);
    swept->failed = *why;
    end_stretch(sweep, swept);
}

static int sweep_some(struct sweep *sweep, struct swept *swept, struct err *err)
{
    const struct plan_projection *plan = plan_of(sweep, swept);
    struct err why = ERR_NONE;
    struct pg_rows *rows;
    int result;

    if (plan->broken) {
        end_stretch(sweep, swept);
        return 0;
    }
    rows = ask(sweep, swept, &why);
    if (!rows && why.status == ST_LOST) {
        err_copy(err, &why);
        return -1;
    }
    if (!rows) {
        pass_over(sweep, swept, &why);
        return 0;
    }
    if (swept->failed.status != ST_OK)
        log_info("projection %s: which dates passed can be read again", plan_of(sweep, swept)->config->name);
    err_clear(&swept->failed);
    result = take(sweep, swept, rows, &why);
    pg_rows_free(rows);
    if (result != 0 && why.status == ST_UNFIT)
        pass_over(sweep, swept, &why);
    sweep->unfit = swept->projection;
    err_copy(err, &why);
    return result;
}

/* ---- rounds ---- */

/* The time on the primary that is furthest behind. */
static int read_clocks(struct sweep *sweep, int64_t *ret_ms, struct err *err)
{
    struct rconn *rconn = sweep->session->rconn;

    *ret_ms = INT64_MAX;
    for (size_t i = 0; i < rconn_primaries(rconn); i++) {
        struct rreply *reply =
            rconn_run(rconn, rconn_primary_route(rconn, i), 1, (const char *const[]){"TIME"}, err);
        int64_t ms;

        if (!reply)
            return -1;
        ms = atoll(rreply_string(rreply_at(reply, 0), NULL)) * 1000 +
             atoll(rreply_string(rreply_at(reply, 1), NULL)) / 1000;
        *ret_ms = ms < *ret_ms ? ms : *ret_ms;
        rreply_free(reply);
    }
    return 0;
}

/* A clock that was put back drops what it drops later than was told. */
static void follow_clock(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->count; i++)
        if (sweep->list[i].to_ms > sweep->upto_ms + 1)
            sweep->list[i].to_ms = sweep->upto_ms + 1;
}

static int begin_round(struct sweep *sweep, struct err *err)
{
    if (read_clocks(sweep, &sweep->upto_ms, err) != 0 || load_all(sweep, err) != 0)
        return -1;
    follow_clock(sweep);
    sweep->began_ms = clock_mono_ms();
    sweep->at = 0;
    return 0;
}

int sweep_step(struct sweep *sweep, struct err *err)
{
    int64_t began = clock_mono_ms(), now;
    int result;

    if (!sweep->mine && claim(sweep, err) != 0)
        return -1;
    if (!sweep->mine)
        return 0;
    if (sweep->at == sweep->count && begin_round(sweep, err) != 0)
        return -1;
    result = sweep_some(sweep, &sweep->list[sweep->at], err);
    now = clock_mono_ms();
    sweep->next_ms = sweep->at == sweep->count ? sweep->began_ms + sweep->session->config->sweep_ms
                                               : now + BUSY_SHARE * (now - began);
    return result;
}

size_t sweep_unfit(const struct sweep *sweep)
{
    return sweep->unfit;
}
