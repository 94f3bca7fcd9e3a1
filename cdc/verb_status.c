/* pgusher status: one look, or one after the other. */
#include "cdc/verb_status.h"
#include "queue/tool_text.h"

#include "cdc/look.h"
#include "queue/tool_output.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { WATCH_EVERY_MS = 1000 };

static const char HOME_AND_CLEAR[] = "\033[H\033[2J";

struct sight {
    struct loop *loop;
    struct look *look;
    bool stopping;
};

static void print_errors(const json_t *status)
{
    const json_t *error;
    size_t i;

    fflush(stdout);
    json_array_foreach (json_object_get(status, "errors"), i, error) {
        char *shown = text_shown(json_string_value(error));

        fprintf(stderr, "pgusher: %s\n", shown);
        free(shown);
    }
}

static enum exit_code exit_code_of(const json_t *status, enum status seen)
{
    if (seen != ST_OK)
        return status_exit_code(seen);
    return json_array_size(json_object_get(status, "reasons")) ? EX_NOT_SO : EX_DONE;
}

static void on_seen(void *arg)
{
    *(bool *)arg = true;
}

/* Waits, but not when it is told to stop. */
static json_t *sight_look(struct sight *sight, enum status *ret_status)
{
    bool seen = false;

    look_begin(sight->look, on_seen, &seen);
    while (!seen && !sight->stopping)
        loop_run_once(sight->loop);
    return look_status(sight->look, ret_status);
}

static enum exit_code look_once(struct sight *sight, bool json)
{
    enum status seen;
    json_t *status = sight_look(sight, &seen);
    enum exit_code code = exit_code_of(status, seen);

    if (!json)
        status_print(status, NULL);
    print_errors(status);
    if (json)
        output_json(json_incref(status));
    json_decref(status);
    return code;
}

/* ---- again and again ---- */

static void on_signal(void *arg, int signo)
{
    struct sight *sight = arg;

    (void)signo;
    sight->stopping = true;
}

static void on_time(void *arg)
{
    *(bool *)arg = true;
}

static void rest_until_next(struct sight *sight, struct timer *timer, bool *due)
{
    while (!*due && !sight->stopping)
        loop_run_once(sight->loop);
    *due = false;
    timer_start(timer, WATCH_EVERY_MS);
}

static void draw(json_t *status, const json_t *before, bool json)
{
    json_t *rates = status_rates(status, before);

    if (json) {
        json_object_set(status, "rates", rates);
        output_json(json_incref(status));
    } else {
        if (isatty(STDOUT_FILENO))
            fputs(HOME_AND_CLEAR, stdout);
        else if (before)
            putchar('\n');
        status_print(status, rates);
        if (isatty(STDOUT_FILENO))
            print_errors(status);
    }
    json_decref(rates);
    fflush(stdout);
}

/* A server that is away is said once, and again when something else is. */
static void tell_errors(const json_t *status, const json_t *before)
{
    const json_t *now = json_object_get(status, "errors"), *then = json_object_get(before, "errors");

    if (json_equal(now, then) || (!before && json_array_size(now) == 0))
        return;
    print_errors(status);
    if (json_array_size(now) == 0)
        fputs("pgusher: all servers answer again\n", stderr);
}

static enum exit_code watch(struct sight *sight, bool json)
{
    bool due = true;
    struct timer *timer = timer_new(sight->loop, on_time, &due);
    enum exit_code code = EX_DONE;
    json_t *before = NULL;
    bool first;

    loop_on_signal(sight->loop, SIGINT, on_signal, sight);
    loop_on_signal(sight->loop, SIGTERM, on_signal, sight);
    for (rest_until_next(sight, timer, &due); !sight->stopping; rest_until_next(sight, timer, &due)) {
        enum status seen;
        json_t *status = sight_look(sight, &seen);

        if (!sight->stopping) {
            if (json || !isatty(STDOUT_FILENO))
                tell_errors(status, before);
            draw(status, before, json);
        }
        first = !before;
        json_decref(before);
        before = status;
        if (ferror(stdout))
            break;
        if (seen == ST_CONFIG && first) {
            code = EX_BAD_CONFIG;
            break;
        }
    }
    json_decref(before);
    timer_free(timer);
    return code;
}

static enum exit_code status_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    struct sight sight = {0};
    enum exit_code code;

    if (!config)
        return EX_BAD_CONFIG;
    sight.loop = loop_new();
    sight.look = look_new(sight.loop, config, "pgusher status", false);
    code = tool->given & FLAG_WATCH ? watch(&sight, tool->json) : look_once(&sight, tool->json);
    look_free(sight.look);
    loop_free(sight.loop);
    config_free(config);
    return code;
}

const struct verb status_verb = {
    "status",
    status_run,
    FLAG_JSON | FLAG_WATCH,
    "how it stands, and what needs a person",
    "usage: pgusher status [--watch] [--json]\n"
    "\n"
    "Shows of each fleet first whether it is in step, and what needs a person and how to mend it; then its\n"
    "canary (a change of nothing that travels from PostgreSQL to Redis), workers, partitions that lag,\n"
    "projections and backfills; the changelog, PostgreSQL, Redis, and the queues. With a server down it "
    "shows\n"
    "the rest. --watch looks every second, with rates, until it is interrupted.\n"
    "\n"
    "Exit codes: 0 all is well, also while a backlog is worked off; 1 something needs a person; 69 "
    "PostgreSQL "
    "or\n"
    "Redis is unavailable.\n"
    "\n"
    "Example: pgusher -c pgusher.json status --watch\n",
};
