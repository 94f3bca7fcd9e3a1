/* pgusher install, uninstall: run the composed SQL in one transaction, or print it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/tool.h"
#include "common/backoff.h"
#include "common/buf.h"

/* Waiting for a table's lock holds up its writers, so each try waits shortly and there are many. */
#define LOCK_TIMEOUT "500ms"
enum { LOCK_TRIES = 60, RETRY_FIRST_MS = 200, RETRY_LAST_MS = 2000 };

struct job {
    struct loop *loop;
    struct config *config;
    struct session *session;
};

static int job_open(struct job *job, const struct tool *tool, struct err *err)
{
    job->config = tool_config(tool);
    if (!job->config) {
        err_set(err, ST_CONFIG, "the configuration has errors");
        return -1;
    }
    job->loop = loop_new();
    job->session = tool_session(job->loop, job->config);
    return session_connect_pg(job->session, "pgusher install", err);
}

static void job_close(struct job *job)
{
    session_close(job->session);
    loop_free(job->loop);
    config_free(job->config);
}

static char *in_transaction(const char *script)
{
    struct buf sql = BUF_NONE;

    buf_puts(&sql, "BEGIN;\nSET LOCAL lock_timeout = '" LOCK_TIMEOUT "';\n");
    buf_puts(&sql, script);
    buf_puts(&sql, "COMMIT;\n");
    return buf_take(&sql);
}

static void note_wake(void *arg)
{
    *(bool *)arg = true;
}

static void pause_for(struct loop *loop, int64_t ms)
{
    bool over = false;
    struct timer *timer = timer_new(loop, note_wake, &over);

    timer_start(timer, ms);
    loop_run_until(loop, &over);
    timer_free(timer);
}

static bool is_lock_timeout(const struct err *err)
{
    return strstr(err->text, "SQLSTATE 55P03") || strstr(err->text, "SQLSTATE 40P01");
}

/* A simple-protocol script stops at its first error and leaves the transaction to be rolled back. */
static int run_script(struct job *job, const char *script, struct err *err)
{
    struct pg_query query = {.sql = script, .script = true};
    struct pg_query rollback = {.sql = "ROLLBACK"};
    struct backoff backoff;

    backoff_init(&backoff, RETRY_FIRST_MS, RETRY_LAST_MS);
    for (int attempt = 1;; attempt++) {
        struct err failed = ERR_NONE, ignored = ERR_NONE;

        if (pg_run(job->session->pg, &query, NULL, &failed) == 0)
            return 0;
        pg_run(job->session->pg, &rollback, NULL, &ignored);
        if (!is_lock_timeout(&failed) || attempt == LOCK_TRIES) {
            err_copy(err, &failed);
            return -1;
        }
        fprintf(stderr, "pgusher: a table is in use (try %d of %d); trying again: %s\n", attempt, LOCK_TRIES,
                failed.text);
        pause_for(job->loop, backoff_next(&backoff));
    }
}

static char *compose(struct job *job, int *ret_tables, int *ret_changed, struct err *err)
{
    struct problems problems = {0};
    struct catalog *catalog = catalog_load(job->session->pg, job->config, err);
    char *script = NULL;
    struct plan *plan;

    if (!catalog)
        return NULL;
    plan = plan_new(job->config, catalog, &problems);
    tool_print_problems(job->config->file, &problems);
    if (plan)
        script = capture_compose(job->session->pg, job->config, catalog, ret_tables, ret_changed, err);
    else
        err_set(err, ST_CONFIG, "the configuration does not fit the database; nothing was changed");
    plan_free(plan);
    problems_free(&problems);
    catalog_free(catalog);
    return script;
}

static int execute(struct job *job, const struct tool *tool, const char *script, struct err *err)
{
    char *sql = in_transaction(script);
    int result = 0;

    if (tool->print)
        fputs(sql, stdout);
    else
        result = run_script(job, sql, err);
    free(sql);
    return result;
}

/* What the script is composed from must not change before it runs: one install at a time. */
static int lock_installs(struct job *job, struct err *err)
{
    struct pg_query query = {.sql = "SELECT pg_advisory_lock(1885828470, 0)"};

    return pg_run(job->session->pg, &query, NULL, err);
}

enum exit_code install_run(const struct tool *tool)
{
    struct job job = {0};
    struct err err = ERR_NONE;
    int tables = 0, changed = 0;
    char *script = NULL;

    if (job_open(&job, tool, &err) == 0 && (tool->print || lock_installs(&job, &err) == 0))
        script = compose(&job, &tables, &changed, &err);
    if (script && execute(&job, tool, script, &err) == 0 && !tool->print)
        printf("installed for fleet %s: %d tables watched, %d triggers and functions %s\n", job.config->fleet,
               tables, changed, changed ? "changed" : "to change (all stand already)");
    free(script);
    job_close(&job);
    return err.status == ST_OK ? EX_DONE : tool_fail(&err);
}

enum exit_code uninstall_run(const struct tool *tool)
{
    struct job job = {0};
    struct err err = ERR_NONE;
    char *script = NULL;

    if (job_open(&job, tool, &err) == 0) {
        struct buf sql = BUF_NONE;

        buf_puts(&sql, "SET LOCAL client_min_messages = warning;\n");
        buf_puts(&sql, capture_uninstall_sql);
        script = buf_take(&sql);
    }
    if (script && execute(&job, tool, script, &err) == 0 && !tool->print)
        puts("uninstalled: the schema pgusher and its triggers are gone");
    free(script);
    job_close(&job);
    return err.status == ST_OK ? EX_DONE : tool_fail(&err);
}
