#include "queue/tool_options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/problems.h"
#include "queue/tool_say.h"

enum {
    DEFAULT_BATCH = 100,
    DEFAULT_GRACE_MS = 10000,
    DEFAULT_WATCH_MS = 1000,
    MIN_WATCH_MS = 100,
    MAX_WATCH_MS = 86400000,
    MAX_PARALLEL = 256,
    MAX_LINGER_MS = 3600000,
};

enum kind { FLAG, TEXT, NUMBER, DURATION, SECONDS };

#define FIELD(name) offsetof(struct tool, name)

/* `field` is where the value goes. Numbers, seconds (kept in ms) and durations are int64_t. */
static const struct row {
    const char *name; /* as it is written */
    enum kind kind;
    size_t field;
    int64_t min;
    int64_t max;
} rows[OPTION_COUNT] = {
    [OPTION_CONFIG] = {"--config", TEXT, FIELD(config_file), 0, 0},
    [OPTION_REDIS] = {"--redis", TEXT, FIELD(redis), 0, 0},
    [OPTION_JSON] = {"--json", FLAG, 0, 0, 0},
    [OPTION_HELP] = {"--help", FLAG, 0, 0, 0},
    [OPTION_VERSION] = {"--version", FLAG, 0, 0, 0},
    [OPTION_SCAN] = {"--scan", FLAG, 0, 0, 0},
    [OPTION_WATCH] = {"--watch", SECONDS, FIELD(watch_ms), MIN_WATCH_MS, MAX_WATCH_MS},
    [OPTION_N] = {"-n", NUMBER, FIELD(number), 1, INT64_MAX},
    [OPTION_DELAYED] = {"--delayed", FLAG, 0, 0, 0},
    [OPTION_LATER] = {"--later", FLAG, 0, 0, 0},
    [OPTION_ALL] = {"--all", FLAG, 0, 0, 0},
    [OPTION_DEAD] = {"--dead", FLAG, 0, 0, 0},
    [OPTION_YES] = {"--yes", FLAG, 0, 0, 0},
    [OPTION_FIX] = {"--fix", FLAG, 0, 0, 0},
    [OPTION_EXEC] = {"--exec", TEXT, FIELD(command), 0, 0},
    [OPTION_BATCH] = {"--batch", NUMBER, FIELD(batch), 1, PGUSHER_QUEUE_MAX_ITEMS},
    [OPTION_LINGER] = {"--linger", NUMBER, FIELD(linger_ms), 0, MAX_LINGER_MS},
    [OPTION_DOCS] = {"--docs", FLAG, 0, 0, 0},
    [OPTION_PARALLEL] = {"--parallel", NUMBER, FIELD(parallel), 1, MAX_PARALLEL},
    [OPTION_LEASE] = {"--lease", DURATION, FIELD(lease_ms), PGUSHER_QUEUE_MIN_LEASE_MS, 0},
    [OPTION_TIMEOUT] = {"--timeout", DURATION, FIELD(timeout_ms), 1, 0},
    [OPTION_GRACE] = {"--grace", DURATION, FIELD(grace_ms), 0, 0},
    [OPTION_ONCE] = {"--once", FLAG, 0, 0, 0},
};

bool tool_given(const struct tool *tool, enum tool_option option)
{
    return tool->given & OPTION_BIT(option);
}

const char *tool_not_accepted(const struct tool *tool, unsigned accepted)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (tool->given & ~accepted & OPTION_BIT(i))
            return rows[i].name;
    return NULL;
}

/* ---- values ---- */

static int read_number(const struct row *row, const char *text, int64_t *ret)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < row->min || value > row->max) {
        if (row->max == INT64_MAX)
            tool_say("%s needs a whole number of at least %lld, not \"%s\"", row->name, (long long)row->min,
                     text);
        else
            tool_say("%s needs a whole number from %lld to %lld, not \"%s\"", row->name, (long long)row->min,
                     (long long)row->max, text);
        return -1;
    }
    *ret = value;
    return 0;
}

