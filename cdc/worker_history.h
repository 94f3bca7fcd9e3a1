/* The last hour of a worker in steps of ten seconds, in memory: how late changes were applied here and how
 * many, and, for the steps in which somebody looked, how the fleet and the queues stood. */
#ifndef PGUSHER_WORKER_HISTORY_H
#define PGUSHER_WORKER_HISTORY_H

#include <jansson.h>

struct worker;
struct worker_history;

enum { HISTORY_STEP_MS = 10000 };

struct worker_history *worker_history_new(void);
void worker_history_free(struct worker_history *history); /* NULL-safe */
/* A step is over. status: how all stands; NULL: nobody looked. */
void worker_history_step(struct worker_history *history, const struct worker *worker, const json_t *status);
/* {"step_seconds", "delay_seconds": [oldest first], "changes_per_s", "documents_per_s", "lag_seconds",
 * "lag_changes", "queued"}; null: not known. The caller's. */
json_t *worker_history_json(const struct worker_history *history);

#endif
