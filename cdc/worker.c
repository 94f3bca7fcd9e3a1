#include "cdc/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/expand.h"
#include "cdc/feed.h"
#include "cdc/resync.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    DRAIN_MS = 800,          /* how long a page may go on after SIGTERM */
    SAFETY_POLL_MS = 30000,  /* asleep, even if no notification comes */
    STAND_BY_MS = 200,       /* between tries to take over */
    ONCE_STAND_BY_MS = 5000, /* how long --once waits for another worker to end */
    POLL_FIRST_MS = 1,       /* a writer is about to commit: ask again after this, then twice as long … */
    POLL_LAST_MS = 50,       /* … up to this */
    SAVE_EVERY_MS = 500,     /* the cursor, while busy */
    REPORT_EVERY_MS = 10000, /* a log line of what was done, if anything was */
    RETRY_FIRST_MS = 100,
    RETRY_LAST_MS = 5000,
};

struct worker {
    const struct worker_options *options;
    struct loop *loop;
    struct config *config;
    struct session *session;
    struct feed *feed;
    struct timer *timer; /* what waiting waits for */
    struct timer *drain;
    struct backoff retry;
    int64_t poll_ms;
    int64_t saved_at_ms;
    int64_t reported_at_ms;
    int64_t changes; /* since the last report */
    struct tally reported;
    bool queue_all; /* the last owner may have died between a put and its enqueue; until that past is done */
    bool resumed;   /* the batch at hand began before this session */
    bool caught_up;
    bool standing_by; /* said so */
    int64_t stood_by_ms;
    bool has_run; /* a session was open once: what fails from now on is retried */
    bool stopping;
    bool reload;
    bool wake;
};

/* ---- waiting ---- */

static void wake_up(void *arg)
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
static void wait_for(struct worker *worker, int64_t ms)
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

/* ---- sessions ---- */

static char *application_name(const struct config *config)
{
    return mem_printf("pgusherd %s", config->fleet);
}

static void close_session(struct worker *worker)
{
    feed_free(worker->feed);
    session_close(worker->session);
    worker->feed = NULL;
    worker->session = NULL;
}

static void adopt_session(struct worker *worker, struct session *session)
{
    worker->session = session;
    session->wake = wake_up;
    session->wake_arg = worker;
    worker->has_run = true;
    worker->saved_at_ms = worker->reported_at_ms = clock_mono_ms();
    worker->reported = session->tally;
    worker->poll_ms = POLL_FIRST_MS;
    log_info("connected to PostgreSQL and Redis; epoch %lld, %zu projections", (long long)session->epoch,
             session->plan->nprojections);
}

static bool open_session(struct worker *worker, struct err *err)
{
    char *name = application_name(worker->config);
    struct session *session = session_open(worker->loop, worker->config, name, &worker->session, err);

    free(name);
    if (session)
        adopt_session(worker, session);
    return session != NULL;
}

/* What is wrong, on one line each; NULL when the file cannot be used. */
static struct config *load_config(const struct worker *worker)
{
    struct problems problems = {0};
    struct config *config = config_load(worker->options->config_file, worker->options->fleet, &problems);

    for (size_t i = 0; i < problems.count; i++)
        log_error("%s: %s%s%s", worker->options->config_file, problems.list[i].place,
                  problems.list[i].place[0] ? ": " : "", problems.list[i].text);
    problems_free(&problems);
    if (config && config->http)
        log_warn("%s: http: the status page is not part of this version; ignored",
                 worker->options->config_file);
    return config;
}

static void reload(struct worker *worker)
{
    struct config *config = load_config(worker);
    struct session *tried = NULL;
    struct err err = ERR_NONE;
    char *name;

    worker->reload = false;
    if (!config) {
        log_error("reload: the configuration is refused; the old one stays in force");
        return;
    }
    if (!worker->feed || feed_save(worker->feed, &err) == 0) {
        name = application_name(config);
        session_open(worker->loop, config, name, &tried, &err);
        free(name);
    }
    if (!tried) {
        log_error("reload: the configuration is refused, the old one stays in force: %s", err.text);
        config_free(config);
        return;
    }
    close_session(worker);
    config_free(worker->config);
    worker->config = config;
    log_set_fleet(config->fleet);
    adopt_session(worker, tried);
    log_info("reload: the configuration is adopted");
}

