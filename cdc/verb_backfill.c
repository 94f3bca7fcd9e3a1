/* pgusher backfill: asks the fleet for all documents of some projections to be written again, beside live
 * changes; does it by itself when the fleet has no worker. */
#include "cdc/verb_backfill.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cdc/shapes.h"
#include "common/mem.h"
#include "queue/tool_output.h"

static const unsigned steering = FLAG_PAUSE | FLAG_RESUME | FLAG_CANCEL;

/* Between two steps; the second time at once. */
static void on_interrupt(void *arg, int signo)
{
    struct backfill *backfill = arg;

    (void)signo;
    if (backfill->interrupted && backfill->session)
        session_abort(backfill->session, "interrupted");
    backfill->interrupted = true;
}

/* ---- arguments ---- */

static bool is_one_of(unsigned flags)
{
    return (flags & (flags - 1)) == 0;
}

/* What does not go together; NULL. */
static const char *contradiction(const struct tool *tool)
{
    unsigned asking = FLAG_WHERE | FLAG_RATE | FLAG_DRY_RUN | FLAG_WAIT;

    if (!is_one_of(tool->given & steering))
        return "--pause, --resume and --cancel exclude each other";
    if ((tool->given & steering) && (tool->given & asking))
        return "--pause, --resume and --cancel are about backfills that were asked for already: they do not "
               "go with "
               "--where, --rate, --dry-run or --wait";
    if ((tool->given & FLAG_DRY_RUN) && (tool->given & FLAG_WAIT))
        return "--dry-run does nothing that --wait could wait for";
    if (tool->where && tool->nargs == 0)
        return "--where is a condition over the columns of a source, so the projections must be named";
    if (tool->where && tool->where[0] == '\0')
        return "--where is empty; leave it out to write all documents";
    if (tool->rate > INT32_MAX)
        return "--rate is too large; leave it out to go as fast as possible";
    return NULL;
}

static bool check_arguments(const struct tool *tool, const struct config *config)
{
    const char *wrong = contradiction(tool);

    if (!wrong)
        return tool_names_projections(tool, config);
    tool_say("backfill: %s", wrong);
    fputs("Try: pgusher backfill --help\n", stderr);
    return false;
}

static char *names_of(const struct tool *tool, const struct config *config)
{
    const char **names = mem_alloc(sizeof(*names) * (config->nprojections + 1));
    size_t count = 0;
    char *array;

    for (size_t i = 0; i < config->nprojections; i++)
        if (tool_wants(tool, config->projections[i].name))
            names[count++] = config->projections[i].name;
    array = array_literal(names, count);
    free(names);
    return array;
}

/* ---- asking and following ---- */

/* Without workers this is one: it settles with Redis what stands there, and may claim backfills. */
static int become_worker(struct backfill *backfill, struct err *err)
{
    struct session_opener opener = {.application = "pgusher backfill", .is_worker = true};
    char *shapes = NULL;
    int result = -1;

    session_close(backfill->session);
    backfill->session = NULL;
    if (session_open(backfill->loop, backfill->config, &opener, &backfill->session, err))
        result = shapes_adopt(backfill->session, &shapes, err);
    free(shapes);
    return result;
}

static void say_asked(const struct backfill *backfill, const struct asked_list *asked)
{
    if (backfill->tool->json) {
        output_json(backfill_asked_json(backfill, asked));
        return;
    }
    for (size_t i = 0; i < asked->count; i++)
        printf("%s: %s\n", asked->list[i].projection,
               asked->list[i].is_new ? "asked for" : "was under way already and goes on");
    printf("Workers of fleet %s that do it: %lld. To follow it: the same command with --wait, or pgusher "
           "status\n",
           backfill->config->fleet, (long long)backfill->workers);
}

