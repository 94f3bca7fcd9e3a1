/* What Prometheus is told of the fleet, from a look. See worker_metrics.h. */

#include "cdc/standing.h"
#include "cdc/status.h"
#include "cdc/worker_metrics.h"
#include "common/metrics_text.h"

/* A gauge of each fleet or queue that comes straight from one member; null or absent: not told. */
struct figure {
    const char *metric;
    const char *type;
    const char *help;
    const char *member;
    double scale;
};

static void put_figure(struct buf *text, const struct figure *figure, const json_t *list, const char *label)
{
    const json_t *object;
    size_t i;

    metric_head(text, figure->metric, figure->type, figure->help);
    json_array_foreach (list, i, object) {
        const json_t *value = json_object_get(object, figure->member);

        if (json_is_number(value) || json_is_boolean(value))
            metric_put(text, figure->metric, METRIC_LABELS(label, standing_text(object, label)),
                       json_is_number(value) ? json_number_value(value) * figure->scale
                                             : json_is_true(value));
    }
}

static void put_figures(struct buf *text, const struct figure *figures, size_t count, const json_t *list,
                        const char *label)
{
    for (size_t i = 0; i < count; i++)
        put_figure(text, &figures[i], list, label);
}

#define PUT_FIGURES(text, figures, list, label)                                                              \
    put_figures(text, figures, sizeof(figures) / sizeof((figures)[0]), list, label)

/* ---- fleets ---- */

static const struct figure fleet_figures[] = {
    {"pgusher_fleet_lag_changes", "gauge", "Changes that the fleet has not applied; canaries do not count.",
     "lag_changes", 1},
    {"pgusher_fleet_workers", "gauge", "Workers of the fleet.", "workers", 1},
    {"pgusher_fleet_workers_polling", "gauge", "Workers that NOTIFY does not reach.", "polling", 1},
    {"pgusher_fleet_partitions_owned", "gauge", "Partitions that a worker reads.", "partitions_owned", 1},
    {"pgusher_fleet_partitions_orphaned", "gauge", "Partitions that nobody reads.", "partitions_orphaned", 1},
    {"pgusher_fleet_gates_closed", "gauge", "Partitions whose worker sleeps until PostgreSQL wakes it.",
     "gates_closed", 1},
    {"pgusher_fleet_cut_seconds", "gauge", "How long ago the fleet was cut loose from the changelog.",
     "cut_seconds_ago", 1},
    {"pgusher_fleet_max_lag_changes", "gauge", "How far the fleet may be behind before it is cut loose.",
     "max_lag_rows", 1},
    {"pgusher_fleet_max_lag_seconds", "gauge", "How late the fleet may be before it is cut loose.",
     "max_lag_seconds", 1},
};

/* Without a change that waits it is 0, and known. */
static void put_lag(struct buf *text, const json_t *fleets)
{
    const json_t *fleet;
    size_t i;

    metric_head(text, "pgusher_fleet_lag_seconds", "gauge", "Age of the oldest change that was not applied.");
    json_array_foreach (fleets, i, fleet)
        metric_put(text, "pgusher_fleet_lag_seconds", METRIC_LABELS("fleet", standing_text(fleet, "fleet")),
                   status_real(fleet, "lag_seconds"));
}

static void put_canary(struct buf *text, const json_t *fleets, const char *metric, const char *help,
                       const char *member, double scale)
{
    const json_t *fleet;
    size_t i;

    metric_head(text, metric, "gauge", help);
    json_array_foreach (fleets, i, fleet) {
        const json_t *value = json_object_get(json_object_get(fleet, "canary"), member);

        if (json_is_number(value))
            metric_put(text, metric, METRIC_LABELS("fleet", standing_text(fleet, "fleet")),
                       json_number_value(value) * scale);
    }
}

static void put_reasons(struct buf *text, const json_t *reasons)
{
    metric_one(text, "pgusher_reasons", "gauge",
               "Things that need a person; pgusher status names them and the mend.",
               (double)json_array_size(reasons));
}

/* ---- projections ---- */

typedef void projection_fn(struct buf *text, const char *fleet, const json_t *projection);

static void each_projection(struct buf *text, const json_t *fleets, projection_fn *fn)
{
    const json_t *fleet, *projection;
    size_t i, j;

    json_array_foreach (fleets, i, fleet)
        json_array_foreach (json_object_get(fleet, "projections"), j, projection)
            fn(text, standing_text(fleet, "fleet"), projection);
}

