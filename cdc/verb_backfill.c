/* pgusher backfill: puts all documents of some projections, beside live changes; the version guard makes that
 * safe. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/batch.h"
#include "cdc/progress.h"
#include "cdc/resume.h"
#include "cdc/resync.h"
#include "cdc/tool.h"

/* Counting may take long for a heavy view; the progress can do without. */
#define COUNT_TIMEOUT "3s"

struct run {
    struct session *session;
    struct progress *progress;
    int64_t documents;
    int64_t refused;
    bool interrupted;
};

static void on_interrupt(void *arg, int signo)
{
    struct run *run = arg;

    (void)signo;
    run->interrupted = true;
}

static int64_t count_rows(struct session *session, size_t projection)
{
    struct err err = ERR_NONE;
    struct buf sql = BUF_NONE;
    struct pg_query limit = {.sql = "SET statement_timeout = '" COUNT_TIMEOUT "'"};
    struct pg_query unlimited = {.sql = "SET statement_timeout = 0"};
    struct pg_query count = {0};
    struct pg_rows *rows = NULL;
    int64_t total = -1;

    buf_printf(&sql, "SELECT count(*) FROM (%.*s) s",
               (int)(strstr(session->plan->projections[projection].ids_first, " ORDER BY") -
                     session->plan->projections[projection].ids_first),
               session->plan->projections[projection].ids_first);
    count.sql = sql.data;
    if (pg_run(session->pg, &limit, NULL, &err) == 0 && pg_run(session->pg, &count, &rows, &err) == 0)
        total = atoll(pg_rows_get(rows, 0, 0, NULL));
    err_clear(&err);
    pg_run(session->pg, &unlimited, NULL, &err);
    pg_rows_free(rows);
    buf_free(&sql);
    return total;
}

/* A run that died may have written documents that it did not queue. So while one is under way its projection
 * stands in a hash in Redis, and the next run that finds it there queues everything. */
#define UNDER_WAY "pgusher:backfill"

static struct rreply *run_under_way(struct run *run, int argc, const char *const *argv, struct err *err)
{
    struct rconn *rconn = run->session->rconn;

    return rconn_run(rconn, rconn_route(rconn, UNDER_WAY, strlen(UNDER_WAY)), argc, argv, err);
}

static int begin(struct run *run, const char *name, bool *ret_died, struct err *err)
{
    struct rreply *reply = run_under_way(run, 4, (const char *const[]){"HSETNX", UNDER_WAY, name, "1"}, err);

    if (!reply)
        return -1;
    *ret_died = rreply_integer(reply) == 0;
    if (*ret_died)
        fprintf(stderr, "%s: an earlier backfill did not come to its end; queueing all documents\n", name);
    rreply_free(reply);
    return 0;
}

static int end(struct run *run, const char *name, struct err *err)
{
    struct rreply *reply = run_under_way(run, 3, (const char *const[]){"HDEL", UNDER_WAY, name}, err);

    rreply_free(reply);
    return reply ? 0 : -1;
}

static int put_rows(struct run *run, size_t projection, bool queue_all, struct err *err)
{
    char **position = NULL;
    size_t count = PLAN_CHUNK;
    int result = 0;

    while (result == 0 && count == PLAN_CHUNK && !run->interrupted) {
        result = resync_rows_step(run->session, projection, queue_all, &position, &count, err);
        if (result == 0)
            run->documents += (int64_t)count;
        progress_update(run->progress, run->documents);
    }
    reader_position_free(&run->session->plan->projections[projection], position);
    return result;
}

/* A Redis that this fleet does not know may hold documents whose rows are gone by now. */
static int remove_ghosts(struct run *run, size_t projection, struct err *err)
{
    struct resync_keys *keys = resync_keys_new(run->session, projection, false);
    bool done = run->session->dataset != NULL;
    int result = 0;

    while (result == 0 && !done && !run->interrupted)
        result = resync_keys_step(keys, &done, err);
    resync_keys_free(keys);
    return result;
}

