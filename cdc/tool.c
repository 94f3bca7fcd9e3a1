#include "cdc/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/problems.h"

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

bool tool_names_projections(const struct tool *tool, const struct config *config)
{
    const char **names = mem_alloc(sizeof(*names) * (config->nprojections + 1));
    bool all = true;

    for (size_t i = 0; i < config->nprojections; i++)
        names[i] = config->projections[i].name;
    for (int i = 0; i < tool->nargs; i++) {
        const char *near;

        if (config_projection(config, tool->args[i]))
            continue;
        near = suggest(tool->args[i], names, config->nprojections);
        fprintf(stderr, "pgusher: %s has no projection \"%s\"%s%s%s\n", config->file, tool->args[i],
                near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        all = false;
    }
    free(names);
    return all;
}

bool tool_wants(const struct tool *tool, const char *projection)
{
    for (int i = 0; i < tool->nargs; i++)
        if (strcmp(tool->args[i], projection) == 0)
            return true;
    return tool->nargs == 0;
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
