#include "cdc/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "cdc/expand.h"
#include "cdc/metrics.h"
#include "cdc/resume.h"
#include "cdc/worker_http.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    DRAIN_MS = 800,    /* how long a page may go on after SIGTERM */
    POLL_LAST_MS = 50, /* … up to this */
    RETRY_FIRST_MS = 100,
    ONCE_WAIT_MS = 2000, /* --once: for a backfill that others do; not for one that fails */
    RETRY_LAST_MS = 2000,
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
    return worker->stopping || worker->reload || (worker->fleet && fleet_has_news(worker->fleet)) ||
           (worker->session &&
            (worker->session->notified || worker->session->lost || beside_is_uncovered(worker->session)));
}

/* Until something happens, or ms have passed, or the service manager wants to hear from us. */
void worker_wait(struct worker *worker, int64_t ms)
{
    worker->wake = is_called(worker);
    timer_start(worker->timer, least(ms, notify_longest_nap_ms(worker->notify)));
    worker->progress.resting = true;
    loop_run_until(worker->loop, &worker->wake);
    worker->progress.resting = false;
    timer_stop(worker->timer);
    notify_step(worker->notify);
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
    notify_stopping(worker->notify);
}

/* ---- work ---- */

/* Nobody knows which documents there were: a task looks at all of them, beside live changes. */
static int ask_for_truncated(struct worker *worker, const struct expand_result *results, struct err *err)
{
    const struct plan *plan = worker->session->plan;
    const char **names = mem_alloc((plan->nprojections + 1) * sizeof(*names));
    size_t count = 0;
    int result = 0;

    for (size_t i = 0; i < plan->nprojections; i++)
        if (results[i].truncated && !plan->projections[i].broken)
            names[count++] = plan->projections[i].config->name;
    if (count)
        result =
            tasks_ask_repair(worker->session, names, count, "a table was truncated", worker->queue_all, err);
    free(names);
    return result;
}

static int apply_changes(struct worker *worker, const struct change *changes, size_t count, struct err *err)
{
    struct expand_result *results = mem_zalloc(sizeof(*results) * worker->session->plan->nprojections);
    struct batch *batch = batch_new(worker->session, (struct sink_queueing){.all = worker->queue_all});
    int result = expand_apply(batch, worker->session, changes, count, results, err);

    if (result == 0) {
        feed_read_ahead(worker->feed);
        result = batch_finish(batch, err);
    }
    batch_free(batch);
    if (result == 0)
        result = ask_for_truncated(worker, results, err);
    if (result == 0)
        result = broken_take_page(worker->broken, results, worker->queue_all, err);
    free(results);
    return result;
}

/* ---- steps ---- */

/* With a new plan it is taken up again at once. */
static int take_unfit_task(struct worker *worker, const struct err *why, struct err *err)
{
    if (broken_take_chore(worker->broken, tasks_unfit(worker->tasks), why, err) != 0)
        return -1;
    tasks_put_off(worker->tasks, why);
    return 0;
}

static int backfill_step(struct worker *worker, struct err *err)
{
    struct err failed = ERR_NONE;

    if (tasks_ms_left(worker->tasks) != 0 || tasks_step(worker->tasks, &failed) == 0)
        return 0;
    if (failed.status == ST_UNFIT)
        return take_unfit_task(worker, &failed, err);
    err_copy(err, &failed);
    return -1;
}

/* A piece of a backfill, when it is time for one. */
static int backfill(struct worker *worker, struct err *err)
{
    int result;

    do {
        result = backfill_step(worker, err);
    } while (result == 0 && tasks_lag(worker->tasks) && !worker->stopping);
    return result;
}

static int apply_page(struct worker *worker, struct err *err)
{
    int64_t since_us = clock_mono_us();
    size_t count;
    const struct change *changes = feed_changes(worker->feed, &count);

    if (count && apply_changes(worker, changes, count, err) != 0)
        return -1;
    if (count)
        histogram_add(&metrics.batch, clock_mono_us() - since_us);
    worker->untidy |= count > 0;
    count -= worker_take_canaries(worker, changes, count);
    worker_row_applied(worker->row, count, feed_age_ms(worker->feed));
    worker->changes += (int64_t)count;
    backoff_reset(&worker->retry);
    tasks_yield(worker->tasks);
    worker->poll_ms = POLL_FIRST_MS;
    feed_advance(worker->feed);
    return worker_do_chores(worker, false, err) == 0 ? backfill(worker, err) : -1;
}

