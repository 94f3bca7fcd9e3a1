/* pgusher verify: whether Redis is in step with PostgreSQL, and mending what is not. */
#include "cdc/verb_verify.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/former.h"
#include "cdc/progress.h"
#include "cdc/tool.h"
#include "common/mem.h"

#define INTERRUPTED "interrupted: what was not compared yet may differ"

struct run {
    const struct tool *tool;
    struct session *session;
    struct verify **verified; /* of each projection that was asked for, as far as it came */
    size_t nverified;
    struct former *former; /* keys that these projections had once */
    size_t nformer;
    struct verify_result *former_results;
    const struct verify_result **results; /* of both */
    size_t count;
    bool interrupted;
};

static void on_interrupt(void *arg, int signo)
{
    struct run *run = arg;

    (void)signo;
    run->interrupted = true;
}

/* ---- comparing ---- */

static int step(struct run *run, struct verify *verify, struct err *err)
{
    int64_t wait_ms = verify_ms_left(verify);

    if (run->interrupted) {
        err_set(err, ST_REFUSED, INTERRUPTED);
        return -1;
    }
    if (wait_ms) {
        session_wait(run->session, &run->interrupted, wait_ms);
        return 0;
    }
    return verify_step(verify, err);
}

/* How many there will be, for the progress: as many as the last time; -1: not known. */
static int64_t guess_total(const struct run *run, const char *projection)
{
    const char *const params[] = {run->session->config->fleet, projection};
    struct pg_query query = {
        .sql = "SELECT compared FROM pgusher.verified WHERE fleet = $1 AND projection = $2 AND NOT sampled",
        .params = params,
        .nparams = 2};
    struct pg_rows *rows = NULL;
    struct err err = ERR_NONE;
    int64_t total = -1;

    if (run->tool->sample)
        return run->tool->sample;
    if (pg_run(run->session->pg, &query, &rows, &err) == 0 && pg_rows_count(rows))
        total = atoll(pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
    return total;
}

/* The answer is worth more than that it can be kept. */
static void save(const struct run *run, const struct verify_result *result)
{
    struct err err = ERR_NONE;

    if (verify_save(run->session, result, &err) != 0)
        fprintf(stderr, "%s: the result could not be kept for pgusher status: %s\n", result->projection,
                err.text);
}

static int verify_one(struct run *run, size_t projection, struct err *err)
{
    struct verify_options options = {run->tool->sample, (run->tool->given & FLAG_REPAIR) != 0};
    struct verify *verify = verify_new(run->session, projection, &options);
    const struct verify_result *result = verify_result(verify);
    struct progress *progress = progress_new(result->projection, guess_total(run, result->projection));
    int outcome = 0;

    run->verified[run->nverified++] = verify;
    run->results[run->count++] = result;
    while (outcome == 0 && !verify_is_done(verify)) {
        outcome = step(run, verify, err);
        progress_update(progress, result->documents);
    }
    progress_end(progress, result->documents);
    if (outcome == 0)
        save(run, result);
    return outcome;
}

static int verify_former(struct run *run, struct err *err)
{
    bool repair = (run->tool->given & FLAG_REPAIR) != 0;

    if (former_load(run->session, &run->former, &run->nformer, err) != 0)
        return -1;
    run->former_results = mem_zalloc((run->nformer + 1) * sizeof(*run->former_results));
    run->results = mem_resize(run->results, (run->count + run->nformer + 1) * sizeof(*run->results));
    for (size_t i = 0; i < run->nformer; i++) {
        struct verify_result *result = &run->former_results[i];

        if (!tool_wants(run->tool, run->former[i].projection))
            continue;
        result->projection = run->former[i].projection;
        result->former_key = run->former[i].key;
        run->results[run->count++] = result;
        if (former_verify(run->session, &run->former[i], repair, &run->interrupted, result, err) != 0)
            return -1;
    }
    return 0;
}

static int verify_all(struct run *run, struct err *err)
{
    const struct plan *plan = run->session->plan;
    struct err broken = ERR_NONE;

    run->verified = mem_zalloc((plan->nprojections + 1) * sizeof(*run->verified));
    run->results = mem_zalloc((plan->nprojections + 1) * sizeof(*run->results));
    for (size_t i = 0; i < plan->nprojections; i++) {
        const struct plan_projection *projection = &plan->projections[i];

        if (!tool_wants(run->tool, projection->config->name))
            continue;
        if (projection->broken)
            err_set(&broken, ST_CONFIG, "projection %s cannot be compared: %s", projection->config->name,
                    projection->broken);
        else if (verify_one(run, i, err) != 0)
            return -1;
    }
    if (run->tool->sample == 0 && verify_former(run, err) != 0)
        return -1;
    if (run->interrupted)
        err_set(err, ST_REFUSED, INTERRUPTED);
    err_copy(err, &broken);
    return err->status == ST_OK ? 0 : -1;
}

/* ---- the verb ---- */

static void free_verified(struct run *run)
{
    for (size_t i = 0; i < run->nverified; i++)
        verify_free(run->verified[i]);
    for (size_t i = 0; run->former_results && i < run->nformer; i++)
        verify_result_clear(&run->former_results[i]);
    former_free(run->former, run->nformer);
    free(run->former_results);
    free(run->verified);
    free(run->results);
}

/* What is known without comparing: PostgreSQL may answer though Redis does not. */
static json_t *ask_last(struct loop *loop, const struct config *config)
{
    struct session *session = tool_session(loop, config);
    struct err err = ERR_NONE;
    json_t *last = NULL;

    if (session_connect_pg(session, "pgusher verify", &err) == 0)
        last = verify_report_last(session, &err);
    session_close(session);
    return last;
}

static enum exit_code verify_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    struct session_opener opener = {.application = "pgusher verify", .partial = true};
    struct run run = {.tool = tool};
    struct err err = ERR_NONE;
    struct verify_report report;
    struct loop *loop;
    enum exit_code code;

    if (!config)
        return EX_BAD_CONFIG;
    if (!tool_names_projections(tool, config)) {
        config_free(config);
        return EX_BAD_USAGE;
    }
    loop = loop_new();
    loop_on_signal(loop, SIGINT, on_interrupt, &run);
    loop_on_signal(loop, SIGTERM, on_interrupt, &run);
    if (session_open(loop, config, &opener, &run.session, &err))
        verify_all(&run, &err);
    report = (struct verify_report){run.results, run.count, NULL};
    if (!run.session)
        report.last = ask_last(loop, config);
    code = verify_report_print(&report, tool->json, &err);
    json_decref(report.last);
    free_verified(&run);
    session_close(run.session);
    loop_free(loop);
    config_free(config);
    return code;
}

