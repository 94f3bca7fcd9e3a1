#include "cdc/worker_row.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cdc/metrics.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/version.h"

enum {
    BUSY_EVERY_MS = 2000,
    QUIET_EVERY_MS = 30000,
    RATE_MS = 10000, /* over which rates are taken */
    SAMPLES = RATE_MS / BUSY_EVERY_MS + 1,
    LATENCIES = 256, /* pages */
};

struct sample {
    int64_t at_ms; /* 0: none */
    int64_t changes;
    int64_t documents;
};

struct worker_row {
    struct session *session;
    int64_t born_ms;
    int64_t session_at_ms;
    int64_t failed_at_ms; /* 0: nothing has failed */
    char *failure;
    const char *gate;
    int64_t changes; /* of this session, as all below */
    struct sample samples[SAMPLES];
    size_t nsamples;
    int64_t latencies[LATENCIES];
    size_t nlatencies; /* ever */
    /* as it was last written */
    int64_t written_at_ms; /* 0: never */
    struct sample written;
    size_t written_parts;
    const char *written_gate;
    bool written_moving; /* with a rate above 0 */
    bool under_way;
    bool complained;
};

struct worker_row *worker_row_new(void)
{
    struct worker_row *row = mem_zalloc(sizeof(*row));

    row->born_ms = clock_mono_ms();
    row->gate = "awake";
    return row;
}

void worker_row_free(struct worker_row *row)
{
    if (!row)
        return;
    free(row->failure);
    free(row);
}

void worker_row_begin(struct worker_row *row, struct session *session)
{
    row->session = session;
    row->session_at_ms = clock_mono_ms();
    row->gate = "awake";
    row->changes = 0;
    row->nsamples = row->nlatencies = 0;
    row->written_at_ms = 0;
}

void worker_row_failed(struct worker_row *row, const struct err *why)
{
    mem_replace(&row->failure, why->text);
    row->failed_at_ms = clock_mono_ms();
    metrics.failures++;
}

const char *worker_row_failure(const struct worker_row *row)
{
    return row->failure;
}

void worker_row_applied(struct worker_row *row, size_t changes, int64_t age_ms)
{
    row->gate = "awake";
    row->changes += (int64_t)changes;
    metrics.changes += (int64_t)changes;
    if (age_ms >= 0)
        histogram_add(&metrics.delay, age_ms * 1000);
    if (age_ms > metrics.worst_delay_ms)
        metrics.worst_delay_ms = age_ms;
    if (age_ms >= 0)
        row->latencies[row->nlatencies++ % LATENCIES] = age_ms;
}

void worker_row_gate(struct worker_row *row, const char *gate)
{
    row->gate = gate;
}

const char *worker_row_gate_now(const struct worker_row *row)
{
    return row->gate;
}

/* ---- when ---- */

static struct sample present(const struct worker_row *row)
{
    const struct tally *tally = &row->session->tally;

    return (struct sample){clock_mono_ms(), row->changes,
                           tally->put + tally->unchanged + tally->removed + tally->absent + tally->stale +
                               tally->refused};
}

static bool has_moved(const struct worker_row *row)
{
    struct sample now = present(row);

    return now.changes != row->written.changes || now.documents != row->written.documents ||
           row->session->parts.count != row->written_parts || strcmp(row->gate, row->written_gate) != 0;
}

static bool is_due(const struct worker_row *row)
{
    int64_t every = QUIET_EVERY_MS;

    if (!row->written_at_ms)
        return true;
    if (row->written_moving)
        every = RATE_MS;
    if (has_moved(row))
        every = BUSY_EVERY_MS;
    return clock_mono_ms() - row->written_at_ms >= every;
}

/* ---- what ---- */

static void take_sample(struct worker_row *row, const struct sample *now)
{
    if (row->nsamples == SAMPLES)
        memmove(row->samples, row->samples + 1, sizeof(*row->samples) * --row->nsamples);
    row->samples[row->nsamples++] = *now;
}

/* The first one that rates may be taken from. */
static const struct sample *oldest_sample(const struct worker_row *row)
{
    int64_t now = clock_mono_ms();
    size_t i = 0;

    while (i + 2 < row->nsamples && now - row->samples[i].at_ms > RATE_MS + BUSY_EVERY_MS)
        i++;
    return &row->samples[i];
}

static double per_second(int64_t count, int64_t ms)
{
    return ms > 0 ? (double)count * 1000 / (double)ms : 0;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

static json_t *latencies(const struct worker_row *row)
{
    size_t count = row->nlatencies < LATENCIES ? row->nlatencies : LATENCIES;
    int64_t sorted[LATENCIES];

    if (count == 0)
        return json_null();
    memcpy(sorted, row->latencies, sizeof(*sorted) * count);
    qsort(sorted, count, sizeof(*sorted), compare);
    return json_pack("{s:I, s:I, s:I}", "pages", (json_int_t)count, "p50",
                     (json_int_t)sorted[(count - 1) / 2], "p99", (json_int_t)sorted[(count - 1) * 99 / 100]);
}

static json_t *failure(const struct worker_row *row)
{
    json_t *text;

    if (!row->failure)
        return json_null();
    text = json_string(row->failure);
    return json_pack("{s:o, s:I}", "text", text ? text : json_string("an error that is no valid text"),
                     "ms_ago", (json_int_t)(clock_mono_ms() - row->failed_at_ms));
}

static json_t *tally_json(const struct tally *tally)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "put", (json_int_t)tally->put, "unchanged",
                     (json_int_t)tally->unchanged, "removed", (json_int_t)tally->removed, "absent",
                     (json_int_t)tally->absent, "stale", (json_int_t)tally->stale, "refused",
                     (json_int_t)tally->refused, "queued", (json_int_t)tally->queued);
}

