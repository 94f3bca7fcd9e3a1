/* pgusher: the operator's command line. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cdc/tool.h"
#include "common/log.h"
#include "common/version.h"

enum flag { FLAG_JSON = 1, FLAG_OFFLINE = 2, FLAG_PRINT = 4, FLAG_ARGS = 8 };

static const struct verb {
    const char *name;
    tool_fn *run;
    unsigned flags; /* what it takes */
    const char *usage;
} verbs[] = {
    {"check", check_run, FLAG_JSON | FLAG_OFFLINE,
     "usage: pgusher check [--offline] [--json]\n\n"
     "Validates the configuration, then asks PostgreSQL and Redis whether it fits them: tables, columns, "
     "types,\n"
     "privileges, lookups, plans, tables that a view reads but no watch covers, and whether capture stands.\n"
     "Changes nothing. --offline looks at the file only.\n\n"
     "Exit codes: 0 fine (maybe with warnings), 69 a server is unavailable, 78 the configuration is "
     "wrong.\n\n"
     "Example: pgusher -c pgusher.json check --json\n"},
    {"install", install_run, FLAG_PRINT,
     "usage: pgusher install [--print]\n\n"
     "Creates or upgrades the schema pgusher and the triggers on the watched tables, in one transaction. "
     "Waits\n"
     "for a busy table half a second at a time, so that its writers are not held up. What stands already is "
     "not\n"
     "touched. --print writes the SQL for a database administrator instead of running it.\n\n"
     "Example: pgusher -c pgusher.json install --print | psql -U postgres box_office\n"},
    {"uninstall", uninstall_run, FLAG_PRINT,
     "usage: pgusher uninstall [--print]\n\n"
     "Removes the triggers and the schema pgusher with all it holds, for all fleets. The cache stays as it "
     "is.\n\n"
     "Example: pgusher -c pgusher.json uninstall\n"},
    {"backfill", backfill_run, FLAG_ARGS,
     "usage: pgusher backfill [PROJECTION…]\n\n"
     "Builds every document of the projections (default: all), writes into Redis those that are not there "
     "already\n"
     "with the same content, and queues these. Safe beside running workers and live changes; may be "
     "interrupted\n"
     "and started again. A hash that somebody altered by hand is not noticed; DEL it first.\n\n"
     "Exit codes: 0 done, 1 interrupted or some documents could not be written.\n\n"
     "Example: pgusher -c pgusher.json backfill event\n"},
    {"status", status_run, FLAG_JSON,
     "usage: pgusher status [--json]\n\n"
     "Shows per fleet its workers, lag in changes and seconds, and quarantine; the changelog's size; the "
     "queues.\n"
     "Shows what it can when one server is down, and then exits 69.\n\n"
     "Example: pgusher -c pgusher.json status --json\n"},
    {"fleet", fleet_run, FLAG_JSON | FLAG_ARGS,
     "usage: pgusher fleet list [--json]\n"
     "       pgusher fleet drop NAME\n\n"
     "list shows all fleets that read this database's changelog: their workers, how many partitions these "
     "own,\n"
     "what waits for them, backfills, and which were cut loose because they stayed behind for too long.\n"
     "drop takes one out that will not come back, so that it holds the changelog no more, in one "
     "transaction: its\n"
     "rows, and of the triggers what no other fleet needs. It refuses while a worker of that fleet lives. "
     "The Redis it\n"
     "wrote into stays as it is. The configuration only says where PostgreSQL is.\n\n"
     "Exit codes: 0 done, 1 no such fleet, or it has workers.\n\n"
     "Example: pgusher -c pgusher.json fleet drop old\n"},
};

