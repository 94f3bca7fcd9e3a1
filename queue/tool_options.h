/* The command line of pgusher-queue: options before or behind the verb, and what follows it. */
#ifndef PGUSHER_QUEUE_TOOL_OPTIONS_H
#define PGUSHER_QUEUE_TOOL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "queue/queue_config.h"
#include "queue/tool_target.h"

enum tool_option {
    OPTION_CONFIG,
    OPTION_REDIS,
    OPTION_JSON,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_SCAN,
    OPTION_WATCH,
    OPTION_N,
    OPTION_DELAYED,
    OPTION_LATER,
    OPTION_ALL,
    OPTION_DEAD,
    OPTION_YES,
    OPTION_FIX,
    OPTION_EXEC,
    OPTION_BATCH,
    OPTION_LINGER,
    OPTION_DOCS,
    OPTION_PARALLEL,
    OPTION_LEASE,
    OPTION_TIMEOUT,
    OPTION_GRACE,
    OPTION_ONCE,
    OPTION_COUNT
};

#define OPTION_BIT(option) (1u << (option))

struct tool {
    unsigned given; /* bits of enum tool_option */
    const char *config_file;
    const char *redis;
    int64_t number; /* -n; 0 without */
    int64_t watch_ms;
    int64_t lease_ms; /* 0: not given */
    const char *command;
    int64_t batch;
    int64_t parallel;
    int64_t linger_ms;
    int64_t timeout_ms; /* 0: none */
    int64_t grace_ms;
    char **args; /* the verb, then what follows it */
    int nargs;

    /* What main puts in for the verbs; args are then the items, without verb and queue. */
    struct tool_target target;
    const struct queue_host *host;
};

/* 0, or -1 after it has said on stderr what is wrong. */
int tool_options_parse(int argc, char **argv, struct tool *tool);
bool tool_given(const struct tool *tool, enum tool_option option);
/* Of those given, one that is not among `accepted`, as it is written on the command line ("--scan", "-n");
 * NULL: none. */
const char *tool_not_accepted(const struct tool *tool, unsigned accepted);

#endif
