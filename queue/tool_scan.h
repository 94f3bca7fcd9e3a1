/* Which queues a Redis holds, whoever made them: found with SCAN, in a cluster on every primary. */
#ifndef PGUSHER_QUEUE_TOOL_SCAN_H
#define PGUSHER_QUEUE_TOOL_SCAN_H

#include <stddef.h>

#include "common/status.h"
#include "queue/tool_target.h"

struct scan_names {
    char **list; /* sorted, each once */
    size_t count;
    size_t capacity;
};

/* 0, or -1 with err. The caller frees in either case. */
int scan_queues(const struct tool_target *target, struct scan_names *ret_names, struct err *err);
void scan_names_free(struct scan_names *names);

#endif
