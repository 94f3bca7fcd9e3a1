/* The figures of a queue as JSON and as text: what stats, its --watch, and list print. */
#ifndef PGUSHER_QUEUE_VERB_STATS_H
#define PGUSHER_QUEUE_VERB_STATS_H

#include <jansson.h>

#include "queue/pgusher-queue.h"
#include "queue/tool_target.h"

/* Per second, between two looks; below 0: not known. */
struct stats_rates {
    double queued;
    double acked;
    double failed;
};

json_t *stats_json(const char *queue, const struct pgusher_queue_stats *stats);
/* `rates` may be NULL. */
void stats_print(const char *queue, const struct pgusher_queue_stats *stats, const struct stats_rates *rates);

/* stats --watch: until SIGINT or SIGTERM. */
enum exit_code stats_watch(const struct tool_target *target, int64_t interval_ms);

#endif
