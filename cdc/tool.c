#include "cdc/tool.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

void tool_print_problems(const char *file, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];

        fprintf(stderr, "%s: %s%s%s%s\n", file, problem->level == PROBLEM_WARNING ? "warning: " : "",
                problem->place, problem->place[0] ? ": " : "", problem->text);
    }
}

struct config *tool_config(const struct tool *tool)
{
    struct problems problems = {0};
    struct config *config = config_load(tool->config_file, tool->fleet, &problems);

    tool_print_problems(tool->config_file, &problems);
    problems_free(&problems);
    return config;
}

enum exit_code tool_fail(const struct err *err)
{
    fprintf(stderr, "pgusher: %s\n", err->text);
    return status_exit_code(err->status);
}

struct session *tool_session(struct loop *loop, const struct config *config)
{
    struct session *session = mem_zalloc(sizeof(*session));

    session->loop = loop;
    session->config = config;
    return session;
}

void tool_print_json(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(6));

    puts(text);
    free(text);
    json_decref(object);
}
