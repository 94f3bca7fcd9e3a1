/* pgusher check: everything that can be known to be wrong before a daemon runs. */
#include <stdio.h>

#include "cdc/check.h"
#include "cdc/tool.h"
#include "queue/tool_output.h"

static void print_result(const struct tool *tool, const struct problems *problems)
{
    json_t *list;

    if (!tool->json) {
        tool_print_problems(tool->config_file, problems);
        if (problems->errors == 0)
            printf("%s: ok%s\n", tool->config_file,
                   (tool->given & FLAG_OFFLINE) ? " (without looking at the database)" : "");
        return;
    }
    list = json_array();
    for (size_t i = 0; i < problems->count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "level",
                                        problems->list[i].level == PROBLEM_ERROR ? "error" : "warning",
                                        "place", problems->list[i].place, "text", problems->list[i].text));
    output_json(json_pack("{s:s, s:b, s:o}", "config", tool->config_file, "ok", problems->errors == 0,
                          "problems", list));
}

/* A server that is down says nothing about the configuration: exit 69 if that is all there is. */
static void note_code(enum exit_code *code, enum exit_code found)
{
    if (*code == EX_DONE || found == EX_BAD_CONFIG)
        *code = found;
}

/* What was found about one server, since there were so many errors, and why it does not answer, if so. */
static void note_server(const struct err *err, const char *place, size_t errors, struct problems *problems,
                        enum exit_code *code)
{
    if (problems->errors > errors)
        note_code(code, EX_BAD_CONFIG);
    if (err->status == ST_OK)
        return;
    problems_add(problems, PROBLEM_ERROR, place, "%s", err->text);
    note_code(code, status_exit_code(err->status));
}

static enum exit_code check_servers(const struct config *config, struct problems *problems)
{
    struct loop *loop = loop_new();
    struct session *session = tool_session(loop, config);
    struct err pg_err = ERR_NONE, redis_err = ERR_NONE;
    enum exit_code code = EX_DONE;
    size_t errors = problems->errors;

    if (session_connect_pg(session, "pgusher check", &pg_err) == 0)
        check_database(session, problems, &pg_err);
    note_server(&pg_err, "postgres", errors, problems, &code);
    err_clear(&session->why_lost);
    session->lost = false;
    errors = problems->errors;
    if (session_connect_redis(session, &redis_err) == 0)
        check_redis(session, problems, &redis_err);
    note_server(&redis_err, "redis", errors, problems, &code);
    session_close(session);
    loop_free(loop);
    return code;
}

static enum exit_code check_run(const struct tool *tool)
{
    struct problems problems = {0};
    struct config *config = config_load(tool->config_file, tool->fleet, &problems);
    enum exit_code code = config ? EX_DONE : EX_BAD_CONFIG;

    if (config)
        check_settings(config, &problems);
    if (config && !(tool->given & FLAG_OFFLINE))
        code = check_servers(config, &problems);
    print_result(tool, &problems);
    problems_free(&problems);
    config_free(config);
    return code;
}

const struct verb check_verb = {
    "check",
    check_run,
    FLAG_JSON | FLAG_OFFLINE,
    "is the configuration right, and does it fit the database?",
    "usage: pgusher check [--offline] [--json]\n"
    "\n"
    "Validates the configuration, then asks PostgreSQL and Redis whether it fits them: tables,\n"
    "columns, types; lookups and the plans of all statements; tables that a view reads but no\n"
    "watch covers; whether capture stands and fires; what the roles of both may do; clocks,\n"
    "persistence, memory, eviction. If one server is down, the other is looked at all the same.\n"
    "Each message names the place in the configuration and the mend. Changes nothing.\n"
    "--offline looks at the file only.\n"
    "\n"
    "Exit codes: 0 fine (maybe with warnings), 69 a server is unavailable, 78 the configuration\n"
    "is wrong.\n"
    "\n"
    "Example: pgusher -c pgusher.json check --json\n",
};