static const char usage[] =
    "usage: pgusher [-c FILE] [--fleet NAME] VERB …\n"
    "\n"
    "  check [--offline] [--json]    is the configuration right, and does it fit the database?\n"
    "  install [--print]             set up capture in the database\n"
    "  uninstall [--print]           take it away again\n"
    "  backfill [PROJECTION…]        write all documents\n"
    "  status [--json]               how it stands\n"
    "  fleet list [--json]           who reads the changelog\n"
    "  fleet drop NAME               take out a fleet that will not come back\n"
    "\n"
    "  -c, --config FILE   configuration (default: $PGUSHER_CONFIG, then /etc/pgusher/pgusher.json)\n"
    "      --fleet NAME    instead of the configuration's \"fleet\"\n"
    "      --help          also of each verb: pgusher check --help\n"
    "      --version\n"
    "\n"
    "Exit codes: 0 done, 1 the thing asked for is not so, 64 usage, 69 PostgreSQL or Redis unavailable,\n"
    "78 bad configuration.\n"
    "\n"
    "Example: pgusher -c pgusher.json check && pgusher -c pgusher.json install\n";

enum { OPT_FLEET = 256, OPT_JSON, OPT_OFFLINE, OPT_PRINT, OPT_HELP, OPT_VERSION };

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},    {"fleet", required_argument, NULL, OPT_FLEET},
    {"json", no_argument, NULL, OPT_JSON},       {"offline", no_argument, NULL, OPT_OFFLINE},
    {"print", no_argument, NULL, OPT_PRINT},     {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION}, {NULL, 0, NULL, 0},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static enum exit_code bad_usage(const struct verb *verb)
{
    fprintf(stderr, "Try: pgusher %s%s--help\n", verb ? verb->name : "", verb ? " " : "");
    return EX_BAD_USAGE;
}

static enum exit_code unknown_verb(const char *name)
{
    const char *names[sizeof(verbs) / sizeof(verbs[0])];
    const char *near;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        names[i] = verbs[i].name;
    near = suggest(name, names, sizeof(verbs) / sizeof(verbs[0]));
    fprintf(stderr, "pgusher: unknown verb \"%s\"%s%s%s\n", name, near ? "; did you mean \"" : "",
            near ? near : "", near ? "\"?" : "");
    return bad_usage(NULL);
}

/* Whether the verb takes what was given; otherwise says what it does not take. */
static bool accepts(const struct verb *verb, const struct tool *tool)
{
    const char *unwanted = NULL;

    if (tool->json && !(verb->flags & FLAG_JSON))
        unwanted = "--json";
    else if (tool->offline && !(verb->flags & FLAG_OFFLINE))
        unwanted = "--offline";
    else if (tool->print && !(verb->flags & FLAG_PRINT))
        unwanted = "--print";
    else if (tool->nargs && !(verb->flags & FLAG_ARGS))
        unwanted = tool->args[0];
    if (unwanted)
        fprintf(stderr, "pgusher: %s does not take \"%s\"\n", verb->name, unwanted);
    return !unwanted;
}

static enum exit_code run_verb(struct tool *tool, char **args, int nargs, bool help)
{
    const struct verb *verb = nargs ? find_verb(args[0]) : NULL;

    if (help) {
        fputs(verb ? verb->usage : usage, stdout);
        return EX_DONE;
    }
    if (nargs == 0) {
        fputs("pgusher: what shall be done? A verb is missing.\n", stderr);
        return bad_usage(NULL);
    }
    if (!verb)
        return unknown_verb(args[0]);
    tool->args = args + 1;
    tool->nargs = nargs - 1;
    return accepts(verb, tool) ? verb->run(tool) : bad_usage(verb);
}

int main(int argc, char **argv)
{
    struct tool tool = {.config_file = config_default_file()};
    bool help = false;
    int option;

    log_init("pgusher");
    log_set_level(LOG_LEVEL_WARN);
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            tool.config_file = optarg;
            break;
        case OPT_FLEET:
            tool.fleet = optarg;
            break;
        case OPT_JSON:
            tool.json = true;
            break;
        case OPT_OFFLINE:
            tool.offline = true;
            break;
        case OPT_PRINT:
            tool.print = true;
            break;
        case OPT_HELP:
            help = true;
            break;
        case OPT_VERSION:
            puts("pgusher " PGUSHER_VERSION);
            return EX_DONE;
        default:
            return (int)bad_usage(NULL);
        }
    }
    return (int)run_verb(&tool, argv + optind, argc - optind, help);
}
