/* What is due now and then: cursors are saved, the changelog is tidied, the quarantine tried again, dates
 * that passed are told, documents are verified, a line is logged. See worker_private.h. */
#include "cdc/metrics.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    SAVE_EVERY_MS = 500,        /* the cursors, beside the data */
    SAVE_IN_PG_EVERY_MS = 2000, /* … while busy; every save leaves a dead row for each partition */
    TIDY_MIN_MS = 500,          /* looking after the changelog: a tenth of the look-back, within this … */
    TIDY_MAX_MS = 30000,
    REPORT_EVERY_MS = 10000, /* a log line of what was done, if anything was */
};

static int64_t report_ms_left(const struct worker *worker)
{
    return worker->reported_at_ms + REPORT_EVERY_MS - clock_mono_ms();
}

struct tally worker_tally(const struct worker *worker)
{
    struct tally sum = metrics.ended;

    if (worker->session)
        tally_add(&sum, &worker->session->tally);
    return sum;
}

void worker_report(struct worker *worker)
{
    struct tally now = worker_tally(worker);
    const struct tally *before = &worker->reported;

    if (worker->changes)
        log_info("changes applied: %lld; documents put %lld, unchanged %lld, removed %lld, stale %lld, "
                 "refused %lld; "
                 "newly queued %lld",
                 (long long)worker->changes, (long long)(now.put - before->put),
                 (long long)(now.unchanged - before->unchanged), (long long)(now.removed - before->removed),
                 (long long)(now.stale - before->stale), (long long)(now.refused - before->refused),
                 (long long)(now.queued - before->queued));
    worker->reported = now;
    worker->reported_at_ms = clock_mono_ms();
    worker->changes = 0;
}

void worker_complain(struct worker *worker, const struct err *err, int64_t wait_ms)
{
    int64_t unsaid;

    if (!log_repeat_is_news(&worker->complaint, err->text, clock_mono_ms(), &unsaid))
        log_debug("%s; trying again in %lld ms", err->text, (long long)wait_ms);
    else if (unsaid)
        log_error("%s; trying again in %lld ms (%lld times since this was said last)", err->text,
                  (long long)wait_ms, (long long)unsaid);
    else
        log_error("%s; trying again in %lld ms", err->text, (long long)wait_ms);
}

static int save(struct worker *worker, bool also_in_pg, struct err *err)
{
    int64_t since_us = clock_mono_us();
    int result;

    worker->saved_at_ms = clock_mono_ms();
    if (also_in_pg)
        worker->saved_in_pg_at_ms = worker->saved_at_ms;
    result = feed_save(worker->feed, also_in_pg, err);
    metrics_stage(STAGE_SAVE, since_us);
    return result;
}

/* Tables of the changelog that everybody has read are emptied by whoever comes first. */
static int tidy(struct worker *worker, struct err *err)
{
    struct pg_query query = {.sql = "SELECT array_to_string(events, '; '), idle FROM pgusher.upkeep()",
                             .name = "upkeep"};
    struct pg_rows *rows = NULL;
    const char *events;

    worker->tidied_at_ms = clock_mono_ms();
    if (pg_run(worker->session->pg, &query, &rows, err) != 0)
        return -1;
    events = pg_rows_get(rows, 0, 0, NULL);
    if (events && *events)
        log_info("changelog: %s", events);
    worker->untidy = pg_rows_get(rows, 0, 1, NULL)[0] != 't';
    pg_rows_free(rows);
    return 0;
}

static int64_t tidy_every_ms(const struct worker *worker)
{
    int64_t ms = worker->config->look_back_ms / 10;

    if (ms == 0 || ms > TIDY_MAX_MS)
        return TIDY_MAX_MS;
    return ms < TIDY_MIN_MS ? TIDY_MIN_MS : ms;
}

static int64_t ms_left(int64_t since_ms, int64_t every_ms)
{
    return since_ms + every_ms - clock_mono_ms();
}

/* As a change does, it reads documents by their ids. */
static int try_quarantined(struct worker *worker, struct err *err)
{
    struct err failed = ERR_NONE;

    if (retry_ms_left(worker->retrying) != 0 || retry_step(worker->retrying, &failed) == 0)
        return 0;
    if (failed.status == ST_UNFIT)
        return broken_take(worker->broken, retry_unfit(worker->retrying), &failed, err);
    err_copy(err, &failed);
    return -1;
}

/* A projection that cannot be read is looked into; the others go on. */
static int take_failure(struct worker *worker, size_t projection, const struct err *failed, struct err *err)
{
    if (failed->status == ST_UNFIT)
        return broken_take_chore(worker->broken, projection, failed, err);
    err_copy(err, failed);
    return -1;
}

int worker_sweep(struct worker *worker, struct err *err)
{
    struct err failed = ERR_NONE;

    if (sweep_step(worker->sweep, &failed) == 0)
        return 0;
    return take_failure(worker, sweep_unfit(worker->sweep), &failed, err);
}

static int verify(struct worker *worker, struct err *err)
{
    struct err failed = ERR_NONE;

    if (checkup_step(worker->checkup, &failed) == 0)
        return 0;
    return take_failure(worker, checkup_unfit(worker->checkup), &failed, err);
}

int worker_do_chores(struct worker *worker, bool resting, struct err *err)
{
    int64_t pg_every = resting ? SAVE_EVERY_MS : SAVE_IN_PG_EVERY_MS;

    worker_send_canary(worker);
    if (worker->changes && report_ms_left(worker) <= 0)
        worker_report(worker);
    if (feed_is_unsaved(worker->feed) && ms_left(worker->saved_at_ms, SAVE_EVERY_MS) <= 0 &&
        save(worker, ms_left(worker->saved_in_pg_at_ms, pg_every) <= 0, err) != 0)
        return -1;
    if (broken_ms_left(worker->broken) == 0 && broken_step(worker->broken, err) != 0)
        return -1;
    if (try_quarantined(worker, err) != 0)
        return -1;
    if (worker->untidy && ms_left(worker->tidied_at_ms, tidy_every_ms(worker)) <= 0 && tidy(worker, err) != 0)
        return -1;
    if (sweep_ms_left(worker->sweep, !resting) == 0 && worker_sweep(worker, err) != 0)
        return -1;
    return checkup_ms_left(worker->checkup, !resting) == 0 ? verify(worker, err) : 0;
}

int64_t worker_ms_to_next_chore(const struct worker *worker)
{
    int64_t ms = least(SAFETY_POLL_MS, worker_canary_ms_left(worker));
    int64_t retry_ms = retry_ms_left(worker->retrying);
    int64_t broken_ms = broken_ms_left(worker->broken);

    if (broken_ms >= 0)
        ms = least(ms, broken_ms);
    if (retry_ms >= 0)
        ms = least(ms, retry_ms);
    if (sweep_ms_left(worker->sweep, false) >= 0)
        ms = least(ms, sweep_ms_left(worker->sweep, false));
    if (worker->changes)
        ms = least(ms, report_ms_left(worker));
    if (feed_is_unsaved(worker->feed))
        ms = least(ms, ms_left(worker->saved_at_ms, SAVE_EVERY_MS));
    if (worker->untidy)
        ms = least(ms, ms_left(worker->tidied_at_ms, tidy_every_ms(worker)));
    if (checkup_ms_left(worker->checkup, false) >= 0)
        ms = least(ms, checkup_ms_left(worker->checkup, false));
    return ms > 0 ? ms : 0;
}