static int ask(struct backfill *backfill, struct err *err)
{
    struct asked_list asked = {0};
    bool waits = backfill->tool->given & FLAG_WAIT;
    int result = backfill_count_workers(backfill, err);

    if (result == 0 && backfill->workers == 0)
        result = become_worker(backfill, err);
    else if (result == 0 && waits)
        result = session_listen(backfill->session, err);
    if (result == 0)
        result = backfill_ask(backfill, &asked, err);
    if (result == 0 && (waits || backfill->workers == 0))
        result = backfill_follow(backfill, &asked, err);
    else if (result == 0)
        say_asked(backfill, &asked);
    backfill_asked_free(&asked);
    return result;
}

static enum exit_code run(struct backfill *backfill)
{
    const struct tool *tool = backfill->tool;
    struct err err = ERR_NONE;

    backfill->session = tool_session(backfill->loop, backfill->config);
    if (session_prepare_pg(backfill->session, "pgusher backfill", backfill->config->nprojections, &err) != 0)
        return tool_fail(&err);
    if (*backfill->filter && backfill_check_filter(backfill, &err) != 0) {
        enum exit_code code = tool_fail(&err);

        return err.status == ST_REFUSED ? EX_BAD_USAGE : code;
    }
    if (tool->given & FLAG_DRY_RUN)
        backfill_dry_run(backfill, &err);
    else if (tool->given & steering)
        backfill_steer(backfill, &err);
    else
        ask(backfill, &err);
    return err.status == ST_OK ? EX_DONE : tool_fail(&err);
}

static enum exit_code backfill_run(const struct tool *tool)
{
    struct config *config = tool_config(tool);
    struct backfill backfill = {.tool = tool, .config = config, .filter = tool->where ? tool->where : ""};
    enum exit_code code = EX_BAD_USAGE;

    if (!config)
        return EX_BAD_CONFIG;
    if (check_arguments(tool, config)) {
        backfill.loop = loop_new();
        backfill.names = names_of(tool, config);
        loop_on_signal(backfill.loop, SIGINT, on_interrupt, &backfill);
        loop_on_signal(backfill.loop, SIGTERM, on_interrupt, &backfill);
        code = run(&backfill);
        session_close(backfill.session);
        loop_free(backfill.loop);
        free(backfill.names);
    }
    config_free(config);
    return code;
}

const struct verb backfill_verb = {
    "backfill",
    backfill_run,
    FLAG_ARGS | FLAG_JSON | FLAG_WHERE | FLAG_RATE | FLAG_DRY_RUN | FLAG_WAIT | FLAG_PAUSE | FLAG_RESUME |
        FLAG_CANCEL,
    "write all documents again",
    "usage: pgusher backfill [PROJECTION…] [--where SQL] [--rate N] [--dry-run] [--wait] [--json]\n"
    "       pgusher backfill [PROJECTION…] --pause | --resume | --cancel [--json]\n"
    "\n"
    "Builds every document of the projections (default: all), writes into Redis those that are not there "
    "already\n"
    "with the same content, and queues these. The fleet's workers do it beside live changes, which go first; "
    "this\n"
    "command only asks for it. Without a worker it does the work itself. Whatever is killed, the next worker "
    "or\n"
    "command goes on where it was. A hash that somebody altered by hand is not noticed: that is for `pgusher "
    "verify`.\n"
    "\n"
    "  --where SQL   only documents for which this condition over the source's columns is true\n"
    "  --rate N      at most N documents a second; asked for again with another N it goes on with that\n"
    "  --dry-run     say how many documents it would be and how long it would take, write nothing\n"
    "  --wait        follow it to its end (Ctrl-C leaves it running)\n"
    "  --pause, --resume, --cancel\n"
    "                those under way, of all projections when none is named; what the fleet needs to be "
    "right "
    "(a new\n"
    "                Redis is filled) can be paused, not cancelled\n"
    "\n"
    "Exit codes: 0 asked for, or done; 1 some documents could not be written, it was cancelled, or Ctrl-C.\n"
    "\n"
    "Example: pgusher -c pgusher.json backfill event --where \"city = 'Lisboa'\" --rate 500 --wait\n",
};
