/* pgusher: the operator's command line. */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/tool.h"
#include "common/log.h"
#include "common/version.h"

static const struct verb *const verbs[] = {
    &init_verb,    &check_verb,    &install_verb,    &uninstall_verb, &status_verb,
    &explain_verb, &backfill_verb, &verify_verb, &quarantine_verb, &fleet_verb,
};
enum { VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* The options that some verbs take. Those with a field have a value: a text, or (numeric) a whole number. */
static const struct choice {
    const char *name;
    enum tool_flag flag;
    bool numeric;
    size_t field; /* in struct tool; 0: none */
} choices[] = {
    {"json", FLAG_JSON, false, 0},
    {"offline", FLAG_OFFLINE, false, 0},
    {"print", FLAG_PRINT, false, 0},
    {"where", FLAG_WHERE, false, offsetof(struct tool, where)},
    {"rate", FLAG_RATE, true, offsetof(struct tool, rate)},
    {"dry-run", FLAG_DRY_RUN, false, 0},
    {"wait", FLAG_WAIT, false, 0},
    {"pause", FLAG_PAUSE, false, 0},
    {"resume", FLAG_RESUME, false, 0},
    {"cancel", FLAG_CANCEL, false, 0},
    {"sample", FLAG_SAMPLE, true, offsetof(struct tool, sample)},
    {"repair", FLAG_REPAIR, false, 0},
    {"watch", FLAG_WATCH, false, 0},
    {"postgres", FLAG_POSTGRES, false, offsetof(struct tool, postgres)},
    {"redis", FLAG_REDIS, false, offsetof(struct tool, redis)},
};
enum { CHOICES = sizeof(choices) / sizeof(choices[0]) };

enum { OPT_CHOICE = 256, OPT_FLEET = OPT_CHOICE + CHOICES, OPT_HELP, OPT_VERSION };

static void print_usage(void)
{
    fputs("usage: pgusher [-c FILE] [--fleet NAME] VERB …\n\n", stdout);
    for (size_t i = 0; i < VERBS; i++)
        printf("  %-12s %s\n", verbs[i]->name, verbs[i]->summary);
    fputs(
        "\n"
        "  -c, --config FILE   configuration (default: $PGUSHER_CONFIG, then /etc/pgusher/pgusher.json)\n"
        "      --fleet NAME    instead of the configuration's \"fleet\"\n"
        "      --help          also of each verb: pgusher check --help\n"
        "      --version\n"
        "\n"
        "Exit codes: 0 done, 1 the thing asked for is not so, 64 usage, 69 PostgreSQL or Redis unavailable,\n"
        "78 bad configuration.\n"
        "\n"
        "Example: pgusher -c pgusher.json check && pgusher -c pgusher.json install\n",
        stdout);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

static enum exit_code bad_usage(const struct verb *verb)
{
    fprintf(stderr, "Try: pgusher %s%s--help\n", verb ? verb->name : "", verb ? " " : "");
    return EX_BAD_USAGE;
}

static enum exit_code unknown_verb(const char *name)
{
    const char *names[VERBS];
    const char *near;

    for (size_t i = 0; i < VERBS; i++)
        names[i] = verbs[i]->name;
    near = suggest(name, names, VERBS);
    fprintf(stderr, "pgusher: unknown verb \"%s\"%s%s%s\n", name, near ? "; did you mean \"" : "",
            near ? near : "", near ? "\"?" : "");
    return bad_usage(NULL);
}

/* Whether the verb takes what was given; otherwise says what it does not take. */
static bool accepts(const struct verb *verb, const struct tool *tool)
{
    for (size_t i = 0; i < CHOICES; i++)
        if (tool->given & choices[i].flag & ~verb->flags) {
            fprintf(stderr, "pgusher: %s does not take \"--%s\"\n", verb->name, choices[i].name);
            return false;
        }
    if (tool->nargs && !(verb->flags & FLAG_ARGS)) {
        fprintf(stderr, "pgusher: %s does not take \"%s\"\n", verb->name, tool->args[0]);
        return false;
    }
    return true;
}

static enum exit_code run_verb(struct tool *tool, char **args, int nargs, bool help)
{
    const struct verb *verb = nargs ? find_verb(args[0]) : NULL;

    if (help) {
        if (verb)
            fputs(verb->usage, stdout);
        else
            print_usage();
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

/* ---- options ---- */

static void list_options(struct option *options)
{
    size_t n = 0;

    options[n++] = (struct option){"config", required_argument, NULL, 'c'};
    options[n++] = (struct option){"fleet", required_argument, NULL, OPT_FLEET};
    options[n++] = (struct option){"help", no_argument, NULL, OPT_HELP};
    options[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
    for (size_t i = 0; i < CHOICES; i++)
        options[n++] = (struct option){choices[i].name, choices[i].field ? required_argument : no_argument,
                                       NULL, OPT_CHOICE + (int)i};
    options[n] = (struct option){0};
}

static int read_number(const char *name, const char *text, int64_t *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoll(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0' && *ret_number >= 1)
        return 0;
    fprintf(stderr, "pgusher: --%s wants a whole number of at least 1, not \"%s\"\n", name, text);
    return -1;
}

static int take_choice(struct tool *tool, const struct choice *choice, const char *value)
{
    void *field = (char *)tool + choice->field;

    tool->given |= choice->flag;
    tool->json |= choice->flag == FLAG_JSON;
    if (choice->numeric)
        return read_number(choice->name, value, field);
    if (choice->field)
        *(const char **)field = value;
    return 0;
}

int main(int argc, char **argv)
{
    struct tool tool = {.config_file = config_default_file()};
    struct option options[CHOICES + 5];
    bool help = false;
    int option;

    log_init("pgusher");
    log_set_level(LOG_LEVEL_WARN);
    list_options(options);
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        if (option == 'c') {
            tool.config_file = optarg;
            tool.config_given = true;
        } else if (option == OPT_FLEET) {
            tool.fleet = optarg;
        } else if (option == OPT_HELP) {
            help = true;
        } else if (option == OPT_VERSION) {
            puts("pgusher " PGUSHER_VERSION);
            return EX_DONE;
        } else if (option < OPT_CHOICE || take_choice(&tool, &choices[option - OPT_CHOICE], optarg) != 0) {
            return (int)bad_usage(NULL);
        }
    }
    return (int)run_verb(&tool, argv + optind, argc - optind, help);
}