static json_t *parts_json(const struct parts *parts)
{
    json_t *list = json_array();

    for (int i = 0; i < MAX_PARTITIONS; i++)
        if (parts_has(parts, i))
            json_array_append_new(list, json_integer(i));
    return list;
}

/* Times are said as ages, since clocks differ. */
static json_t *state_json(const struct worker_row *row, const struct sample *now)
{
    const struct sample *then = oldest_sample(row);
    int64_t ms = now->at_ms - then->at_ms;
    return json_pack(
        "{s:s, s:I, s:o, s:s, s:I, s:I, s:f, s:f, s:o, s:o, s:o, s:s, s:I}", "version", PGUSHER_VERSION,
        "session_ms", (json_int_t)(now->at_ms - row->session_at_ms), "partitions",
        parts_json(&row->session->parts), "gate", row->gate, "changes", (json_int_t)now->changes, "documents",
        (json_int_t)now->documents, "changes_per_s", per_second(now->changes - then->changes, ms),
        "documents_per_s", per_second(now->documents - then->documents, ms), "tally",
        tally_json(&row->session->tally), "latency_ms", latencies(row), "last_error", failure(row), "redis",
        rconn_identity(row->session->rconn), "epoch", (json_int_t)row->session->epoch);
}

static char *state_text(const struct worker_row *row, const struct sample *now)
{
    json_t *state = state_json(row, now);
    char *text = json_dumps(state, JSON_COMPACT | JSON_REAL_PRECISION(6));

    json_decref(state);
    return text;
}

json_t *worker_row_json(const struct worker_row *row)
{
    struct sample now;

    if (!row->session)
        return NULL;
    now = present(row);
    return state_json(row, &now);
}

int64_t worker_row_age_ms(const struct worker_row *row)
{
    return clock_mono_ms() - row->born_ms;
}

char *worker_row_text(const struct worker_row *row)
{
    const struct sample *then = row->nsamples ? oldest_sample(row) : NULL;
    bool awake = row->nlatencies && strcmp(row->gate, "awake") == 0;
    int64_t lag_ms = awake ? row->latencies[(row->nlatencies - 1) % LATENCIES] : 0;
    struct sample now;

    if (!row->session || !then)
        return NULL;
    now = present(row);
    return mem_printf("%s; %zu of %d partitions, %.1f changes/s, %.1f documents/s, lag %.3f s", row->gate,
                      row->session->parts.count, row->session->partitions,
                      per_second(now.changes - then->changes, now.at_ms - then->at_ms),
                      per_second(now.documents - then->documents, now.at_ms - then->at_ms),
                      (double)lag_ms / 1000);
}

/* ---- writing ---- */

static void on_written(void *arg, const struct pg_rows *rows, const struct err *err)
{
    struct worker_row *row = arg;

    (void)rows;
    row->under_way = false;
    if (err && !row->complained)
        log_debug("what this worker says of itself could not be noted: %s", err->text);
    row->complained |= err != NULL;
}

/* state NULL: it is removed. */
static void send_row(struct worker_row *row, const char *state)
{
    char host[256] = "", pid[24], age[32];
    const char *const params[] = {row->session->config->fleet, host, pid, age, state};
    struct pg_query query = {.sql = "SELECT pgusher.note_worker($1, $2, $3, $4, $5)",
                             .name = "note_worker",
                             .params = params,
                             .nparams = 5};

    gethostname(host, sizeof(host) - 1);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    snprintf(age, sizeof(age), "%lld ms", (long long)(clock_mono_ms() - row->born_ms));
    row->under_way = true;
    pg_send(row->session->pg, &query, on_written, row);
}

void worker_row_remove(struct worker_row *row)
{
    if (row->session && !row->session->lost)
        send_row(row, NULL);
}

void worker_row_write(struct worker_row *row)
{
    struct sample now;
    char *state;

    if (!row->session || row->session->lost || row->under_way || !is_due(row))
        return;
    now = present(row);
    take_sample(row, &now);
    state = state_text(row, &now);
    row->written_moving =
        oldest_sample(row)->changes != now.changes || oldest_sample(row)->documents != now.documents;
    row->written = now;
    row->written_at_ms = now.at_ms;
    row->written_parts = row->session->parts.count;
    row->written_gate = row->gate;
    send_row(row, state);
    free(state);
}
