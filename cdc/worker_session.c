/* A worker's sessions: opening, reloading the configuration, becoming the owner. See worker_private.h. */
#include <stdlib.h>

#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

enum {
    STAND_BY_MS = 200,       /* between tries to take over */
    ONCE_STAND_BY_MS = 5000, /* how long --once waits for another worker to end */
};

static char *application_name(const struct config *config)
{
    return mem_printf("pgusherd %s", config->fleet);
}

void worker_close(struct worker *worker)
{
    feed_free(worker->feed);
    session_close(worker->session);
    worker->feed = NULL;
    worker->session = NULL;
}

static void adopt_session(struct worker *worker, struct session *session)
{
    worker->session = session;
    session->wake = worker_wake;
    session->wake_arg = worker;
    worker->has_run = true;
    worker->saved_at_ms = worker->reported_at_ms = clock_mono_ms();
    worker->reported = session->tally;
    worker->poll_ms = POLL_FIRST_MS;
    log_info("connected to PostgreSQL and Redis; epoch %lld, %zu projections", (long long)session->epoch,
             session->plan->nprojections);
}

bool worker_open(struct worker *worker, struct err *err)
{
    char *name = application_name(worker->config);
    struct session *session = session_open(worker->loop, worker->config, name, &worker->session, err);

    free(name);
    if (session)
        adopt_session(worker, session);
    return session != NULL;
}

/* What is wrong, on one line each; NULL when the file cannot be used. */
struct config *worker_load_config(const struct worker *worker)
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

void worker_reload(struct worker *worker)
{
    struct config *config = worker_load_config(worker);
    struct err err = ERR_NONE;
    char *name;

    worker->reload = false;
    if (!config) {
        log_error("reload: the configuration is refused; the old one stays in force");
        return;
    }
    if (!worker->feed || feed_save(worker->feed, &err) == 0) {
        name = application_name(config);
        session_open(worker->loop, config, name, &worker->tried, &err);
        free(name);
    }
    if (!worker->tried) {
        log_error("reload: %s, the old configuration stays in force: %s",
                  err.status == ST_CONFIG ? "the new configuration is refused" : "a server did not answer",
                  err.text);
        config_free(config);
        return;
    }
    worker_close(worker);
    config_free(worker->config);
    worker->config = config;
    log_set_fleet(config->fleet);
    adopt_session(worker, worker->tried);
    worker->tried = NULL;
    log_info("reload: the configuration is adopted");
}

/* While nothing is connected a file that reads well is adopted; whether it fits the database shows next. */
void worker_reload_closed(struct worker *worker)
{
    struct config *config = worker_load_config(worker);

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
    worker->caught_up = false;
}

/* Tries to become the owner; if another worker is, waits a little. */
int worker_stand_by(struct worker *worker, struct err *err)
{
    bool owned;

    if (session_own(worker->session, &owned, err) != 0)
        return -1;
    if (owned) {
        take_over(worker);
        return 0;
    }
    /* Not at the first try: the owner may be our own last session, about to end. */
    if (!worker->standing_by && worker->stood_by_ms > 0)
        log_info("standing by: another worker of the fleet is at work");
    worker->standing_by = worker->stood_by_ms > 0;
    worker->stood_by_ms += STAND_BY_MS;
    if (worker->options->once && worker->stood_by_ms > ONCE_STAND_BY_MS) {
        err_set(err, ST_REFUSED, "another worker of fleet %s is at work and applies the changes",
                worker->config->fleet);
        return -1;
    }
    worker->session->notified = false;
    worker_wait(worker, STAND_BY_MS);
    return 0;
}
