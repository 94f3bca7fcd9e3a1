/* What the verbs of the program pgusher share: their options, a session opened step by step, and output. */
#ifndef PGUSHER_TOOL_H
#define PGUSHER_TOOL_H

#include <stdbool.h>

#include <jansson.h>

#include "cdc/config.h"
#include "cdc/session.h"
#include "common/status.h"

struct tool {
    const char *config_file;
    const char *fleet;
    bool json;
    bool offline; /* check */
    bool print;   /* install, uninstall */
    char **args;  /* what follows the verb */
    int nargs;
};

typedef enum exit_code tool_fn(const struct tool *tool);

tool_fn check_run;
tool_fn install_run;
tool_fn uninstall_run;
tool_fn backfill_run;
tool_fn status_run;
tool_fn fleet_run;

/* The configuration, or NULL after its mistakes were printed to stderr. */
struct config *tool_config(const struct tool *tool);
/* Prints the error to stderr and gives the exit code of its class. */
enum exit_code tool_fail(const struct err *err);
void tool_print_problems(const char *file, const struct problems *problems);

/* A session that has only what its owner connects (session_connect_pg, session_connect_redis); session_close
 * frees it. */
struct session *tool_session(struct loop *loop, const struct config *config);

/* Prints the object as JSON, one line, and frees it. */
void tool_print_json(json_t *object);

#endif