/* While nothing is connected a file that reads well is adopted; whether it fits the database shows next. */
static void reload_closed(struct worker *worker)
{
    struct config *config = load_config(worker);

    worker->reload = false;
    if (!config)
        return;
    config_free(worker->config);
    worker->config = config;
    log_set_fleet(config->fleet);
}

/* ---- ownership ---- */

static void take_over(struct worker *worker)
{
    worker->feed = feed_new(worker->session);
    worker->standing_by = false;
    worker->stood_by_ms = 0;
    worker->queue_all = true;
    worker->resumed = worker->session->cursor.upto != NULL;
    worker->caught_up = false;
}

/* Tries to become the owner; if another worker is, waits a little. */
static int stand_by(struct worker *worker, struct err *err)
{
    bool owned;

    if (session_own(worker->session, &owned, err) != 0)
        return -1;
    if (owned) {
        take_over(worker);
        return 0;
    }
    if (!worker->standing_by)
        log_info("standing by: another worker of the fleet is at work");
    worker->standing_by = true;
    worker->stood_by_ms += STAND_BY_MS;
    if (worker->options->once && worker->stood_by_ms > ONCE_STAND_BY_MS) {
        err_set(err, ST_REFUSED, "another worker of fleet %s is at work and applies the changes",
                worker->config->fleet);
        return -1;
    }
    worker->session->notified = false;
    wait_for(worker, STAND_BY_MS);
    return 0;
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
        if (resync_keys(worker->session, i, err) != 0 ||
            resync_rows(worker->session, i, NULL, NULL, err) != 0)
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
    worker->poll_ms = POLL_FIRST_MS;
    if (feed_advance(worker->feed)) {
        worker->queue_all = worker->resumed && worker->queue_all;
        worker->resumed = false;
    }
    return do_chores(worker, err);
}

/* Chores are done between naps rather than at each: every save is a transaction. */
static int sleep_behind_gate(struct worker *worker, struct err *err)
{
    int64_t end = clock_mono_ms() + SAFETY_POLL_MS;

    worker->poll_ms = POLL_FIRST_MS;
    while (!is_called(worker) && clock_mono_ms() < end) {
        wait_for(worker, ms_to_next_chore(worker));
        if (!is_called(worker) && do_chores(worker, err) != 0)
            return -1;
    }
    return 0;
}

static int rest(struct worker *worker, enum feed_state state, struct err *err)
{
    worker->queue_all = false;
    if (!worker->caught_up)
        log_info("caught up");
    worker->caught_up = true;
    if (worker->options->once) {
        worker->stopping = true;
        return 0;
    }
    if (state == FEED_ASLEEP)
        return sleep_behind_gate(worker, err);
    wait_for(worker, worker->poll_ms);
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
        reload(worker);
    if (!worker->feed)
        return stand_by(worker, err);
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
        backoff_reset(&worker->retry);
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

        if (open_session(worker, &err) && work(worker, &err) == 0)
            return EX_DONE;
        close_session(worker);
        if (is_final(worker, &err)) {
            log_error("%s", err.text);
            return worker->stopping && !worker->options->once ? EX_DONE : status_exit_code(err.status);
        }
        wait_ms = backoff_next(&worker->retry);
        log_error("%s; trying again in %lld ms", err.text, (long long)wait_ms);
        wait_for(worker, wait_ms);
        if (worker->stopping)
            return EX_DONE;
        if (worker->reload)
            reload_closed(worker);
    }
}

static void worker_free(struct worker *worker)
{
    close_session(worker);
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
    worker.timer = timer_new(worker.loop, wake_up, &worker);
    worker.drain = timer_new(worker.loop, drain_is_over, &worker);
    backoff_init(&worker.retry, RETRY_FIRST_MS, RETRY_LAST_MS);
    worker.config = load_config(&worker);
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
