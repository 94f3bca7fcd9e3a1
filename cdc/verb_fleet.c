/* pgusher fleet list, fleet drop: who reads the changelog, and how one that will not come back is taken out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/ddl.h"
#include "cdc/standing.h"
#include "cdc/tool.h"
#include "common/buf.h"
#include "common/mem.h"
#include "common/problems.h"
#include "queue/tool_output.h"

typedef int job_fn(struct session *session, const struct tool *tool, struct err *err);

/* ---- list ---- */

static int widest_name(const json_t *fleets)
{
    const json_t *fleet;
    int widest = 5;
    size_t i;

    json_array_foreach (fleets, i, fleet)
        if ((int)strlen(standing_text(fleet, "fleet")) > widest)
            widest = (int)strlen(standing_text(fleet, "fleet"));
    return widest;
}

/* A number of seconds, or "-". */
static void print_seconds(const json_t *seconds)
{
    if (json_is_number(seconds))
        printf("  %11.1f", json_number_value(seconds));
    else
        printf("  %11s", "-");
}

static void print_fleet(const json_t *fleet, int width)
{
    long long owned = standing_integer(fleet, "partitions_owned");

    printf("%-*s  %6lld  %7lld  %4lld of %3lld  %16lld", width, standing_text(fleet, "fleet"),
           standing_integer(fleet, "number"), standing_integer(fleet, "workers"), owned,
           owned + standing_integer(fleet, "partitions_orphaned"), standing_integer(fleet, "lag_changes"));
    print_seconds(json_object_get(fleet, "lag_seconds"));
    printf("  %9zu", json_array_size(json_object_get(fleet, "backfills")));
    print_seconds(json_object_get(fleet, "cut_seconds_ago"));
    putchar('\n');
}

static void print_plain(const json_t *fleets)
{
    int width = widest_name(fleets);
    const json_t *fleet;
    size_t i;

    printf("%-*s  number  workers  partitions  changes to apply  oldest, s    backfills  cut loose, s ago\n",
           width, "fleet");
    json_array_foreach (fleets, i, fleet)
        print_fleet(fleet, width);
}

static int list(struct session *session, const struct tool *tool, struct err *err)
{
    json_t *standing = standing_ask(session, err);

    if (!standing)
        return -1;
    if (tool->json)
        output_json(json_pack("{s:O}", "fleets", json_object_get(standing, "fleets")));
    else
        print_plain(json_object_get(standing, "fleets"));
    json_decref(standing);
    return 0;
}

/* ---- drop ---- */

/* NULL with err set when there is none of that name. */
static const json_t *find_fleet(const json_t *fleets, const char *name, struct err *err)
{
    const char **names = mem_alloc(sizeof(*names) * (json_array_size(fleets) + 1));
    const json_t *fleet, *found = NULL;
    struct buf all = BUF_NONE;
    const char *near;
    size_t i;

    json_array_foreach (fleets, i, fleet) {
        names[i] = standing_text(fleet, "fleet");
        buf_printf(&all, "%s%s", i ? ", " : "", names[i]);
        if (strcmp(names[i], name) == 0)
            found = fleet;
    }
    near = suggest(name, names, json_array_size(fleets));
    if (!found)
        err_set(err, ST_REFUSED, "there is no fleet \"%s\"; there are: %s%s%s%s", name,
                all.len ? all.data : "none", near ? "; did you mean \"" : "", near ? near : "",
                near ? "\"?" : "");
    free(names);
    buf_free(&all);
    return found;
}

/* Every worker of a fleet shares the lock of its presence; who has it alone knows that none lives, nor
 * begins. */
