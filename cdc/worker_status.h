/* /status.json: what `pgusher status --json` shows, and of this process "worker" and "history". */
#ifndef PGUSHER_WORKER_STATUS_H
#define PGUSHER_WORKER_STATUS_H

#include <jansson.h>

#include "common/buf.h"

struct worker;

/* {"pid", "host", "version", "up_seconds", "ready", "says", "acts": whether it takes actions, "gate",
 * "partitions", "changes", "documents", … as in pgusher.worker, "totals", "stages": {name: {"count",
 * "mean_ms", "p99_ms"}}}; the caller's. */
json_t *worker_status_json(struct worker *worker);

#endif
