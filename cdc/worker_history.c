#include "cdc/worker_history.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/metrics.h"
#include "cdc/standing.h"
#include "cdc/status.h"
#include "cdc/worker_private.h"
#include "common/clock.h"
#include "common/mem.h"

enum { STEPS = 3600000 / HISTORY_STEP_MS };

enum series { DELAY, CHANGES, DOCUMENTS, LAG, LAG_CHANGES, QUEUED, SERIES };

static const char *const names[SERIES] = {"delay_seconds", "changes_per_s", "documents_per_s",
                                          "lag_seconds",   "lag_changes",   "queued"};

#define UNKNOWN (-1.0F)

struct worker_history {
    float steps[STEPS][SERIES];
    size_t count; /* ever */
    int64_t at_ms;
    int64_t changes;
    int64_t documents;
};

struct worker_history *worker_history_new(void)
{
    struct worker_history *history = mem_zalloc(sizeof(*history));

    history->at_ms = clock_mono_ms();
    history->changes = metrics.changes;
    return history;
}

void worker_history_free(struct worker_history *history)
{
    free(history);
}

/* ---- a step ---- */

static int64_t documents_so_far(const struct worker *worker)
{
    struct tally sum = worker_tally(worker);

    return sum.put + sum.unchanged + sum.removed + sum.absent + sum.stale + sum.refused;
}

static void take_fleet(float *step, const json_t *status, const char *name)
{
    const json_t *fleet;
    size_t i;

    json_array_foreach (json_object_get(status, "fleets"), i, fleet)
        if (strcmp(standing_text(fleet, "fleet"), name) == 0) {
            step[LAG] = (float)status_real(fleet, "lag_seconds");
            step[LAG_CHANGES] = (float)standing_integer(fleet, "lag_changes");
        }
}

static void take_queues(float *step, const json_t *status)
{
    static const char *const states[] = {"waiting", "later", "in_flight", "delayed"};
    const json_t *queue;
    size_t i;

    json_array_foreach (json_object_get(status, "queues"), i, queue) {
        if (step[QUEUED] < 0)
            step[QUEUED] = 0;
        for (size_t j = 0; j < sizeof(states) / sizeof(states[0]); j++)
            step[QUEUED] += (float)standing_integer(queue, states[j]);
    }
}

void worker_history_step(struct worker_history *history, const struct worker *worker, const json_t *status)
{
    float *step = history->steps[history->count++ % STEPS];
    int64_t now_ms = clock_mono_ms(), documents = documents_so_far(worker);
    float seconds = (float)(now_ms - history->at_ms) / 1000;

    step[DELAY] = (float)metrics.worst_delay_ms / 1000;
    step[CHANGES] = (float)(metrics.changes - history->changes) / seconds;
    step[DOCUMENTS] = (float)(documents - history->documents) / seconds;
    step[LAG] = step[LAG_CHANGES] = step[QUEUED] = UNKNOWN;
    take_fleet(step, status, worker->config->fleet);
    take_queues(step, status);
    metrics.worst_delay_ms = 0;
    history->at_ms = now_ms;
    history->changes = metrics.changes;
    history->documents = documents;
}

/* ---- as JSON ---- */

static json_t *series_json(const struct worker_history *history, enum series series)
{
    size_t count = history->count < STEPS ? history->count : STEPS;
    json_t *list = json_array();

    for (size_t i = history->count - count; i < history->count; i++) {
        float value = history->steps[i % STEPS][series];

        json_array_append_new(list, value < 0 ? json_null() : json_real((double)value));
    }
    return list;
}

json_t *worker_history_json(const struct worker_history *history)
{
    json_t *object = json_pack("{s:f}", "step_seconds", HISTORY_STEP_MS / 1000.0);

    for (size_t i = 0; i < SERIES; i++)
        json_object_set_new(object, names[i], series_json(history, i));
    return object;
}
