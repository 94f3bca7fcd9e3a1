/* pgusher quarantine list, retry, drop: what cannot be built, and why. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/sql/texts.h"
#include "cdc/standing.h"
#include "cdc/tool.h"
#include "common/mem.h"
#include "common/problems.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

enum { ERROR_WIDTH = 100 };

/* Of this fleet, projection (NULL: all) and key or id (NULL: all). */
#define WHICH                                                                                                \
    " fleet = $1 AND ($2::text IS NULL OR projection = $2)"                                                  \
    " AND ($4::text[] IS NULL OR key = $3 OR id = $4)"
#define UTC(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

static const char *const list_sql =
    "SELECT coalesce(json_agg(json_build_object('projection', projection, 'key', key, 'watch', watch, 'id', "
    "id,"
    " 'attempts', attempts, 'first_at', " UTC("first_at") ", 'last_at', " UTC(
        "last_at") ","
                   " 'next_at', " UTC(
                       "next_at") ", 'next_ms', ceil(extract(epoch FROM next_at - now()) * 1000)::bigint,"
                                  " 'error', error) ORDER BY projection, first_at, key), '[]') FROM "
                                  "pgusher.quarantine WHERE" WHICH;

static const char *const drop_sql =
    "WITH hit AS (DELETE FROM pgusher.quarantine WHERE" WHICH " RETURNING 1) SELECT count(*) FROM hit";

static const char *const names_sql = "SELECT DISTINCT projection FROM pgusher.quarantine WHERE fleet = $1";

struct job {
    const struct tool *tool;
    struct config *config;
    struct session *session;
    const char *projection; /* NULL: all */
    int nid;
    char **id; /* values, or one key */
    bool none; /* there is nothing of that name */
};

typedef int job_fn(struct job *job, struct err *err);

/* ---- asking ---- */

static int ask(struct job *job, const char *sql, const char *more, struct pg_rows **ret_rows, struct err *err)
{
    char *id = job->nid ? array_literal((const char *const *)job->id, (size_t)job->nid) : NULL;
    const char *const params[] = {job->config->fleet, job->projection, job->nid == 1 ? job->id[0] : NULL, id,
                                  more};
    struct pg_query query = {.sql = sql, .params = params, .nparams = more ? 5 : 4};
    int result = pg_run(job->session->pg, &query, ret_rows, err);

    free(id);
    if (result != 0)
        standing_explain(err);
    return result;
}

static bool is_configured(const struct job *job, const char *projection)
{
    return config_projection(job->config, projection) != NULL;
}

