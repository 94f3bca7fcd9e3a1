#include "cdc/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/expand.h"
#include "cdc/resync.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    DRAIN_MS = 800,          /* how long a page may go on after SIGTERM */
    SAFETY_POLL_MS = 30000,  /* asleep, even if no notification comes */
    POLL_LAST_MS = 50,       /* … up to this */
    SAVE_EVERY_MS = 500,     /* the cursor, while busy */
    REPORT_EVERY_MS = 10000, /* a log line of what was done, if anything was */
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 5000,
};

/* ---- waiting ---- */

void worker_wake(void *arg)
{
    struct worker *worker = arg;

    worker->wake = true;
}

/* Something wants the worker's attention. */
static bool is_called(const struct worker *worker)
{
    return worker->stopping || worker->reload ||
           (worker->session && (worker->session->notified || worker->session->lost));
}

/* Until something happens, or ms have passed. */
void worker_wait(struct worker *worker, int64_t ms)
{
    worker->wake = is_called(worker);
    timer_start(worker->timer, ms);
    loop_run_until(worker->loop, &worker->wake);
    timer_stop(worker->timer);
}

static void drain_is_over(void *arg)
{
    struct worker *worker = arg;

    if (worker->session)
        session_abort(worker->session, "stopping: the page at hand took too long");
    if (worker->tried)
        session_abort(worker->tried, "stopping");
}

static void on_signal(void *arg, int signo)
{
    struct worker *worker = arg;

    worker->wake = true;
    if (signo == SIGHUP) {
        worker->reload = true;
        return;
    }
    if (!worker->stopping)
        timer_start(worker->drain, DRAIN_MS);
    worker->stopping = true;
}

/* ---- work ---- */

static int resync_truncated(struct worker *worker, const bool *truncated, struct err *err)
{
    const struct plan *plan = worker->session->plan;

    for (size_t i = 0; i < plan->nprojections; i++) {
        if (!truncated[i])
            continue;
        log_info("a table of projection %s was truncated: bringing all its documents in step",
                 plan->projections[i].config->name);
        if (resync_keys(worker->session, i, worker->queue_all, err) != 0 ||
            resync_rows(worker->session, i, worker->queue_all, NULL, NULL, err) != 0)
            return -1;
    }
    return 0;
}

static int apply_changes(struct worker *worker, const struct change *changes, size_t count, struct err *err)
{
    bool *truncated = mem_zalloc(sizeof(bool) * worker->session->plan->nprojections);
    struct batch *batch = batch_new(worker->session, worker->queue_all);
    int result = expand_apply(batch, worker->session, changes, count, truncated, err);

    if (result == 0)
        result = batch_finish(batch, err);
    batch_free(batch);
    if (result == 0)
        result = resync_truncated(worker, truncated, err);
    free(truncated);
    return result;
}

static int64_t report_ms_left(const struct worker *worker)
{
    return worker->reported_at_ms + REPORT_EVERY_MS - clock_mono_ms();
}

static void report(struct worker *worker)
{
    const struct tally *now = &worker->session->tally, *before = &worker->reported;

    if (worker->changes)
        log_info("changes applied: %lld; documents put %lld, unchanged %lld, removed %lld, stale %lld, "
                 "refused %lld; "
                 "newly queued %lld",
                 (long long)worker->changes, (long long)(now->put - before->put),
                 (long long)(now->unchanged - before->unchanged), (long long)(now->removed - before->removed),
                 (long long)(now->stale - before->stale), (long long)(now->refused - before->refused),
                 (long long)(now->queued - before->queued));
    worker->reported = *now;
    worker->reported_at_ms = clock_mono_ms();
    worker->changes = 0;
}

static int64_t save_ms_left(const struct worker *worker)
{
    return worker->saved_at_ms + SAVE_EVERY_MS - clock_mono_ms();
}

/* What is due now and then while there are changes: the cursor is saved, a line is logged. */
static int do_chores(struct worker *worker, struct err *err)
{
    if (worker->changes && report_ms_left(worker) <= 0)
        report(worker);
    if (!feed_is_unsaved(worker->feed) || save_ms_left(worker) > 0)
        return 0;
    worker->saved_at_ms = clock_mono_ms();
    return feed_save(worker->feed, err);
}

static int64_t ms_to_next_chore(const struct worker *worker)
{
    int64_t ms = SAFETY_POLL_MS;

    if (worker->changes && report_ms_left(worker) < ms)
        ms = report_ms_left(worker);
    if (feed_is_unsaved(worker->feed) && save_ms_left(worker) < ms)
        ms = save_ms_left(worker);
    return ms > 0 ? ms : 0;
}

