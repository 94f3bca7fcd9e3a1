/* pgusher: the operator's command line. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/tool.h"
#include "common/log.h"
#include "common/program.h"
#include "common/problems.h"
#include "common/version.h"
#include "queue/tool_output.h"

static const struct verb *const verbs[] = {
    &init_verb,    &check_verb,    &install_verb, &uninstall_verb,  &status_verb,
    &explain_verb, &backfill_verb, &verify_verb,  &quarantine_verb, &fleet_verb,
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
    tool_say("unknown verb \"%s\"%s%s%s", name, near ? "; did you mean \"" : "", near ? near : "",
             near ? "\"?" : "");
    return bad_usage(NULL);
}

/* Whether the verb takes what was given; otherwise says what it does not take. */
static bool accepts(const struct verb *verb, const struct tool *tool)
{
    for (size_t i = 0; i < CHOICES; i++)
        if (tool->given & choices[i].flag & ~verb->flags) {
            tool_say("%s does not take \"--%s\"", verb->name, choices[i].name);
            return false;
        }
    if (tool->nargs && !(verb->flags & FLAG_ARGS)) {
        tool_say("%s does not take \"%s\"", verb->name, tool->args[0]);
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
        tool_say("what shall be done? A verb is missing.");
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
    tool_say("--%s needs a whole number of at least 1, not \"%s\"", name, text);
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

/* getopt takes -55 for two options, and has passed the word only with the second. */
static void say_negative(const char *word)
{
    if (word[0] == '-' && isdigit((unsigned char)word[1]))
        tool_say("%s is no option; a value that begins with - stands after --, as in: pgusher explain ticket "
                 "-- %s",
                 word, word);
}

/* The word of an option that there is not, or that stands there alone, or with a value. */
static void say_wrong(int value, const char *word, const struct option *options)
{
    const char *names[CHOICES + 4], *near;

    for (size_t i = 0; options[i].name; i++)
        names[i] = options[i].name;
    near = strncmp(word, "--", 2) == 0 ? suggest(word + 2, names, CHOICES + 4) : NULL;
    if (value == ':')
        tool_say("%s needs a value", word);
    else if (optopt >= OPT_CHOICE)
        tool_say("%s takes no value", word);
    else if (optopt && isdigit(optopt))
        say_negative(word);
    else if (optopt)
        tool_say("unknown option -%c", optopt);
    else
        tool_say("unknown option %s%s%s%s", word, near ? "; did you mean --" : "", near ? near : "",
                 near ? "?" : "");
}

static int take_option(struct tool *tool, int option, const char *value, bool *help)
{
    if (option >= OPT_CHOICE && option < OPT_FLEET)
        return take_choice(tool, &choices[option - OPT_CHOICE], value);
    *help |= option == OPT_HELP;
    if (option == OPT_FLEET)
        tool->fleet = value;
    if (option == 'c') {
        tool->config_file = value;
        tool->config_given = true;
    }
    return 0;
}

static enum exit_code run(struct tool *tool, int argc, char **argv)
{
    struct option options[CHOICES + 5];
    bool help = false, wrong = false;
    int option;

    list_options(options);
    while ((option = getopt_long(argc, argv, ":c:", options, NULL)) != -1) {
        if (option == OPT_VERSION) {
            puts("pgusher " PGUSHER_VERSION);
            return EX_DONE;
        }
        if (option == '?' || option == ':')
            say_wrong(option, argv[optind - 1], options);
        if (option == '?' || option == ':' || take_option(tool, option, optarg, &help) != 0)
            wrong = true;
    }
    if (wrong)
        return bad_usage(optind < argc ? find_verb(argv[optind]) : NULL);
    return run_verb(tool, argv + optind, argc - optind, help);
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
    struct tool tool = {.config_file = config_default_file()};
    enum exit_code code;

    program_begin("pgusher");
    log_set_level(LOG_LEVEL_WARN);
    code = run(&tool, argc, argv);
    output_end_errors(tool.json);
    return (int)finish_output(code);
}