/* Of one that there is not nothing could be told. */
static int check_fleet(struct job *job, struct err *err)
{
    const char *const params[] = {job->config->fleet};
    struct pg_query query = {
        .sql = "SELECT FROM pgusher.fleet WHERE name = $1", .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;

    if (pg_run(job->session->pg, &query, &rows, err) != 0)
        standing_explain(err);
    else if (pg_rows_count(rows) == 0)
        err_set(err, ST_CONFIG, "fleet \"%s\" is not installed in this database; run: pgusher install",
                job->config->fleet);
    pg_rows_free(rows);
    return err->status == ST_OK ? 0 : -1;
}

/* 0 when the projection has this name in the configuration, or in the quarantine still. */
static int check_projection(struct job *job, struct err *err)
{
    const char *const params[] = {job->config->fleet};
    struct pg_query query = {.sql = names_sql, .params = params, .nparams = 1};
    struct pg_rows *rows = NULL;
    const char **names, *near;
    bool known = !job->projection || is_configured(job, job->projection);

    if (known)
        return 0;
    if (pg_run(job->session->pg, &query, &rows, err) != 0) {
        standing_explain(err);
        return -1;
    }
    names = mem_alloc(sizeof(*names) * job->config->nprojections);
    for (size_t i = 0; i < job->config->nprojections; i++)
        names[i] = job->config->projections[i].name;
    for (int row = 0; row < pg_rows_count(rows); row++)
        known = known || strcmp(pg_rows_get(rows, row, 0, NULL), job->projection) == 0;
    near = suggest(job->projection, names, job->config->nprojections);
    if (!known)
        err_set(err, ST_REFUSED, "there is no projection \"%s\", nor anything of it in quarantine%s%s%s",
                job->projection, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    free(names);
    pg_rows_free(rows);
    return known ? 0 : -1;
}

/* What was asked for by name is not there. */
static void note_none(struct job *job)
{
    if (job->nid)
        tool_say("projection %s has nothing in quarantine with this id or key", job->projection);
    else if (!job->tool->json)
        printf("nothing%s%s is in quarantine\n", job->projection ? " of projection " : "",
               job->projection ? job->projection : "");
    job->none = job->nid > 0;
}

/* ---- list ---- */

/* At most ERROR_WIDTH characters of what can be shown. */
static char *shortened(const char *text)
{
    char *shown = text_escaped(text, strlen(text));
    size_t count = 0, i;

    for (i = 0; shown[i]; i++) {
        if (((unsigned char)shown[i] & 0xc0) == 0x80)
            continue;
        if (++count == ERROR_WIDTH && shown[i + 1]) {
            char *cut = mem_printf("%.*s…", (int)i, shown);

            free(shown);
            return cut;
        }
    }
    return shown;
}

static char *next_retry(const struct job *job, const json_t *row)
{
    json_int_t ms = json_integer_value(json_object_get(row, "next_ms"));
    char *age, *text;

    if (!is_configured(job, json_string_value(json_object_get(row, "projection"))))
        return mem_strdup("never: no such projection any more");
    if (ms <= 0)
        return mem_strdup("now");
    age = text_age(ms);
    text = mem_printf("in %s", age);
    free(age);
    return text;
}

static void put_text(struct table *table, const json_t *row, const char *name)
{
    const char *text = json_string_value(json_object_get(row, name));

    table_cell(table, text_escaped(text, strlen(text)));
}

static void print_table(const struct job *job, const json_t *list)
{
    static const struct table_column columns[] = {
        {"projection", false}, {"key", false},        {"attempts", true}, {"first", false},
        {"last", false},       {"next retry", false}, {"error", false}};
    struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    const json_t *row;
    size_t i;

    json_array_foreach (list, i, row) {
        put_text(table, row, "projection");
        put_text(table, row, "key");
        table_integer(table, json_integer_value(json_object_get(row, "attempts")));
        put_text(table, row, "first_at");
        put_text(table, row, "last_at");
        table_cell(table, next_retry(job, row));
        table_cell(table, shortened(json_string_value(json_object_get(row, "error"))));
    }
    table_print(table, EX_DONE);
}

static int list(struct job *job, struct err *err)
{
    struct pg_rows *rows = NULL;
    json_t *found, *row;
    size_t i;

    if (ask(job, list_sql, NULL, &rows, err) != 0)
        return -1;
    found = text_parsed_json(pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
    json_array_foreach (found, i, row)
        json_object_set_new(
            row, "configured",
            json_boolean(is_configured(job, json_string_value(json_object_get(row, "projection")))));
    if (json_array_size(found) == 0)
        note_none(job);
    else if (!job->tool->json)
        print_table(job, found);
    if (job->tool->json)
        output_json(json_pack("{s:s, s:O}", "fleet", job->config->fleet, "quarantine", found));
    json_decref(found);
    return 0;
}

/* ---- retry, drop ---- */

static char *configured_names(const struct config *config)
{
    const char **names = mem_alloc(sizeof(*names) * config->nprojections);
    char *array;

    for (size_t i = 0; i < config->nprojections; i++)
        names[i] = config->projections[i].name;
    array = array_literal(names, config->nprojections);
    free(names);
    return array;
}

static int retry(struct job *job, struct err *err)
{
    char *names = configured_names(job->config);
    struct pg_rows *rows = NULL;
    int result;

    if (job->projection && !is_configured(job, job->projection))
        err_set(err, ST_REFUSED,
                "there is no projection \"%s\" any more, so nothing of it can be built; forget it with: "
                "pgusher quarantine drop %s",
                job->projection, job->projection);
    result = err->status == ST_OK ? ask(job, sql_retry_quarantined, names, &rows, err) : -1;
    if (result == 0 && atoll(pg_rows_get(rows, 0, 0, NULL)) == 0)
        note_none(job);
    else if (result == 0)
        printf("%s in quarantine to be tried again now%s\n", pg_rows_get(rows, 0, 0, NULL),
               atoll(pg_rows_get(rows, 0, 1, NULL)) ? "; see: pgusher quarantine list"
                                                    : ", as soon as a worker runs: there is none");
    pg_rows_free(rows);
    free(names);
    return result;
}

static int drop(struct job *job, struct err *err)
{
    struct pg_rows *rows = NULL;

    if (ask(job, drop_sql, NULL, &rows, err) != 0)
        return -1;
    if (atoll(pg_rows_get(rows, 0, 0, NULL)) == 0)
        note_none(job);
    else
        printf("%s forgotten. Their documents stay in Redis as they are, out of step until they change again "
               "or are verified\n",
               pg_rows_get(rows, 0, 0, NULL));
    pg_rows_free(rows);
    return 0;
}

/* ---- which ---- */

static enum exit_code run(const struct tool *tool, job_fn *fn)
{
    struct job job = {.tool = tool, .config = tool_config(tool)};
    struct err err = ERR_NONE;
    struct loop *loop;

    if (!job.config)
        return EX_BAD_CONFIG;
    job.projection = tool->nargs > 1 ? tool->args[1] : NULL;
    job.nid = tool->nargs > 2 ? tool->nargs - 2 : 0;
    job.id = tool->args + 2;
    loop = loop_new();
    job.session = tool_session(loop, job.config);
    if (session_connect_pg(job.session, "pgusher quarantine", &err) == 0 && check_fleet(&job, &err) == 0 &&
        check_projection(&job, &err) == 0)
        fn(&job, &err);
    session_close(job.session);
    loop_free(loop);
    config_free(job.config);
    if (err.status != ST_OK)
        return tool_fail(&err);
    return job.none ? EX_NOT_SO : EX_DONE;
}

static enum exit_code unknown_job(const char *word)
{
    const char *near = suggest(word, (const char *const[]){"list", "retry", "drop"}, 3);

    if (!*word)
        tool_say("quarantine what? Say list, retry or drop");
    else
        tool_say("quarantine what? \"%s\" is neither list nor retry nor drop%s%s%s", word,
                 near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    fputs("Try: pgusher quarantine --help\n", stderr);
    return EX_BAD_USAGE;
}

static enum exit_code quarantine_run(const struct tool *tool)
{
    const char *word = tool->nargs ? tool->args[0] : "";

    if (strcmp(word, "list") == 0)
        return run(tool, list);
    if (strcmp(word, "retry") != 0 && strcmp(word, "drop") != 0)
        return unknown_job(word);
    if (tool->json) {
        tool_say("quarantine %s does not take --json", word);
        fputs("Try: pgusher quarantine --help\n", stderr);
        return EX_BAD_USAGE;
    }
    return run(tool, strcmp(word, "retry") == 0 ? retry : drop);
}

const struct verb quarantine_verb = {
    "quarantine",
    quarantine_run,
    FLAG_JSON | FLAG_ARGS,
    "what cannot be built, and why; try it again, or forget it",
    "usage: pgusher quarantine list [PROJECTION [ID…]] [--json]\n"
    "       pgusher quarantine retry [PROJECTION [ID…]]\n"
    "       pgusher quarantine drop [PROJECTION [ID…]]\n"
    "\n"
    "A document that cannot be built (its row makes the view fail, Redis refuses it) does not stop the "
    "others: "
    "it\n"
    "waits in quarantine, is tried again after 2 s, 4 s … 5 min, and leaves when it was built. So does a "
    "lookup\n"
    "that fails for a changed row (key \"watch TABLE COLUMN=VALUE\").\n"
    "\n"
    "list shows them, with the whole error in --json. retry makes the workers try them at once: after you "
    "mended the\n"
    "cause. drop forgets them: their documents stay as they are. ID is the id (the values of its columns, "
    "one "
    "after the\n"
    "other) or the whole key.\n"
    "\n"
    "Exit codes: 0 done, 1 there is none of that name or id.\n"
    "\n"
    "Example: pgusher -c pgusher.json quarantine retry event 77\n",
};
