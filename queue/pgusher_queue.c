/* pgusher-queue: looks at queues, repairs them, and consumes them with any command. */
#include <stdio.h>
#include <string.h>

#include "common/program.h"
#include "common/problems.h"
#include "common/version.h"
#include "queue/consume.h"
#include "queue/tool_options.h"
#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/verbs.h"

static enum exit_code verb_consume(const struct tool *tool)
{
    const struct consume_options options = {
        .target = &tool->target,
        .command = tool->command,
        .batch = (size_t)tool->batch,
        .linger_ms = tool->linger_ms,
        .docs = tool_given(tool, OPTION_DOCS),
        .parallel = (int)tool->parallel,
        .timeout_ms = tool->timeout_ms,
        .grace_ms = tool->grace_ms,
        .once = tool_given(tool, OPTION_ONCE),
    };

    if (!tool->command || !tool->command[strspn(tool->command, " \t\n")]) {
        tool_say("consume needs --exec COMMAND: what shall be done with the items?");
        return EX_BAD_USAGE;
    }
    return (enum exit_code)consume_run(&options);
}

/* Which words follow the verb. */
enum operands { NOTHING, QUEUE, QUEUE_AND_ITEMS, QUEUE_AND_ITEMS_OR_ALL };

enum {
    COMMON = OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_REDIS),
    JSON = COMMON | OPTION_BIT(OPTION_JSON),
};

