/* A worker's sessions: opening, reloading the configuration, partitions coming and going. See
 * worker_private.h. */
#include <stdlib.h>
#include <string.h>

#include "cdc/beside.h"
#include "cdc/metrics.h"
#include "cdc/shapes.h"
#include "cdc/worker_http.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    ONCE_STEP_MS = 200,
    ONCE_PATIENCE_MS = 5000, /* how long --once waits for other workers to end */
    PULSE_MS = 1000,
};

static char *application_name(const struct config *config)
{
    return mem_printf("pgusherd %s", config->fleet);
}

void worker_close(struct worker *worker)
{
    if (worker->session) {
        tally_add(&metrics.ended, &worker->session->tally);
        worker->epoch = worker->session->epoch;
        worker->ordinal = worker->session->ordinal;
        mem_replace(&worker->dataset, worker->session->dataset);
        if (worker->session->database)
            mem_replace(&worker->database, worker->session->database);
    }
    timer_stop(worker->pulse);
    worker_row_begin(worker->row, NULL);
    feed_free(worker->feed);
    tasks_free(worker->tasks);
    sweep_free(worker->sweep);
    retry_free(worker->retrying);
    broken_end(worker->broken);
    checkup_free(worker->checkup);
    session_close(worker->session); /* tells the fleet's last question that it is over */
    fleet_free(worker->fleet);
    promoter_free(worker->promoter);
    worker->feed = NULL;
    worker->session = NULL;
    worker->fleet = NULL;
    worker->tasks = NULL;
    worker->promoter = NULL;
    worker->sweep = NULL;
    worker->retrying = NULL;
    worker->checkup = NULL;
}

static void on_told(void *arg, const char *payload)
{
    struct worker *worker = arg;

    if (worker->fleet)
        fleet_told(worker->fleet, payload);
    if (worker->tasks)
        tasks_told(worker->tasks, payload);
    if (worker->retrying)
        retry_told(worker->retrying, payload);
    broken_told(worker->broken, payload);
}

void worker_pulse(void *arg)
{
    struct worker *worker = arg;

    beside_look(worker->session);
    if (beside_is_uncovered(worker->session))
        worker_wake(worker);
    worker_stalled_ms(worker);
    worker_row_write(worker->row);
    timer_start(worker->pulse, PULSE_MS);
}

static int adopt_session(struct worker *worker, struct session *session, struct err *err)
{
    worker->session = session;
    worker->feed = feed_new(session);
    worker->tasks = tasks_new(session, NULL);
    worker->promoter = promoter_new(session);
    worker->sweep = sweep_new(session);
    worker->retrying = retry_new(session);
    worker->checkup = worker->options->once ? NULL : checkup_new(session);
    worker->has_run = true;
    worker->progress.seen_ms = clock_mono_ms();
    metrics.sessions++;
    worker->saved_at_ms = worker->saved_in_pg_at_ms = worker->reported_at_ms = worker->tidied_at_ms =
        worker->canary_at_ms = clock_mono_ms();
    worker->poll_ms = POLL_FIRST_MS;
    worker->untidy = true;
    worker->caught_up = false;
    worker->waited_ms = 0;
    session->wake = worker_wake;
    session->told = on_told;
    session->arg = worker;
    session->hushed = worker->complaint.unsaid > 0;
    log_write(session->hushed ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
              "connected to PostgreSQL and Redis; epoch %lld, %s", (long long)session->epoch,
              human_of((int64_t)session->plan->nprojections, "projection").text);
    worker_pulse(worker);
    if (shapes_adopt(session, &worker->shapes, err) != 0 || broken_begin(worker->broken, session, err) != 0)
        return -1;
    if (worker->options->once)
        return 0;
    worker->fleet = fleet_join(session, err);
    if (!worker->fleet)
        return -1;
    worker_row_begin(worker->row, session);
    worker_row_write(worker->row);
    return 0;
}

static struct session *open_session(struct worker *worker, const struct config *config,
                                    struct session **ret_session, struct err *err)
{
    char *name = application_name(config);
    const char *database = worker->session ? worker->session->database : worker->database;
    struct session_opener opener = {.application = name,
                                    .is_worker = true,
                                    .partial = !worker->options->once,
                                    .epoch = worker->epoch,
                                    .ordinal = worker->ordinal,
                                    .dataset = worker->dataset,
                                    .database = database,
                                    .warned = config == worker->config ? &worker->warned : NULL};
    struct session *session = session_open(worker->loop, config, &opener, ret_session, err);

