/* The scheduled verify. See worker_private.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/verify.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/pg_error.h"
#include "common/mem.h"

enum {
    LOOK_AGAIN_MS = 5000, /* another worker is at it, or there is nothing to compare yet */
    BUSY_SHARE = 4,       /* while busy, pause this many times as long as the last step took */
    NAMED = 3,            /* documents in the log line */
};

/* One of the fleet does it: who holds the advisory lock (1885828472, number of the fleet). */
struct checkup {
    struct session *session;
    struct verify *verify; /* under way */
    bool locked;
    int64_t next_ms;
    int64_t pause_ms; /* of that, because live changes wait */
    const char *last; /* the projection that was begun last */
    size_t unfit;
};

struct checkup *checkup_new(struct session *session)
{
    struct checkup *checkup = mem_zalloc(sizeof(*checkup));

    checkup->session = session;
    checkup->last = "";
    return checkup;
}

void checkup_free(struct checkup *checkup)
{
    if (!checkup)
        return;
    verify_free(checkup->verify);
    free(checkup);
}

int64_t checkup_ms_left(const struct checkup *checkup, bool busy)
{
    int64_t left;

    if (!checkup || checkup->session->config->verify_every_ms == 0)
        return -1;
    left = checkup->next_ms + (busy ? checkup->pause_ms : 0) - clock_mono_ms();
    return left > 0 ? left : 0;
}

/* ---- which one is due ---- */

static int lock(struct checkup *checkup, bool wanted, struct err *err)
{
    const char *const params[] = {checkup->session->number};
    struct pg_query query = {.sql = wanted ? "SELECT pg_try_advisory_lock(1885828472, $1)"
                                           : "SELECT pg_advisory_unlock(1885828472, $1)",
                             .params = params,
                             .nparams = 1};
    struct pg_rows *rows = NULL;

    if (checkup->locked == wanted)
        return 0;
    if (pg_run(checkup->session->pg, &query, &rows, err) != 0)
        return -1;
    checkup->locked = wanted && pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    return 0;
}

static void begin(struct checkup *checkup, const char *projection)
{
    const struct plan *plan = checkup->session->plan;
    struct verify_options options = {.sample = checkup->session->config->verify_sample};
    int64_t found = plan_find(plan, projection);

    if (found < 0 || checkup->verify)
        return;
    checkup->unfit = (size_t)found;
    checkup->verify = verify_new(checkup->session, checkup->unfit, &options);
    checkup->last = plan->projections[found].config->name;
}

/* *ret_ms: until one is due; 0: it was begun. */
static int begin_due(struct checkup *checkup, int64_t *ret_ms, struct err *err)
{
    char *names = plan_whole_names(checkup->session->plan), every[24];
    const char *const params[] = {checkup->session->config->fleet, names, every, checkup->last};
    struct pg_query query = {.sql = sql_verify_due, .params = params, .nparams = 4};
    struct pg_rows *rows = NULL;
    int result;

    snprintf(every, sizeof(every), "%lld", (long long)checkup->session->config->verify_every_ms);
    result = pg_run(checkup->session->pg, &query, &rows, err);
    if (result == 0) {
        *ret_ms = pg_rows_count(rows) ? atoll(pg_rows_get(rows, 0, 1, NULL)) : LOOK_AGAIN_MS;
        if (*ret_ms == 0)
            begin(checkup, pg_rows_get(rows, 0, 0, NULL));
    }
    pg_rows_free(rows);
    free(names);
    return result;
}

static int look(struct checkup *checkup, struct err *err)
{
    int64_t ms = LOOK_AGAIN_MS;

    if (lock(checkup, true, err) != 0 || (checkup->locked && begin_due(checkup, &ms, err) != 0) ||
        (!checkup->verify && lock(checkup, false, err) != 0))
        return -1;
    checkup->next_ms = clock_mono_ms() + ms;
    return 0;
}

/* ---- doing it ---- */

static void log_drift(const struct verify_result *result)
{
    struct buf text = BUF_NONE;

    for (size_t i = 0; i < result->listed && i < NAMED; i++)
        buf_printf(&text, "%s%s (%s)", i ? ", " : "", result->list[i].key, drift_name(result->list[i].drift));
    log_warn("verify of %s found drift: %s of %s, among them %s; run: pgusher verify %s --repair",
             result->projection, human_count(result->drift).text,
             human_of(result->documents, "document").text, text.data, result->projection);
    buf_free(&text);
}

static void log_result(const struct verify_result *result)
{
    if (result->drift)
        log_drift(result);
    else if (result->waiting)
        log_warn("verify of %s: %s differ%s, but %s", result->projection,
                 human_of(result->waiting, "document").text, result->waiting == 1 ? "s" : "",
                 result->why_waiting);
    else
        log_info("verify of %s: in step, %s compared in %lld ms", result->projection,
                 human_of(result->documents, "document").text, (long long)result->took_ms);
}

static void end(struct checkup *checkup)
{
    verify_free(checkup->verify);
    checkup->verify = NULL;
}

/* What the SQL of one projection fails for is no reason to stop the others. */
static int give_up(struct checkup *checkup, const struct err *why, struct err *err)
{
    end(checkup);
    checkup->next_ms = clock_mono_ms() + checkup->session->config->verify_every_ms;
    if (lock(checkup, false, err) != 0)
        return -1;
    log_warn("verify is given up for now: %s", pg_error_for_log(why->text).text);
    log_debug("verify: %s", why->text);
    if (why->status == ST_UNFIT)
        err_copy(err, why);
    return why->status == ST_UNFIT ? -1 : 0;
}

static int go_on(struct checkup *checkup, struct err *err)
{
    if (verify_step(checkup->verify, err) != 0)
        return -1;
    if (!verify_is_done(checkup->verify)) {
        checkup->next_ms = clock_mono_ms() + verify_ms_left(checkup->verify);
        return 0;
    }
    if (verify_save(checkup->session, verify_result(checkup->verify), err) != 0)
        return -1;
    log_result(verify_result(checkup->verify));
    end(checkup);
    return 0;
}

int checkup_step(struct checkup *checkup, struct err *err)
{
    int64_t began = clock_mono_ms();
    struct err why = ERR_NONE;
    int result = checkup->verify ? go_on(checkup, &why) : look(checkup, &why);

    checkup->pause_ms = BUSY_SHARE * (clock_mono_ms() - began);
    if (result == 0)
        return 0;
    if (!checkup->session->lost && why.status != ST_LOST)
        return give_up(checkup, &why, err);
    err_copy(err, &why);
    return -1;
}

size_t checkup_unfit(const struct checkup *checkup)
{
    return checkup->unfit;
}