static const struct verb {
    const char *name;
    verb_fn *run;
    enum operands operands;
    unsigned options; /* bits of those it takes */
    const char *usage;
} verbs[] = {
    {"list", verb_list, NOTHING, JSON | OPTION_BIT(OPTION_SCAN),
     "usage: pgusher-queue list [--scan] [--json]\n\n"
     "Shows the queues that the configuration names, under \"queues\" or in a projection, and with --scan "
     "any\n"
     "other that this Redis holds. With --redis and no configuration it scans.\n\n"
     "Example: pgusher-queue --redis redis://localhost list\n"},
    {"stats", verb_stats, QUEUE, JSON | OPTION_BIT(OPTION_WATCH),
     "usage: pgusher-queue stats QUEUE [--watch [SECONDS]] [--json]\n\n"
     "Shows what waits, is in flight, delayed or dead; ages; counters; consumers. --watch shows it again "
     "every\n"
     "second, or as often as told, with rates, until it is interrupted; with --json an object a line.\n\n"
     "  later   wait until nothing else does: a backfill's\n"
     "  dirty   of those in flight: changed meanwhile, to go round once more\n"
     "  plain   taken by plain consumers (RPOPLPUSH QUEUE QUEUE-processing)\n\n"
     "Example: pgusher-queue stats '{search}' --watch 5\n"},
    {"peek", verb_peek, QUEUE,
     JSON | OPTION_BIT(OPTION_N) | OPTION_BIT(OPTION_DELAYED) | OPTION_BIT(OPTION_LATER),
     "usage: pgusher-queue peek QUEUE [-n N] [--delayed | --later] [--json]\n\n"
     "Shows the items that are to leave the queue next (default: 10), an item a line; with --delayed those "
     "whose\n"
     "next attempt falls due first, with --later those that wait until nothing else does. Changes nothing.\n"
     "Control characters, and bytes that are no UTF-8, are shown as \\x0a, \\ as \\\\; in JSON, bytes that "
     "are "
     "no UTF-8\n"
     "become U+FFFD.\n\n"
     "Example: pgusher-queue peek '{search}' -n 100\n"},
    {"push", verb_push, QUEUE_AND_ITEMS, JSON | OPTION_BIT(OPTION_LATER),
     "usage: pgusher-queue push QUEUE ITEM… | - [--later] [--json]\n\n"
     "Queues items (- reads them from stdin, one a line) and says of each what came of it: queued; coalesced "
     "(it\n"
     "waits already); dirty (in flight: goes round once more); joined (it was delayed and its time will "
     "come);\n"
     "revived (it was dead). Nothing is pushed when one is empty. With --later they wait until nothing else "
     "does;\n"
     "one that changes meanwhile comes at once.\n\n"
     "Example: redis-cli --scan --pattern 'event:*' | pgusher-queue push '{search}' - --later\n"},
    {"recover", verb_recover, QUEUE, JSON,
     "usage: pgusher-queue recover QUEUE [--json]\n\n"
     "Takes back what dead consumers held, and what plain consumers left lying for too long. Running "
     "consumers do\n"
     "that by themselves.\n\n"
     "Example: pgusher-queue recover '{search}'\n"},
    {"dead", verb_dead, QUEUE, JSON | OPTION_BIT(OPTION_N),
     "usage: pgusher-queue dead QUEUE [-n N] [--json]\n\n"
     "Shows the dead letters, the longest dead first: items that failed, or whose consumers died, too "
     "often.\n\n"
     "Example: pgusher-queue dead '{search}'\n"},
    {"replay", verb_replay, QUEUE_AND_ITEMS_OR_ALL, JSON | OPTION_BIT(OPTION_ALL),
     "usage: pgusher-queue replay QUEUE ITEM… | --all [--json]\n\n"
     "Queues dead letters again, with their counts reset.\n\n"
     "Exit codes: 0 done, 1 an item is not dead (the others are replayed).\n\n"
     "Example: pgusher-queue replay '{search}' event:77\n"},
    {"rm", verb_rm, QUEUE_AND_ITEMS, JSON,
     "usage: pgusher-queue rm QUEUE ITEM… [--json]\n\n"
     "Removes items wherever they are: waiting, delayed, dead, in flight. Who is handling one finishes "
     "it.\n\n"
     "Exit codes: 0 done, 1 an item is nowhere in the queue (the others are removed).\n\n"
     "Example: pgusher-queue rm '{search}' event:77\n"},
    {"purge", verb_purge, QUEUE,
     JSON | OPTION_BIT(OPTION_ALL) | OPTION_BIT(OPTION_DEAD) | OPTION_BIT(OPTION_YES),
     "usage: pgusher-queue purge QUEUE --dead | --all [--yes] [--json]\n\n"
     "Throws away the dead letters, or everything but counters and settings. Asks before, unless --yes.\n\n"
     "Exit codes: 0 done, 1 the answer was no.\n\n"
     "Example: pgusher-queue purge '{search}' --dead\n"},
    {"pause", verb_pause, QUEUE, JSON,
     "usage: pgusher-queue pause QUEUE [--json]\n\n"
     "Consumers get nothing until resume; producers go on. Plain consumers take no notice.\n\n"
     "Example: pgusher-queue pause '{search}'\n"},
    {"resume", verb_resume, QUEUE, JSON,
     "usage: pgusher-queue resume QUEUE [--json]\n\n"
     "Consumers go on after a pause.\n\n"
     "Example: pgusher-queue resume '{search}'\n"},
    {"doctor", verb_doctor, QUEUE, JSON | OPTION_BIT(OPTION_FIX),
     "usage: pgusher-queue doctor QUEUE [--fix] [--json]\n\n"
     "Looks whether this Redis is fit for a queue (eviction, persistence, version, role, clock, cluster) and "
     "whether\n"
     "the queue is in order: types of its keys, leaked marks, lists that no consumer owns, dead consumers, "
     "plain\n"
     "pushes beside coalescing, dead letters, items plain consumers left lying. --fix mends what it can, "
     "settings of\n"
     "Redis too.\n\n"
     "Exit codes: 0 no problem is left, 1 one is.\n\n"
     "Example: pgusher-queue doctor '{search}' --fix\n"},
    {"consume", verb_consume, QUEUE,
     COMMON | OPTION_BIT(OPTION_EXEC) | OPTION_BIT(OPTION_BATCH) | OPTION_BIT(OPTION_LINGER) |
         OPTION_BIT(OPTION_DOCS) | OPTION_BIT(OPTION_PARALLEL) | OPTION_BIT(OPTION_LEASE) |
         OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_GRACE) | OPTION_BIT(OPTION_ONCE),
     "usage: pgusher-queue consume QUEUE --exec COMMAND [OPTION…]\n\n"
     "Runs COMMAND (/bin/sh -c) with items on its stdin, one a line, again and again. QUEUE, TOKEN and "
     "ATTEMPT stand\n"
     "in its environment; on file descriptor 3 it may say of an item ok<TAB>ITEM or "
     "fail<TAB>ITEM<TAB>REASON.\n\n"
     "  Exit code 0 of COMMAND   the items are done, but for those it said fail of\n"
     "  75                       what it writes to is down: all go back untried, and it pauses\n"
     "  anything else            the items are tried in halves, until the culprit alone is charged\n\n"
     "  --batch N            items in one run at most (100; 1000 is the most)\n"
     "  --linger MS          wait so long for a batch to fill (0)\n"
     "  --docs               stdin: a JSON object a line, {\"key\",\"op\",\"version\",\"doc\"}, as the "
     "document is then\n"
     "  --parallel N         runs side by side (1)\n"
     "  --lease DURATION     how long after its last sign of life the items are given to others (30 s)\n"
     "  --timeout DURATION   a run that takes longer is killed and counts as failed (none)\n"
     "  --grace DURATION     how long a run may go on after SIGTERM (10 s)\n"
     "  --once               ends when nothing waits\n\n"
     "Example: pgusher-queue consume '{search}' --docs --exec ./index-them --batch 500 --linger 200\n"},
};

enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

static const char usage[] =
    "usage: pgusher-queue [OPTION…] VERB QUEUE …\n"
    "\n"
    "  list [--scan]                      which queues there are\n"
    "  stats QUEUE [--watch [SECONDS]]    how one stands\n"
    "  peek QUEUE [-n N] [--delayed | --later]   the next items\n"
    "  push QUEUE ITEM… | -               queue items\n"
    "  consume QUEUE --exec COMMAND …     run a command for the items\n"
    "  recover QUEUE                      take back what dead consumers held\n"
    "  dead QUEUE [-n N]                  dead letters\n"
    "  replay QUEUE ITEM… | --all         queue dead letters again\n"
    "  rm QUEUE ITEM…                     remove items wherever they are\n"
    "  purge QUEUE --dead | --all         throw away\n"
    "  pause QUEUE, resume QUEUE          consumers get nothing; go on\n"
    "  doctor QUEUE [--fix]               what is wrong with it and its Redis\n"
    "\n"
    "  -c, --config FILE   its \"redis\" and \"queues\" are read (default: $PGUSHER_CONFIG, then\n"
    "                      /etc/pgusher/pgusher.json)\n"
    "  -r, --redis URL     instead of the configuration's; then no file is needed\n"
    "      --json          output as JSON\n"
    "      --help          also of each verb: pgusher-queue push --help\n"
    "      --version\n"
    "\n"
    "Exit codes: 0 done, 1 the thing asked for is not so, 64 usage, 69 Redis unavailable, 78 bad "
    "configuration\n"
    "or credentials.\n"
    "\n"
    "Example: pgusher-queue --redis redis://localhost stats '{search}'\n";

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static enum exit_code bad_usage(const struct verb *verb)
{
    fprintf(stderr, "Try: pgusher-queue %s%s--help\n", verb ? verb->name : "", verb ? " " : "");
    return EX_BAD_USAGE;
}

static enum exit_code unknown_verb(const char *name)
{
    const char *names[VERBS];
    const char *near;

    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i].name;
    near = suggest(name, names, VERBS);
    tool_say("unknown verb \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "",
             near ? "\"?" : "");
    return bad_usage(NULL);
}

/* Takes the queue's name off the words behind the verb. */
static int take_queue(const struct verb *verb, struct tool *tool)
{
    if (tool->nargs == 0 || tool->args[0][0] == '\0') {
        tool_say("%s needs the name of a queue", verb->name);
        return -1;
    }
    tool->target.queue = tool->args[0];
    tool->args++;
    tool->nargs--;
    return 0;
}

static int check_items(const struct verb *verb, const struct tool *tool)
{
    bool all = tool_given(tool, OPTION_ALL) && verb->operands == QUEUE_AND_ITEMS_OR_ALL;

    if (verb->operands < QUEUE_AND_ITEMS || all) {
        if (tool->nargs)
            tool_say("%s%s does not take \"%s\"", verb->name, all ? " --all" : "", tool->args[0]);
        return tool->nargs ? -1 : 0;
    }
    if (tool->nargs == 0)
        tool_say("%s needs items%s", verb->name,
                 verb->operands == QUEUE_AND_ITEMS_OR_ALL ? ", or --all" : "");
    return tool->nargs ? 0 : -1;
}

