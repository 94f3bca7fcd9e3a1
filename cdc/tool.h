/* What the verbs of the program pgusher share: their options, a session opened step by step, and output. */
#ifndef PGUSHER_TOOL_H
#define PGUSHER_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "cdc/config.h"
#include "cdc/session.h"
#include "common/status.h"

/* What was given on the command line, and what a verb takes. */
enum tool_flag {
    FLAG_ARGS = 1 << 0,
    FLAG_JSON = 1 << 1,
    FLAG_OFFLINE = 1 << 2,
    FLAG_PRINT = 1 << 3,
    FLAG_WHERE = 1 << 4,
    FLAG_RATE = 1 << 5,
    FLAG_DRY_RUN = 1 << 6,
    FLAG_WAIT = 1 << 7,
    FLAG_PAUSE = 1 << 8,
    FLAG_RESUME = 1 << 9,
    FLAG_CANCEL = 1 << 10,
    FLAG_SAMPLE = 1 << 11,
    FLAG_REPAIR = 1 << 12,
    FLAG_WATCH = 1 << 13,
    FLAG_POSTGRES = 1 << 14,
    FLAG_REDIS = 1 << 15,
};

struct tool {
    const char *config_file;
    bool config_given; /* on the command line */
    const char *fleet;
    unsigned given;    /* of enum tool_flag */
    bool json;         /* the same as FLAG_JSON in given */
    const char *where; /* NULL when not given */
    int64_t rate;      /* 1 or more; 0: not given, as sample */
    int64_t sample;
    const char *postgres; /* NULL when not given, as redis */
    const char *redis;
    char **args; /* what follows the verb */
    int nargs;
};

typedef enum exit_code tool_fn(const struct tool *tool);

struct verb {
    const char *name;
    tool_fn *run;
    unsigned flags; /* what it takes */
    const char *summary;
    const char *usage; /* begins with "usage: pgusher NAME", ends with an example */
};

extern const struct verb check_verb, install_verb, uninstall_verb, backfill_verb, status_verb, explain_verb,
    init_verb, fleet_verb, quarantine_verb, verify_verb;

/* The configuration, or NULL after its mistakes were printed to stderr. */
struct config *tool_config(const struct tool *tool);
/* "pgusher: …", a line on stderr. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says the error and gives the exit code of its class. */
enum exit_code tool_fail(const struct err *err);
void tool_print_problems(const char *file, const struct problems *problems);
/* Whether all arguments are names of projections; says which is not. */
bool tool_names_projections(const struct tool *tool, const struct config *config);
/* Whether this projection is among the arguments; without arguments all are. */
bool tool_wants(const struct tool *tool, const char *projection);

/* A session that has only what its owner connects (session_connect_pg, session_connect_redis); session_close
 * frees it. */
struct session *tool_session(struct loop *loop, const struct config *config);

#endif