static int lock_out_workers(struct session *session, const json_t *fleet, struct err *err)
{
    char number[24];
    const char *const params[] = {number};
    struct pg_query query = {
        .sql = "SELECT pg_try_advisory_lock(1885828469, $1)", .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;
    bool got;

    snprintf(number, sizeof(number), "%lld", standing_integer(fleet, "number"));
    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    got = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    if (!got)
        err_set(err, ST_REFUSED,
                "fleet \"%s\" has workers at work (%lld when last looked): stop them first. One whose host "
                "died is "
                "gone after some five seconds",
                standing_text(fleet, "fleet"), standing_integer(fleet, "workers"));
    return got ? 0 : -1;
}

static int run_drop(struct session *session, const char *name, struct err *err)
{
    char *script = capture_compose_drop(session->pg, name, err), *transaction;
    int result;

    if (!script)
        return -1;
    transaction = ddl_in_transaction(script);
    result = ddl_run(session, transaction, err);
    free(transaction);
    free(script);
    return result;
}

static int drop(struct session *session, const struct tool *tool, struct err *err)
{
    json_t *standing = ddl_lock(session, err) == 0 ? standing_ask(session, err) : NULL;
    const json_t *fleets = json_object_get(standing, "fleets");
    const json_t *fleet = standing ? find_fleet(fleets, tool->args[1], err) : NULL;
    int result = -1;

    if (fleet && lock_out_workers(session, fleet, err) == 0)
        result = run_drop(session, tool->args[1], err);
    if (result == 0)
        printf("dropped fleet %s; %zu left. What it wrote into its Redis stays there\n", tool->args[1],
               json_array_size(fleets) - 1);
    json_decref(standing);
    return result;
}

/* ---- which ---- */

static enum exit_code run(const struct tool *tool, job_fn *job)
{
    struct config *config = tool_config(tool);
    struct err err = ERR_NONE;
    struct session *session;
    struct loop *loop;

    if (!config)
        return EX_BAD_CONFIG;
    loop = loop_new();
    session = tool_session(loop, config);
    if (session_connect_pg(session, "pgusher fleet", &err) == 0)
        job(session, tool, &err);
    session_close(session);
    loop_free(loop);
    config_free(config);
    return err.status == ST_OK ? EX_DONE : tool_fail(&err);
}

static enum exit_code bad_usage(const char *what, const char *detail)
{
    tool_say("fleet %s%s", what, detail);
    fputs("Try: pgusher fleet --help\n", stderr);
    return EX_BAD_USAGE;
}

static enum exit_code unknown_job(const char *job)
{
    const char *near = suggest(job, (const char *const[]){"list", "drop"}, 2);

    if (!*job)
        tool_say("fleet what? Say list or drop");
    else
        tool_say("fleet what? \"%s\" is neither list nor drop%s%s%s", job, near ? "; did you mean \"" : "",
                 near ? near : "", near ? "\"?" : "");
    fputs("Try: pgusher fleet --help\n", stderr);
    return EX_BAD_USAGE;
}

static enum exit_code fleet_run(const struct tool *tool)
{
    const char *job = tool->nargs ? tool->args[0] : "";

    if (strcmp(job, "list") == 0)
        return tool->nargs == 1 ? run(tool, list) : bad_usage("list takes no ", tool->args[1]);
    if (strcmp(job, "drop") != 0)
        return unknown_job(job);
    if (tool->json)
        return bad_usage("drop does not take ", "--json");
    return tool->nargs == 2 ? run(tool, drop) : bad_usage("drop takes the name of one fleet", "");
}

const struct verb fleet_verb = {
    "fleet",
    fleet_run,
    FLAG_JSON | FLAG_ARGS,
    "who reads the changelog (fleet list); take out one that will not come back (fleet drop)",
    "usage: pgusher fleet list [--json]\n"
    "       pgusher fleet drop NAME\n"
    "\n"
    "list shows all fleets that read this database's changelog: their workers, how many partitions these "
    "own,\n"
    "what waits for them, backfills, and which were cut loose because they stayed behind for too long.\n"
    "drop takes one out that will not come back, so that it holds the changelog no more, in one transaction: "
    "its\n"
    "rows, and of the triggers what no other fleet needs. It refuses while a worker of that fleet lives. The "
    "Redis it\n"
    "wrote into stays as it is. The configuration only says where PostgreSQL is.\n"
    "\n"
    "Exit codes: 0 done, 1 no such fleet, or it has workers.\n"
    "\n"
    "Example: pgusher -c pgusher.json fleet drop old\n",
};