static void put_quarantined(struct buf *text, const char *fleet, const json_t *projection)
{
    metric_put(text, "pgusher_quarantined_documents",
               METRIC_LABELS("fleet", fleet, "projection", standing_text(projection, "projection")),
               (double)standing_integer(projection, "quarantined"));
}

static void put_broken(struct buf *text, const char *fleet, const json_t *projection)
{
    metric_put(text, "pgusher_projection_broken",
               METRIC_LABELS("fleet", fleet, "projection", standing_text(projection, "projection")),
               status_ms(projection, "broken_seconds_ago") >= 0);
}

static void put_drift(struct buf *text, const char *fleet, const json_t *projection)
{
    static const char *const kinds[] = {"missing", "ghosts", "different", "expiry"};
    const json_t *verified = json_object_get(projection, "verified");

    for (size_t i = 0; json_is_object(verified) && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        metric_put(text, "pgusher_drift_documents",
                   METRIC_LABELS("fleet", fleet, "projection", standing_text(projection, "projection"),
                                 "kind", kinds[i]),
                   (double)standing_integer(verified, kinds[i]));
}

static void put_mended(struct buf *text, const char *fleet, const json_t *projection)
{
    const json_t *verified = json_object_get(projection, "verified");

    if (json_is_object(verified))
        metric_put(text, "pgusher_drift_mended_documents",
                   METRIC_LABELS("fleet", fleet, "projection", standing_text(projection, "projection")),
                   (double)standing_integer(verified, "repaired"));
}

static void put_verified(struct buf *text, const char *fleet, const json_t *projection)
{
    int64_t ms = status_ms(json_object_get(projection, "verified"), "seconds_ago");

    if (ms >= 0)
        metric_put(text, "pgusher_verify_age_seconds",
                   METRIC_LABELS("fleet", fleet, "projection", standing_text(projection, "projection")),
                   (double)ms / 1000);
}

static void put_projections(struct buf *text, const json_t *fleets)
{
    metric_head(text, "pgusher_quarantined_documents", "gauge", "Documents that cannot be built.");
    each_projection(text, fleets, put_quarantined);
    metric_head(text, "pgusher_projection_broken", "gauge",
                "1 while a projection does not fit the database and is left out.");
    each_projection(text, fleets, put_broken);
    metric_head(text, "pgusher_drift_documents", "gauge",
                "Documents that the last verify found not to be in step, repaired or not.");
    each_projection(text, fleets, put_drift);
    metric_head(text, "pgusher_drift_mended_documents", "gauge", "Those of them that it has mended.");
    each_projection(text, fleets, put_mended);
    metric_head(text, "pgusher_verify_age_seconds", "gauge", "How long ago the last verify ended.");
    each_projection(text, fleets, put_verified);
}

/* ---- backfills ---- */

static void put_backfills(struct buf *text, const json_t *fleets, const char *metric, const char *help,
                          const char *member)
{
    const json_t *fleet, *backfill;
    size_t i, j;

    metric_head(text, metric, "gauge", help);
    json_array_foreach (fleets, i, fleet)
        json_array_foreach (json_object_get(fleet, "backfills"), j, backfill) {
            const json_t *value = json_object_get(backfill, member);

            if (json_is_number(value))
                metric_put(text, metric,
                           METRIC_LABELS("fleet", standing_text(fleet, "fleet"), "projection",
                                         standing_text(backfill, "projection"), "filter",
                                         status_text(backfill, "filter", "")),
                           json_number_value(value));
        }
}

static void put_fleets(struct buf *text, const json_t *fleets)
{
    put_lag(text, fleets);
    PUT_FIGURES(text, fleet_figures, fleets, "fleet");
    put_canary(text, fleets, "pgusher_canary_latency_seconds",
               "From PostgreSQL to Redis, as the last canary that arrived has measured it.", "latency_ms",
               1e-3);
    put_canary(text, fleets, "pgusher_canary_sent_seconds", "How long ago the last canary was sent.",
               "sent_seconds_ago", 1);
    put_canary(text, fleets, "pgusher_canary_waiting_seconds", "How long the canary under way is waited for.",
               "waiting_seconds", 1);
    put_projections(text, fleets);
    put_backfills(text, fleets, "pgusher_backfill_done_documents", "Documents that a backfill has written.",
                  "documents");
    put_backfills(text, fleets, "pgusher_backfill_expected_documents",
                  "Documents that a backfill will write.", "total");
}

/* ---- the servers ---- */

static void put_changelog(struct buf *text, const json_t *changelog)
{
    metric_one(text, "pgusher_changelog_bytes", "gauge", "Size of the changelog.",
               status_real(changelog, "bytes"));
    metric_one(text, "pgusher_changelog_rows", "gauge", "Changes in the changelog, about.",
               status_real(changelog, "rows"));
    metric_one(text, "pgusher_changes_written_total", "counter", "Changes that applications made.",
               status_real(changelog, "last_seq"));
}

static void put_postgres(struct buf *text, const json_t *postgres)
{
    int64_t writer_ms = status_ms(json_object_get(postgres, "oldest_writer"), "seconds");

    metric_one(text, "pgusher_postgres_notify_queue_ratio", "gauge",
               "How full PostgreSQL's queue of notifications is; at 1 commits fail.",
               status_real(postgres, "notify_queue_usage"));
    metric_one(text, "pgusher_postgres_oldest_writer_seconds", "gauge",
               "Age of the transaction that has longest held the changelog.",
               writer_ms < 0 ? 0 : (double)writer_ms / 1000);
}

static const struct figure redis_figures[] = {
    {"pgusher_redis_memory_bytes", "gauge", "Memory that Redis uses.", "used_memory", 1},
    {"pgusher_redis_max_memory_bytes", "gauge", "Memory that Redis may use; 0: all there is.", "max_memory",
     1},
    {"pgusher_redis_evicted_keys_total", "counter", "Keys that Redis threw away for lack of memory.",
     "evicted", 1},
};

/* ---- queues ---- */

static const struct figure queue_figures[] = {
    {"pgusher_queue_oldest_seconds", "gauge", "How long the oldest item has waited.", "oldest_waiting_ms",
     1e-3},
    {"pgusher_queue_consumers", "gauge", "Consumers that are registered.", "consumers", 1},
    {"pgusher_queue_paused", "gauge", "1 while the queue is paused.", "paused", 1},
    {"pgusher_queue_queued_total", "counter", "Items that were put on the queue.", "queued", 1},
    {"pgusher_queue_acked_total", "counter", "Items that were done.", "acked", 1},
    {"pgusher_queue_failed_total", "counter", "Items that failed.", "failed", 1},
};

static void put_queues(struct buf *text, const json_t *queues)
{
    static const char *const states[] = {"waiting", "later", "in_flight", "delayed", "dead"};
    const json_t *queue;
    size_t i;

    metric_head(text, "pgusher_queue_items", "gauge", "Items of a queue by state.");
    json_array_foreach (queues, i, queue)
        for (size_t j = 0; j < sizeof(states) / sizeof(states[0]); j++)
            metric_put(text, "pgusher_queue_items",
                       METRIC_LABELS("queue", standing_text(queue, "queue"), "state", states[j]),
                       (double)standing_integer(queue, states[j]));
    PUT_FIGURES(text, queue_figures, queues, "queue");
}

void worker_metrics_fleet(const json_t *status, int64_t age_ms, struct buf *text)
{
    const json_t *primaries = json_object_get(json_object_get(status, "redis"), "primaries");
    const json_t *changelog = json_object_get(status, "changelog"),
                 *queues = json_object_get(status, "queues");

    metric_one(text, "pgusher_look_age_seconds", "gauge",
               "How old the figures of the fleet, the servers and the queues are; those that are not known "
               "are absent.",
               (double)age_ms / 1000);
    metric_head(text, "pgusher_look_answered", "gauge", "1 for each server that has answered.");
    metric_put(text, "pgusher_look_answered", METRIC_LABELS("server", "postgres"), changelog != NULL);
    metric_put(text, "pgusher_look_answered", METRIC_LABELS("server", "redis"),
               json_array_size(primaries) > 0);
    put_reasons(text, json_object_get(status, "reasons"));
    if (changelog) {
        put_changelog(text, changelog);
        put_postgres(text, json_object_get(status, "postgres"));
        put_fleets(text, json_object_get(status, "fleets"));
    }
    if (json_array_size(primaries))
        PUT_FIGURES(text, redis_figures, primaries, "address");
    if (json_array_size(queues))
        put_queues(text, queues);
}