static int fill(struct run *run, size_t projection, struct err *err)
{
    const char *name = run->session->plan->projections[projection].config->name;
    struct tally *tally = &run->session->tally;
    struct err failed = ERR_NONE;
    bool died = false;
    int result;

    if (begin(run, name, &died, err) != 0)
        return -1;
    memset(tally, 0, sizeof(*tally));
    run->documents = 0;
    run->progress = progress_new(name, count_rows(run->session, projection));
    result = remove_ghosts(run, projection, &failed);
    if (result == 0)
        result = put_rows(run, projection, died, &failed);
    progress_end(run->progress, run->documents);
    printf(
        "%s: %lld put, %lld unchanged, %lld past their date, %lld newer already, %lld queued, %lld refused\n",
        name, (long long)tally->put, (long long)tally->unchanged, (long long)(tally->removed + tally->absent),
        (long long)tally->stale, (long long)tally->queued, (long long)tally->refused);
    run->refused += tally->refused;
    if (run->interrupted)
        err_set(err, ST_REFUSED, "interrupted; what was written stays, start again to do the rest");
    err_copy(err, &failed);
    /* Interrupted between two chunks, all that was written is queued, too. */
    if (result == 0 || run->interrupted)
        result = end(run, name, &failed) == 0 && !run->interrupted ? 0 : -1;
    err_copy(err, &failed);
    return result;
}

static int fill_some(struct run *run, const struct tool *tool, struct err *err)
{
    const struct plan *plan = run->session->plan;

    for (size_t i = 0; i < plan->nprojections; i++)
        if (tool_wants(tool, plan->projections[i].config->name) && fill(run, i, err) != 0)
            return -1;
    return 0;
}

static int fill_all(struct run *run, const struct tool *tool, struct err *err)
{
    char *contents = NULL;
    int result = resume_begin_filling(run->session, &contents, err);

    if (result == 0)
        result = fill_some(run, tool, err);
    if (result == 0 && run->refused == 0)
        result = resume_adopt(run->session, contents, err);
    free(contents);
    return result;
}

static enum exit_code backfill_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    struct err err = ERR_NONE;
    struct run run = {0};
    struct session_opener opener = {.application = "pgusher backfill"};
    struct loop *loop;

    if (!config)
        return EX_BAD_CONFIG;
    if (!tool_names_projections(tool, config)) {
        config_free(config);
        return EX_BAD_USAGE;
    }
    loop = loop_new();
    loop_on_signal(loop, SIGINT, on_interrupt, &run);
    loop_on_signal(loop, SIGTERM, on_interrupt, &run);
    if (session_open(loop, config, &opener, &run.session, &err)) {
        if (tool->nargs == 0)
            fill_all(&run, tool, &err);
        else
            fill_some(&run, tool, &err);
    }
    if (err.status == ST_OK && run.refused)
        err_set(&err, ST_REFUSED, "not all documents could be written (%lld); pgusher.quarantine says why",
                (long long)run.refused);
    session_close(run.session);
    loop_free(loop);
    config_free(config);
    return err.status == ST_OK ? EX_DONE : tool_fail(&err);
}

const struct verb backfill_verb = {
    "backfill",
    backfill_run,
    FLAG_ARGS,
    "write all documents",
    "usage: pgusher backfill [PROJECTION…]\n"
    "\n"
    "Builds every document of the projections (default: all), writes into Redis those that are not there "
    "already\n"
    "with the same content, and queues these. Safe beside running workers and live changes; may be "
    "interrupted\n"
    "and started again. A hash that somebody altered by hand is not noticed; DEL it first.\n"
    "\n"
    "Exit codes: 0 done, 1 interrupted or some documents could not be written.\n"
    "\n"
    "Example: pgusher -c pgusher.json backfill event\n",
};
