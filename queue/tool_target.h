/* Which queue of which Redis a verb of pgusher-queue is about, with the settings the configuration gives it.
 *
 * All texts belong to whoever filled it in (the options of the command line or the configuration) and outlive
 * it.
 */
#ifndef PGUSHER_QUEUE_TOOL_TARGET_H
#define PGUSHER_QUEUE_TOOL_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "common/redis_url.h"
#include "common/status.h"
#include "queue/pgusher-queue.h"

struct tool_target {
    const char *redis;    /* address; may hold a password: never show it, tool_target_show does without */
    const char *password; /* NULL: as the address has it */
    const char *queue;
    /* 0: as it is in the queue */
    int64_t lease_ms;
    int max_failures;
    int max_crashes;
    int64_t plain_timeout_ms;
    int coalesce; /* 1 yes, -1 no */
    bool json;    /* output */
};

/* The options to open a handle with; they point into the target. */
struct pgusher_queue_options tool_target_options(const struct tool_target *target);

/* Its Redis, with the password. 0, or -1 with err (ST_CONFIG). The caller frees with redis_url_free. */
int tool_target_url(const struct tool_target *target, struct redis_url *ret_url, struct err *err);
/* The address of its Redis without credentials, for messages; the caller frees. */
char *tool_target_show(const struct tool_target *target);

/* The exit code for what a call of the library came to. */
enum exit_code tool_exit_code(enum pgusher_queue_status status);

#endif