    free(name);
    return session;
}

bool worker_open(struct worker *worker, struct err *err)
{
    struct session *session = open_session(worker, worker->config, &worker->session, err);

    return session && adopt_session(worker, session, err) == 0;
}

/* What is wrong, on one line each; NULL when the file cannot be used. */
struct config *worker_load_config(const struct worker *worker)
{
    struct problems problems = {0};
    struct config *config = config_load(worker->options->config_file, worker->options->fleet, &problems);

    if (config && config_http_load_token(&config->http, &problems) != 0) {
        config_free(config);
        config = NULL;
    }
    for (size_t i = 0; i < problems.count; i++)
        log_error("%s: %s%s%s", worker->options->config_file, problems.list[i].place,
                  problems.list[i].place[0] ? ": " : "", problems.list[i].text);
    problems_free(&problems);
    return config;
}

static void swap_config(struct worker *worker, struct config *config)
{
    config_free(worker->config);
    worker->config = config;
    log_set_fleet(config->fleet);
    worker_http_configure(worker);
}

/* Whether something is broken under the new configuration that is not under the old one; says so. */
static bool breaks_more(const struct plan *new, const struct plan *old)
{
    bool more = false;

    for (size_t i = 0; i < new->nprojections; i++) {
        int64_t before = plan_find(old, new->projections[i].config->name);

        if (!new->projections[i].broken || (before >= 0 && old->projections[before].broken))
            continue;
        log_error("reload: the new configuration is refused, the old configuration stays in force: %s",
                  new->projections[i].broken);
        more = true;
    }
    return more;
}

int worker_reload(struct worker *worker, struct err *err)
{
    struct config *config = worker_load_config(worker);
    struct session *session;
    struct err failed = ERR_NONE;

    worker->reload = false;
    if (!config) {
        log_error("reload: the configuration is refused; the old one stays in force");
        return 0;
    }
    if (!open_session(worker, config, &worker->tried, &failed)) {
        log_error("reload: %s, the old configuration stays in force: %s",
                  failed.status == ST_CONFIG ? "the new configuration is refused" : "a server did not answer",
                  failed.text);
        config_free(config);
        return 0;
    }
    session = worker->tried;
    worker->tried = NULL;
    if (breaks_more(session->plan, worker->session->plan)) {
        session_close(session);
        config_free(config);
        broken_look_again(worker->broken);
        return 0;
    }
    err_clear(&failed);
    worker_leave(worker, &failed); /* what it could not save is applied again */
    worker_close(worker);
    swap_config(worker, config);
    log_info("reload: the configuration is adopted");
    return adopt_session(worker, session, err);
}

/* While nothing is connected a file that reads well is adopted; whether it fits the database shows next. */
void worker_reload_closed(struct worker *worker)
{
    struct config *config = worker_load_config(worker);

    worker->reload = false;
    if (!config)
        return;
    swap_config(worker, config);
}

/* ---- partitions ---- */

int worker_own_all(struct worker *worker, struct err *err)
{
    bool owned;

    if (fleet_own_all(worker->session, worker->feed, &owned, err) != 0)
        return -1;
    worker->queue_all = true;
    if (owned)
        return 0;
    if (worker->waited_ms >= ONCE_PATIENCE_MS) {
        err_set(err, ST_REFUSED, "another worker of fleet %s is at work and applies the changes",
                worker->config->fleet);
        return -1;
    }
    worker->waited_ms += ONCE_STEP_MS;
    worker_wait(worker, ONCE_STEP_MS);
    return 0;
}

int worker_follow_fleet(struct worker *worker, struct err *err)
{
    bool gained;

    if (fleet_follow(worker->fleet, worker->feed, &gained, err) != 0)
        return -1;
    tasks_look_again(worker->tasks); /* whoever went may have left one */
    retry_look_again(worker->retrying);
    broken_look_again(worker->broken);
    if (gained) {
        worker->queue_all = true;
        worker->caught_up = false;
    }
    return 0;
}

int worker_leave(struct worker *worker, struct err *err)
{
    struct parts all = worker->session->parts;

    return all.count ? feed_hand_over(worker->feed, &all, err) : 0;
}
