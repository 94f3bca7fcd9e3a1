#include "cdc/worker_metrics.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cdc/metrics.h"
#include "cdc/worker_private.h"
#include "common/version.h"

/* ---- the process ---- */

static double cpu_seconds(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* -1: not known. */
static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = -1;

    if (!file)
        return -1;
    if (fscanf(file, "%*d %ld", &pages) != 1)
        pages = -1;
    fclose(file);
    return pages < 0 ? -1 : (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void put_process(struct buf *text)
{
    double bytes = resident_bytes();

    metric_one(text, "process_cpu_seconds_total", "counter", "CPU time used.", cpu_seconds());
    metric_one(text, "process_start_time_seconds", "gauge", "When it was started, since 1970-01-01 UTC.",
               (double)metrics.started_ms / 1000);
    if (bytes >= 0)
        metric_one(text, "process_resident_memory_bytes", "gauge", "Memory in use.", bytes);
}

/* ---- the worker ---- */

static void put_gate(const struct worker *worker, struct buf *text)
{
    static const char *const states[] = {"awake", "asleep", "polling", "idle"};
    const char *now = worker_row_gate_now(worker->row);

    metric_head(
        text, "pgusher_gate", "gauge",
        "1 for what the worker is at: awake it works, asleep PostgreSQL wakes it, polling it asks again and "
        "again, idle others own all partitions.");
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        metric_put(text, "pgusher_gate", METRIC_LABELS("state", states[i]),
                   worker->feed && strncmp(now, states[i], strlen(states[i])) == 0);
}

/* Of the fleet, but only the configuration tells it. */
static void put_canary_interval(const struct config *config, struct buf *text)
{
    metric_head(text, "pgusher_canary_interval_seconds", "gauge",
                "How often a canary is sent; absent: never.");
    if (config->canary_ms)
        metric_put(text, "pgusher_canary_interval_seconds", METRIC_LABELS("fleet", config->fleet),
                   (double)config->canary_ms / 1000);
}

static void put_state(struct worker *worker, struct buf *text)
{
    struct buf ignored = BUF_NONE;
    const struct session *session = worker->session;

    metric_head(text, "pgusher_build_info", "gauge", "Which program this is, and of which fleet.");
    metric_put(text, "pgusher_build_info",
               METRIC_LABELS("version", PGUSHER_VERSION, "fleet", worker->config->fleet), 1);
    metric_one(text, "pgusher_ready", "gauge", "1 when /readyz says so.", worker_is_ready(worker, &ignored));
    metric_one(text, "pgusher_connected", "gauge", "1 while PostgreSQL and Redis are connected.",
               worker->feed != NULL);
    metric_one(text, "pgusher_partitions_owned", "gauge",
               "Partitions of the changelog that this worker reads.",
               session ? (double)session->parts.count : 0);
    metric_one(text, "pgusher_stalled_seconds", "gauge", "How long there is work and no progress.",
               (double)worker_stalled_ms(worker) / 1000);
    put_canary_interval(worker->config, text);
    put_gate(worker, text);
    buf_free(&ignored);
}

static void put_documents(const struct worker *worker, struct buf *text)
{
    struct tally sum = worker_tally(worker);

    metric_head(text, "pgusher_documents_total", "counter",
                "Documents by what became of them: put, unchanged, removed, absent (to be removed, and not "
                "there), stale "
                "(Redis holds a newer one), refused (in quarantine).");
#define OUTCOME(name)                                                                                        \
    metric_put(text, "pgusher_documents_total", METRIC_LABELS("outcome", #name), (double)sum.name)
    OUTCOME(put);
    OUTCOME(unchanged);
    OUTCOME(removed);
    OUTCOME(absent);
    OUTCOME(stale);
    OUTCOME(refused);
#undef OUTCOME
    metric_one(text, "pgusher_items_queued_total", "counter",
               "Items that were put on a queue and did not wait already.", (double)sum.queued);
}

static void put_counters(const struct worker *worker, struct buf *text)
{
    static const char *const classes[] = {"ok", "again", "lost", "refused", "config"};

    metric_one(text, "pgusher_changes_applied_total", "counter", "Changes whose effects are complete.",
               (double)metrics.changes);
    put_documents(worker, text);
    metric_head(text, "pgusher_redis_replies_total", "counter",
                "Replies of Redis to writes, by what they mean: again (later), lost (outcome unknown, or no "
                "primary), "
                "refused (this document only), config (an operator must act).");
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        metric_put(text, "pgusher_redis_replies_total", METRIC_LABELS("class", classes[i]),
                   (double)metrics.replies[i]);
    metric_one(text, "pgusher_sessions_total", "counter", "Sessions with PostgreSQL and Redis that began.",
               (double)metrics.sessions);
    metric_one(text, "pgusher_session_failures_total", "counter", "Sessions that failed, or could not begin.",
               (double)metrics.failures);
}

static void put_times(struct buf *text)
{
    metric_head(text, "pgusher_change_delay_seconds", "histogram",
                "From a change to its being applied: of each page the oldest change.");
    metric_put_histogram(text, "pgusher_change_delay_seconds", METRIC_NO_LABELS, &metrics.delay);
    metric_head(text, "pgusher_batch_duration_seconds", "histogram", "Applying one page of changes.");
    metric_put_histogram(text, "pgusher_batch_duration_seconds", METRIC_NO_LABELS, &metrics.batch);
    metric_head(
        text, "pgusher_stage_duration_seconds", "histogram",
        "Parts of it: a page read, a SELECT of documents, a script call that puts, one that enqueues, a save "
        "of cursors.");
    for (size_t i = 0; i < STAGES; i++)
        metric_put_histogram(text, "pgusher_stage_duration_seconds",
                             METRIC_LABELS("stage", metrics_stage_names[i]), &metrics.stages[i]);
}

void worker_metrics(struct worker *worker, struct buf *text)
{
    put_state(worker, text);
    put_counters(worker, text);
    put_times(text);
    put_process(text);
}