static int read_duration(const struct row *row, const char *text, int64_t *ret_ms)
{
    if (duration_parse(text, ret_ms) == 0 && *ret_ms >= row->min)
        return 0;
    tool_say("%s needs a duration of at least %lld ms, such as \"500 ms\", \"30 s\" or \"5 min\", not \"%s\"",
             row->name, (long long)row->min, text);
    return -1;
}

static bool parse_seconds(const struct row *row, const char *text, int64_t *ret_ms)
{
    char *end;
    double ms = strtod(text, &end) * 1000;

    if (end == text || *end || !(ms >= (double)row->min && ms <= (double)row->max))
        return false;
    *ret_ms = llrint(ms);
    return true;
}

/* They may stand behind a space: then they are the next word, if that is such a number. */
static int read_seconds(const struct row *row, const char *next_word, int64_t *ret_ms)
{
    if (!optarg) {
        optind += next_word && parse_seconds(row, next_word, ret_ms);
        return 0;
    }
    if (parse_seconds(row, optarg, ret_ms))
        return 0;
    tool_say("%s needs a number of seconds of at least %g, not \"%s\"", row->name, (double)row->min / 1000,
             optarg);
    return -1;
}

static int read_value(enum tool_option option, char **argv, struct tool *tool)
{
    const struct row *row = &rows[option];
    void *field = (char *)tool + row->field;

    tool->given |= OPTION_BIT(option);
    switch (row->kind) {
    case FLAG:
        return 0;
    case TEXT:
        *(const char **)field = optarg;
        return 0;
    case NUMBER:
        return read_number(row, optarg, field);
    case DURATION:
        return read_duration(row, optarg, field);
    case SECONDS:
        return read_seconds(row, argv[optind], field);
    }
    return -1;
}

/* ---- getopt ---- */

enum { LONG = 256 }; /* above all letters */

static enum tool_option option_of(int value)
{
    switch (value) {
    case 'c':
        return OPTION_CONFIG;
    case 'r':
        return OPTION_REDIS;
    case 'n':
        return OPTION_N;
    default:
        return (enum tool_option)(value - LONG);
    }
}

static int has_argument(enum kind kind)
{
    if (kind == FLAG)
        return no_argument;
    return kind == SECONDS ? optional_argument : required_argument;
}

static void long_options(struct option *ret_options)
{
    for (int i = 0; i < OPTION_COUNT; i++)
        if (rows[i].name[1] == '-')
            *ret_options++ = (struct option){rows[i].name + 2, has_argument(rows[i].kind), NULL, LONG + i};
    *ret_options = (struct option){NULL, 0, NULL, 0};
}

static void say_unknown(const char *word)
{
    const char *names[OPTION_COUNT], *near;

    for (int i = 0; i < OPTION_COUNT; i++)
        names[i] = rows[i].name;
    near = suggest(word, names, OPTION_COUNT);
    tool_say("unknown option %s%s%s%s", word, near ? "; did you mean " : "", near ? near : "",
             near ? "?" : "");
}

static void say_wrong(int value, const char *word)
{
    if (value == ':')
        tool_say("%s needs a value", word);
    else if (optopt >= LONG)
        tool_say("%s takes no value", rows[optopt - LONG].name);
    else if (optopt)
        tool_say("unknown option -%c", optopt);
    else
        say_unknown(word);
}

int tool_options_parse(int argc, char **argv, struct tool *tool)
{
    struct option options[OPTION_COUNT + 1];
    int value, result = 0;

    *tool = (struct tool){
        .watch_ms = DEFAULT_WATCH_MS, .batch = DEFAULT_BATCH, .parallel = 1, .grace_ms = DEFAULT_GRACE_MS};
    long_options(options);
    while ((value = getopt_long(argc, argv, ":c:r:n:", options, NULL)) != -1) {
        if (value == '?' || value == ':')
            say_wrong(value, argv[optind - 1]);
        if (value == '?' || value == ':' || read_value(option_of(value), argv, tool) != 0)
            result = -1;
    }
    tool->args = argv + optind;
    tool->nargs = argc - optind;
    return result;
}