const struct verb verify_verb = {
    "verify",
    verify_run,
    FLAG_ARGS | FLAG_JSON | FLAG_SAMPLE | FLAG_REPAIR,
    "whether Redis is in step, and mend what is not",
    "usage: pgusher verify [PROJECTION…] [--sample N] [--repair] [--json]\n"
    "\n"
    "Compares Redis with PostgreSQL, beside running workers and live changes: each row with its hash, field "
    "by "
    "field\n"
    "and date by date, and each key that looks like a document with the rows. What is about to change is "
    "waited "
    "for, so\n"
    "whatever is reported is no change on its way:\n"
    "\n"
    "  missing    a row without hash              expiry   no date, or another one than the row's\n"
    "  ghost      a hash without row              type     something that is no hash stands there\n"
    "  different  other fields than the row's     version  _v or _d, which guard it, are not what was "
    "written\n"
    "\n"
    "--sample N compares about N documents of each projection, picked at random, and N keys.\n"
    "--repair   writes exactly the documents that differ anew, removes ghosts, and queues these.\n"
    "--json     lists up to 1,000 differences of each projection.\n"
    "\n"
    "Exit codes: 0 in step, or all of it mended; 1 something differs, or changes wait and nobody applies "
    "them.\n"
    "\n"
    "Example: pgusher -c pgusher.json verify event --repair\n",
};
