#include "cdc/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/problems.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

void tool_say(const char *format, ...)
{
    va_list args;
    char *text, *shown;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    shown = text_shown(text);
    fprintf(stderr, "pgusher: %s\n", shown);
    free(shown);
    output_keep_error(text);
    free(text);
}

static void keep_problem(const char *file, const char *text)
{
    char *whole = mem_printf("%s: %s", file, text);

    output_keep_error(whole);
    free(whole);
}

void tool_print_problems(const char *file, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->list[i];
        char *text = mem_printf("%s%s%s", problem->place, problem->place[0] ? ": " : "", problem->text);
        char *shown = text_shown(text);

        fprintf(stderr, "%s: %s%s\n", file, problem->level == PROBLEM_WARNING ? "warning: " : "", shown);
        if (problem->level == PROBLEM_ERROR)
            keep_problem(file, text);
        free(shown);
        free(text);
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
    tool_say("%s", err->text);
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
        tool_say("%s has no projection \"%s\"%s%s%s", config->file, tool->args[i],
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
