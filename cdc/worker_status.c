#include "cdc/worker_status.h"

#include <string.h>
#include <unistd.h>

#include "cdc/metrics.h"
#include "cdc/worker_private.h"
#include "common/version.h"
#include "queue/tool_text.h"

static json_t *histogram_json(const struct histogram *histogram)
{
    int64_t count = histogram_count(histogram);

    return json_pack("{s:I, s:f, s:f}", "count", (json_int_t)count, "mean_ms",
                     count ? (double)histogram->sum_us / 1000 / (double)count : 0, "p99_ms",
                     histogram_percentile(histogram, 99) * 1000);
}

static json_t *stages_json(void)
{
    json_t *stages = json_pack("{s:o, s:o}", "delay", histogram_json(&metrics.delay), "batch",
                               histogram_json(&metrics.batch));

    for (size_t i = 0; i < STAGES; i++)
        json_object_set_new(stages, metrics_stage_names[i], histogram_json(&metrics.stages[i]));
    return stages;
}

static json_t *totals_json(const struct worker *worker)
{
    struct tally sum = worker_tally(worker);

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "changes",
                     (json_int_t)metrics.changes, "put", (json_int_t)sum.put, "unchanged",
                     (json_int_t)sum.unchanged, "removed", (json_int_t)sum.removed, "absent",
                     (json_int_t)sum.absent, "stale", (json_int_t)sum.stale, "refused",
                     (json_int_t)sum.refused, "queued", (json_int_t)sum.queued, "sessions",
                     (json_int_t)metrics.sessions, "failures", (json_int_t)metrics.failures);
}

json_t *worker_status_json(struct worker *worker)
{
    struct buf says = BUF_NONE;
    bool ready = worker_is_ready(worker, &says);
    char host[256] = "";
    json_t *object, *row;

    gethostname(host, sizeof(host) - 1);
    object =
        json_pack("{s:I, s:o, s:s, s:s, s:f, s:b, s:o, s:b, s:o, s:o}", "pid", (json_int_t)getpid(), "host",
                  text_json(host, strlen(host)), "fleet", worker->config->fleet, "version", PGUSHER_VERSION,
                  "up_seconds", (double)worker_row_age_ms(worker->row) / 1000, "ready", ready, "says",
                  text_json(says.data, says.len), "acts", worker->config->http.token != NULL, "totals",
                  totals_json(worker), "stages", stages_json());
    row = worker_row_json(worker->row);
    json_object_update_missing(object, row);
    json_decref(row);
    buf_free(&says);
    return object;
}