/* Chores are done between naps rather than at each: every save is a transaction. */
static int sleep_behind_gate(struct worker *worker, struct err *err)
{
    int64_t end = clock_mono_ms() + SAFETY_POLL_MS;

    worker->poll_ms = POLL_FIRST_MS;
    while (!is_called(worker) && clock_mono_ms() < end) {
        int64_t task_ms = tasks_ms_left(worker->tasks), chore_ms = worker_ms_to_next_chore(worker);

        worker_wait(worker, task_ms >= 0 ? least(task_ms, chore_ms) : chore_ms);
        if (!is_called(worker) && (worker_do_chores(worker, true, err) != 0 || backfill(worker, err) != 0))
            return -1;
    }
    return 0;
}

static int poll(struct worker *worker, struct err *err)
{
    if (tasks_ms_left(worker->tasks) == 0)
        return worker_do_chores(worker, true, err) == 0 ? backfill(worker, err) : -1;
    worker_wait(worker, worker->poll_ms);
    worker->poll_ms = least(worker->poll_ms * 2, POLL_LAST_MS);
    return worker_do_chores(worker, true, err);
}

/* --once: everything is applied when no backfill is left, either, but those that fail, and no date that
 * passed. */
static int end_once(struct worker *worker, struct err *err)
{
    int64_t left = tasks_ms_left(worker->tasks);

    if (sweep_ms_left(worker->sweep, false) == 0)
        return worker_sweep(worker, err);
    worker->stopping = left < 0 || left > ONCE_WAIT_MS;
    if (worker->stopping)
        return 0;
    worker_wait(worker, left);
    return backfill(worker, err);
}

static const char *resting(const struct worker *worker, enum feed_state state)
{
    if (state == FEED_ASLEEP)
        return "asleep";
    return worker->session->deaf ? "polling: NOTIFY does not reach this worker"
                                 : "polling: a transaction that changed something has not ended";
}

static int rest(struct worker *worker, enum feed_state state, struct err *err)
{
    worker_row_gate(worker->row, resting(worker, state));
    /* What is removed before a backfill has reached it is not there, and yet indexers may know it. */
    if (!tasks_are_needed(worker->tasks))
        worker->queue_all = false;
    backoff_reset(&worker->retry);
    log_repeat_clear(&worker->complaint);
    if (!worker->caught_up)
        log_info("caught up");
    worker->caught_up = true;
    notify_ready(worker->notify);
    if (worker->options->once)
        return end_once(worker, err);
    return state == FEED_ASLEEP ? sleep_behind_gate(worker, err) : poll(worker, err);
}

/* Nothing to read: others own all partitions, or hold them still. Backfills and the sweep go on, for who
 * holds one may have given its last partition up. */
static int stand_by(struct worker *worker, struct err *err)
{
    int64_t task_ms = tasks_ms_left(worker->tasks), chore_ms = worker_ms_to_next_chore(worker);

    if (worker->options->once)
        return worker_own_all(worker, err);
    if (fleet_workers(worker->fleet) == 0)
        task_ms = chore_ms = SAFETY_POLL_MS;
    worker_row_gate(worker->row, "idle: others own all partitions");
    if (fleet_workers(worker->fleet) > 1)
        notify_ready(worker->notify);
    worker_wait(worker, task_ms >= 0 ? least(task_ms, chore_ms) : chore_ms);
    if (is_called(worker) || fleet_workers(worker->fleet) == 0)
        return 0;
    return worker_do_chores(worker, true, err) == 0 ? backfill(worker, err) : -1;
}

static int read_on(struct worker *worker, struct err *err)
{
    int64_t since_us = clock_mono_us();
    enum feed_state state;

    worker->session->notified = false;
    if (feed_next(worker->feed, &state, err) != 0)
        return -1;
    if (state != FEED_WORK)
        return rest(worker, state, err);
    metrics_stage(STAGE_READ, since_us);
    return apply_page(worker, err);
}

