/* pgusher fleet list, fleet drop: who reads the changelog, and how one that will not come back is taken out.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/capture.h"
#include "cdc/ddl.h"
#include "cdc/sql/texts.h"
#include "cdc/tool.h"
#include "common/buf.h"
#include "common/mem.h"
#include "common/problems.h"

enum { NAME, NUMBER, WORKERS, OWNED, PARTITIONS, ASLEEP, CHANGES, AGE, CUT_AT, TASKS, DOCUMENTS };

typedef int job_fn(struct session *session, const struct tool *tool, struct err *err);

static int ask_fleets(struct session *session, struct pg_rows **ret_fleets, struct err *err)
{
    struct pg_query query = {.sql = sql_fleets};

    if (pg_run(session->pg, &query, ret_fleets, err) == 0)
        return 0;
    if (err->status == ST_CONFIG && strstr(err->text, "pgusher")) {
        err_clear(err);
        err_set(err, ST_CONFIG,
                "pgusher is not installed in this database, or by an older program; run: pgusher install");
    }
    return -1;
}

/* ---- list ---- */

static json_int_t number_of(const struct pg_rows *fleets, int row, int column)
{
    return atoll(pg_rows_get(fleets, row, column, NULL));
}

static json_t *age_json(const struct pg_rows *fleets, int row)
{
    const char *age = pg_rows_get(fleets, row, AGE, NULL);

    return age ? json_real(strtod(age, NULL)) : json_null();
}

static void print_json(const struct pg_rows *fleets)
{
    json_t *list = json_array();

    for (int row = 0; row < pg_rows_count(fleets); row++)
        json_array_append_new(
            list,
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s?, s:I, s:I}", "fleet",
                      pg_rows_get(fleets, row, NAME, NULL), "number", number_of(fleets, row, NUMBER),
                      "workers", number_of(fleets, row, WORKERS), "partitions_owned",
                      number_of(fleets, row, OWNED), "partitions", number_of(fleets, row, PARTITIONS),
                      "partitions_asleep", number_of(fleets, row, ASLEEP), "lag_changes",
                      number_of(fleets, row, CHANGES), "lag_seconds", age_json(fleets, row), "cut_at",
                      pg_rows_get(fleets, row, CUT_AT, NULL), "backfills", number_of(fleets, row, TASKS),
                      "backfilled_documents", number_of(fleets, row, DOCUMENTS)));
    tool_print_json(json_pack("{s:o}", "fleets", list));
}

static int widest_name(const struct pg_rows *fleets)
{
    int widest = 5;

    for (int row = 0; row < pg_rows_count(fleets); row++)
        if ((int)strlen(pg_rows_get(fleets, row, NAME, NULL)) > widest)
            widest = (int)strlen(pg_rows_get(fleets, row, NAME, NULL));
    return widest;
}

static void print_plain(const struct pg_rows *fleets)
{
    int width = widest_name(fleets);

    printf("%-*s  number  workers  partitions  changes to apply  oldest s  backfills  cut loose\n", width,
           "fleet");
    for (int row = 0; row < pg_rows_count(fleets); row++) {
        const char *age = pg_rows_get(fleets, row, AGE, NULL),
                   *cut_at = pg_rows_get(fleets, row, CUT_AT, NULL);

        printf("%-*s  %6s  %7s  %4s of %3s  %16s  %8s  %9s  %s\n", width,
               pg_rows_get(fleets, row, NAME, NULL), pg_rows_get(fleets, row, NUMBER, NULL),
               pg_rows_get(fleets, row, WORKERS, NULL), pg_rows_get(fleets, row, OWNED, NULL),
               pg_rows_get(fleets, row, PARTITIONS, NULL), pg_rows_get(fleets, row, CHANGES, NULL),
               age ? age : "-", pg_rows_get(fleets, row, TASKS, NULL), cut_at ? cut_at : "-");
    }
}

static int list(struct session *session, const struct tool *tool, struct err *err)
{
    struct pg_rows *fleets = NULL;

    if (ask_fleets(session, &fleets, err) != 0)
        return -1;
    if (tool->json)
        print_json(fleets);
    else
        print_plain(fleets);
    pg_rows_free(fleets);
    return 0;
}

/* ---- drop ---- */

static int find_fleet(const struct pg_rows *fleets, const char *name, struct err *err)
{
    int count = pg_rows_count(fleets);
    const char **names = mem_alloc(sizeof(*names) * (size_t)(count + 1));
    struct buf all = BUF_NONE;
    const char *near;

    for (int row = 0; row < count; row++) {
        names[row] = pg_rows_get(fleets, row, NAME, NULL);
        if (strcmp(names[row], name) == 0) {
            free(names);
            buf_free(&all);
            return row;
        }
        buf_printf(&all, "%s%s", row ? ", " : "", names[row]);
    }
    near = suggest(name, names, (size_t)count);
    err_set(err, ST_REFUSED, "there is no fleet \"%s\"%s%s%s; there are: %s", name,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "", count ? all.data : "none");
    free(names);
    buf_free(&all);
    return -1;
}

/* Every worker of a fleet shares the lock of its presence; who has it alone knows that none lives, nor
 * begins. */
static int lock_out_workers(struct session *session, const struct pg_rows *fleets, int row, struct err *err)
{
    const char *const params[] = {pg_rows_get(fleets, row, NUMBER, NULL)};
    struct pg_query query = {
        .sql = "SELECT pg_try_advisory_lock(1885828469, $1)", .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;
    bool got;

    if (pg_run(session->pg, &query, &rows, err) != 0)
        return -1;
    got = pg_rows_get(rows, 0, 0, NULL)[0] == 't';
    pg_rows_free(rows);
    if (!got)
        err_set(
            err, ST_REFUSED,
            "fleet \"%s\" has workers at work (%s when last looked): stop them first. One whose host died is "
            "gone after some five seconds",
            pg_rows_get(fleets, row, NAME, NULL), pg_rows_get(fleets, row, WORKERS, NULL));
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
    const char *name = tool->args[1];
    struct pg_rows *fleets = NULL;
    int row, result = -1;

    if (ddl_lock(session, err) != 0 || ask_fleets(session, &fleets, err) != 0)
        return -1;
    row = find_fleet(fleets, name, err);
    if (row >= 0 && lock_out_workers(session, fleets, row, err) == 0)
        result = run_drop(session, name, err);
    if (result == 0)
        printf("dropped fleet %s; %d left. What it wrote into its Redis stays there\n", name,
               pg_rows_count(fleets) - 1);
    pg_rows_free(fleets);
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
    fprintf(stderr, "pgusher: fleet %s%s\nTry: pgusher fleet --help\n", what, detail);
    return EX_BAD_USAGE;
}

static enum exit_code unknown_job(const char *job)
{
    const char *near = suggest(job, (const char *const[]){"list", "drop"}, 2);

    fprintf(stderr, "pgusher: fleet what? \"%s\" is neither list nor drop%s%s%s\n", job,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    fputs("Try: pgusher fleet --help\n", stderr);
    return EX_BAD_USAGE;
}

enum exit_code fleet_run(const struct tool *tool)
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