static int apply_page(struct worker *worker, struct err *err)
{
    size_t count;
    const struct change *changes = feed_changes(worker->feed, &count);

    if (count && apply_changes(worker, changes, count, err) != 0)
        return -1;
    worker->changes += (int64_t)count;
    backoff_reset(&worker->retry);
    worker->poll_ms = POLL_FIRST_MS;
    feed_advance(worker->feed);
    return do_chores(worker, err);
}

/* Chores are done between naps rather than at each: every save is a transaction. */
static int sleep_behind_gate(struct worker *worker, struct err *err)
{
    int64_t end = clock_mono_ms() + SAFETY_POLL_MS;

    worker->poll_ms = POLL_FIRST_MS;
    while (!is_called(worker) && clock_mono_ms() < end) {
        worker_wait(worker, ms_to_next_chore(worker));
        if (!is_called(worker) && do_chores(worker, err) != 0)
            return -1;
    }
    return 0;
}

static int rest(struct worker *worker, enum feed_state state, struct err *err)
{
    worker->queue_all = false;
    backoff_reset(&worker->retry);
    if (!worker->caught_up)
        log_info("caught up");
    worker->caught_up = true;
    if (worker->options->once) {
        worker->stopping = true;
        return 0;
    }
    if (state == FEED_ASLEEP)
        return sleep_behind_gate(worker, err);
    worker_wait(worker, worker->poll_ms);
    worker->poll_ms = worker->poll_ms * 2 > POLL_LAST_MS ? POLL_LAST_MS : worker->poll_ms * 2;
    return do_chores(worker, err);
}

static int step(struct worker *worker, struct err *err)
{
    enum feed_state state;

    if (worker->session->lost) {
        err_copy(err, &worker->session->why_lost);
        return -1;
    }
    if (worker->reload)
        worker_reload(worker);
    if (!worker->feed)
        return worker_stand_by(worker, err);
    worker->session->notified = false;
    if (feed_next(worker->feed, &state, err) != 0)
        return -1;
    return state == FEED_WORK ? apply_page(worker, err) : rest(worker, state, err);
}

/* Until told to stop (0), or until something fails (-1 with err set). */
static int work(struct worker *worker, struct err *err)
{
    while (!worker->stopping) {
        if (step(worker, err) != 0)
            return -1;
    }
    if (!worker->feed)
        return 0;
    report(worker);
    return feed_save(worker->feed, err);
}

/* ---- the whole life ---- */

static bool is_final(const struct worker *worker, const struct err *err)
{
    return worker->stopping || worker->options->once || (err->status == ST_CONFIG && !worker->has_run);
}

static enum exit_code live(struct worker *worker)
{
    for (;;) {
        struct err err = ERR_NONE;
        int64_t wait_ms;

        if (worker_open(worker, &err) && work(worker, &err) == 0)
            return EX_DONE;
        worker_close(worker);
        if (is_final(worker, &err)) {
            log_error("%s", err.text);
            return worker->stopping && !worker->options->once ? EX_DONE : status_exit_code(err.status);
        }
        wait_ms = backoff_next(&worker->retry);
        log_error("%s; trying again in %lld ms", err.text, (long long)wait_ms);
        worker_wait(worker, wait_ms);
        if (worker->stopping)
            return EX_DONE;
        if (worker->reload)
            worker_reload_closed(worker);
    }
}

static void worker_free(struct worker *worker)
{
    worker_close(worker);
    config_free(worker->config);
    timer_free(worker->timer);
    timer_free(worker->drain);
    loop_free(worker->loop);
}

enum exit_code worker_run(const struct worker_options *options)
{
    struct worker worker = {.options = options};
    enum exit_code code = EX_BAD_CONFIG;

    worker.loop = loop_new();
    worker.timer = timer_new(worker.loop, worker_wake, &worker);
    worker.drain = timer_new(worker.loop, drain_is_over, &worker);
    backoff_init(&worker.retry, RETRY_FIRST_MS, RETRY_LAST_MS);
    worker.config = worker_load_config(&worker);
    if (worker.config) {
        log_set_fleet(worker.config->fleet);
        loop_on_signal(worker.loop, SIGTERM, on_signal, &worker);
        loop_on_signal(worker.loop, SIGINT, on_signal, &worker);
        loop_on_signal(worker.loop, SIGHUP, on_signal, &worker);
        code = live(&worker);
        log_info("stopped");
    }
    worker_free(&worker);
    return code;
}