static int take_reload(struct worker *worker, struct err *err)
{
    int result = 0;

    notify_reloading(worker->notify);
    if (worker->session)
        result = worker_reload(worker, err);
    else
        worker_reload_closed(worker);
    notify_reloaded(worker->notify);
    return result;
}

static int step(struct worker *worker, struct err *err)
{
    if (worker->session->lost) {
        err_copy(err, &worker->session->why_lost);
        return -1;
    }
    if (worker->reload && take_reload(worker, err) != 0)
        return -1;
    if (beside_is_uncovered(worker->session) && resume_cover(worker->session, err) != 0)
        return -1;
    if (worker->fleet && fleet_has_news(worker->fleet) && worker_follow_fleet(worker, err) != 0)
        return -1;
    return worker->session->parts.count ? read_on(worker, err) : stand_by(worker, err);
}

/* Until told to stop (0), or until something fails (-1 with err set). */
static int work(struct worker *worker, struct err *err)
{
    while (!worker->stopping) {
        worker->progress.steps++;
        if (step(worker, err) != 0)
            return -1;
        notify_step(worker->notify);
    }
    worker_report(worker);
    worker_row_remove(worker->row);
    return worker_leave(worker, err);
}

/* ---- the whole life ---- */

static bool is_final(const struct worker *worker, const struct err *err)
{
    return worker->stopping || worker->options->once || (err->status == ST_CONFIG && !worker->has_run);
}

static void make_up_for_lost_changes(struct worker *worker, const struct err *err)
{
    struct err failed = ERR_NONE;

    if (worker->session && worker->session->changes_lost &&
        resume_anew(worker->session, err->text, &failed) != 0)
        log_error("%s", failed.text);
}

static enum exit_code live(struct worker *worker)
{
    for (;;) {
        struct err err = ERR_NONE;
        int64_t wait_ms;

        if (worker_open(worker, &err) && work(worker, &err) == 0)
            return EX_DONE;
        make_up_for_lost_changes(worker, &err);
        worker_row_failed(worker->row, &err);
        worker_close(worker);
        if (is_final(worker, &err)) {
            log_error("%s", err.text);
            return worker->stopping && !worker->options->once ? EX_DONE : status_exit_code(err.status);
        }
        notify_failed(worker->notify, &err);
        wait_ms = backoff_next(&worker->retry);
        worker_complain(worker, &err, wait_ms);
        worker_wait(worker, wait_ms);
        if (worker->stopping)
            return EX_DONE;
        if (worker->reload)
            take_reload(worker, &err);
    }
}

static void worker_free(struct worker *worker)
{
    worker_http_free(worker->http);
    worker_close(worker);
    worker_row_free(worker->row);
    notify_free(worker->notify);
    broken_free(worker->broken);
    free(worker->dataset);
    free(worker->shapes);
    free(worker->database);
    config_free(worker->config);
    timer_free(worker->timer);
    timer_free(worker->drain);
    timer_free(worker->pulse);
    loop_free(worker->loop);
}

enum exit_code worker_run(const struct worker_options *options)
{
    struct worker worker = {.options = options};
    enum exit_code code = EX_BAD_CONFIG;

    metrics.started_ms = clock_wall_ms();
    worker.loop = loop_new();
    worker.row = worker_row_new();
    worker.notify = notify_new(&worker);
    worker.timer = timer_new(worker.loop, worker_wake, &worker);
    worker.drain = timer_new(worker.loop, drain_is_over, &worker);
    worker.broken = broken_new(options->once);
    worker.pulse = timer_new(worker.loop, worker_pulse, &worker);
    backoff_init(&worker.retry, RETRY_FIRST_MS, RETRY_LAST_MS);
    worker.config = worker_load_config(&worker);
    if (worker.config) {
        log_set_fleet(worker.config->fleet);
        loop_on_signal(worker.loop, SIGTERM, on_signal, &worker);
        loop_on_signal(worker.loop, SIGINT, on_signal, &worker);
        loop_on_signal(worker.loop, SIGHUP, on_signal, &worker);
        worker_http_configure(&worker);
        code = live(&worker);
        log_info("stopped");
    }
    worker_free(&worker);
    return code;
}
