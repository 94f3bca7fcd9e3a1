/* pgusher install, uninstall: run the composed SQL in one transaction, or print it. */
#include <stdio.h>
#include <stdlib.h>

#include "cdc/capture.h"
#include "cdc/ddl.h"
#include "cdc/tool.h"
#include "common/buf.h"
#include "common/human.h"

struct job {
    struct loop *loop;
    struct config *config;
    struct session *session;
    bool had_config;
};

static enum exit_code outcome(const struct job *job, const struct err *err)
{
    if (err->status != ST_OK)
        return tool_fail(err);
    return job->had_config ? EX_DONE : EX_BAD_CONFIG;
}

static int job_open(struct job *job, const struct tool *tool, struct err *err)
{
    job->config = tool_config(tool);
    if (!job->config) /* it has told what is wrong */
        return -1;
    job->had_config = true;
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
    char *sql = ddl_in_transaction(script);
    int result = 0;

    if ((tool->given & FLAG_PRINT))
        fputs(sql, stdout);
    else
        result = ddl_run(job->session, sql, err);
    free(sql);
    return result;
}

static enum exit_code install_run(const struct tool *tool)
{
    struct job job = {0};
    struct err err = ERR_NONE;
    int tables = 0, changed = 0;
    char *script = NULL;

    if (job_open(&job, tool, &err) == 0 && ((tool->given & FLAG_PRINT) || ddl_lock(job.session, &err) == 0))
        script = compose(&job, &tables, &changed, &err);
    if (script && execute(&job, tool, script, &err) == 0 && !(tool->given & FLAG_PRINT))
        printf("installed for fleet %s: %s watched, %s of triggers and functions%s\n", job.config->fleet,
               human_of(tables, "table").text, human_of(changed, "change").text,
               changed ? "" : ": all stand already");
    free(script);
    job_close(&job);
    return outcome(&job, &err);
}

static enum exit_code uninstall_run(const struct tool *tool)
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
    if (script && execute(&job, tool, script, &err) == 0 && !(tool->given & FLAG_PRINT))
        puts("uninstalled: the schema pgusher and its triggers are gone");
    free(script);
    job_close(&job);
    return outcome(&job, &err);
}

const struct verb install_verb = {
    "install",
    install_run,
    FLAG_PRINT,
    "set up capture in the database",
    "usage: pgusher install [--print]\n"
    "\n"
    "Creates or upgrades the schema pgusher and the triggers on the watched tables, in one transaction. "
    "Waits\n"
    "for a busy table half a second at a time, so that its writers are not held up. What stands already is "
    "not\n"
    "touched. --print writes the SQL for a database administrator instead of running it.\n"
    "\n"
    "Example: pgusher -c pgusher.json install --print | psql -U postgres box_office\n",
};

const struct verb uninstall_verb = {
    "uninstall",
    uninstall_run,
    FLAG_PRINT,
    "take it away again",
    "usage: pgusher uninstall [--print]\n"
    "\n"
    "Removes the triggers and the schema pgusher with all it holds, for all fleets. The cache stays as it "
    "is.\n"
    "\n"
    "Example: pgusher -c pgusher.json uninstall\n",
};