static int check_address(const char *redis)
{
    struct redis_url url = {0};
    struct err err = ERR_NONE;

    if (redis && redis_url_parse(redis, &url, &err) != 0)
        tool_say("--redis: %s", err.text);
    redis_url_free(&url);
    return err.status == ST_OK ? 0 : -1;
}

/* Whether the verb takes what was given; otherwise says what it misses or does not take. */
static bool accepts(const struct verb *verb, struct tool *tool)
{
    const char *unwanted = tool_not_accepted(tool, verb->options);

    if (unwanted) {
        tool_say("%s does not take %s", verb->name, unwanted);
        return false;
    }
    if (verb->operands != NOTHING && take_queue(verb, tool) != 0)
        return false;
    return check_items(verb, tool) == 0 && check_address(tool->redis) == 0;
}

/* ---- where the queue is ---- */

/* With --redis alone there need be no file, and none is read. */
static int load_host(const struct tool *tool, struct queue_host *host)
{
    struct problems problems = {0};
    const char *file = tool->config_file ? tool->config_file : config_default_file();
    int result;

    *host = (struct queue_host){0};
    if (tool->redis && !tool->config_file)
        return 0;
    result = queue_host_load(file, !tool->redis, host, &problems);
    for (size_t i = 0; i < problems.count; i++)
        tool_say("%s: %s%s%s", file, problems.list[i].place, problems.list[i].place[0] ? ": " : "",
                 problems.list[i].text);
    if (result != 0 && !tool->config_file)
        tool_say("--config names another file; --redis makes do without one");
    problems_free(&problems);
    return result;
}

static void aim(struct tool *tool, const struct queue_host *host)
{
    struct tool_target *target = &tool->target;
    const struct queue_config *config =
        target->queue ? queue_config_find(host->queues, host->nqueues, target->queue) : NULL;

    tool->host = host;
    target->redis = tool->redis ? tool->redis : host->redis;
    target->password = tool->redis ? NULL : host->url.password;
    target->json = tool_given(tool, OPTION_JSON);
    if (config) {
        target->lease_ms = config->lease_ms;
        target->max_failures = config->settings.max_failures;
        target->max_crashes = config->settings.max_crashes;
        target->plain_timeout_ms = config->settings.plain_timeout_ms;
        target->coalesce = config->settings.coalesce;
    }
    if (tool->lease_ms)
        target->lease_ms = tool->lease_ms;
}

/* ---- main ---- */

static enum exit_code run_verb(const struct verb *verb, struct tool *tool)
{
    struct queue_host host;
    enum exit_code code = EX_BAD_CONFIG;

    if (load_host(tool, &host) == 0) {
        aim(tool, &host);
        code = verb->run(tool);
    }
    queue_host_free(&host);
    return code;
}

static enum exit_code run(struct tool *tool)
{
    const struct verb *verb = tool->nargs ? find_verb(tool->args[0]) : NULL;

    if (tool_given(tool, OPTION_HELP)) {
        fputs(verb ? verb->usage : usage, stdout);
        return EX_DONE;
    }
    if (tool_given(tool, OPTION_VERSION)) {
        puts("pgusher-queue " PGUSHER_VERSION);
        return EX_DONE;
    }
    if (tool->nargs == 0) {
        tool_say("what shall be done? A verb is missing.");
        return bad_usage(NULL);
    }
    if (!verb)
        return unknown_verb(tool->args[0]);
    tool->args++;
    tool->nargs--;
    return accepts(verb, tool) ? run_verb(verb, tool) : bad_usage(verb);
}

/* A result that was not written is none. */
static enum exit_code finish_output(enum exit_code code)
{
    if (!output_failed())
        return code;
    tool_say("cannot write the output");
    return code == EX_DONE ? EX_NOT_SO : code;
}

int main(int argc, char **argv)
{
    struct tool tool;
    enum exit_code code;

    program_begin("pgusher-queue");
    code = tool_options_parse(argc, argv, &tool) == 0
               ? run(&tool)
               : bad_usage(tool.nargs ? find_verb(tool.args[0]) : NULL);
    output_end_errors(tool_given(&tool, OPTION_JSON) && code != EX_DONE);
    return (int)finish_output(code);
}
