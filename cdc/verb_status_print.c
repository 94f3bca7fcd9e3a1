/* A look as people read it: the fleets. See verb_status.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/standing.h"
#include "cdc/status.h"
#include "cdc/verb_status.h"
#include "common/buf.h"
#include "common/human.h"
#include "common/mem.h"
#include "queue/tool_output.h"
#include "queue/tool_text.h"

/* "12 s", or "-". */
static char *age(const json_t *object, const char *name)
{
    int64_t ms = status_ms(object, name);

    return ms < 0 ? mem_strdup("-") : mem_strdup(human_ms(ms).text);
}

static char *count(const json_t *object, const char *name)
{
    return mem_strdup(human_count(standing_integer(object, name)).text);
}

/* ---- what needs a person ---- */

static void print_reason(const json_t *reason, const char *indent)
{
    const char *text = standing_text(reason, "what");
    char *what = text_escaped(text, strlen(text));

    printf("%sneeds a person: %s; %s\n", indent, what, standing_text(reason, "mend"));
    free(what);
}

static void print_reasons(const json_t *status, const char *fleet)
{
    const json_t *reason;
    size_t i;

    json_array_foreach (json_object_get(status, "reasons"), i, reason) {
        const char *about = standing_text(reason, "fleet");

        if (about && fleet ? strcmp(about, fleet) == 0 : about == fleet)
            print_reason(reason, fleet ? "  " : "");
    }
}

/* ---- workers ---- */

static const char *gate_of(const json_t *fleet)
{
    if (standing_integer(fleet, "workers") == 0)
        return "no worker: nobody applies the changes";
    return json_is_true(json_object_get(fleet, "asleep")) ? "asleep, will be woken" : "awake";
}

/* "asleep", "awake; backfill of event" */
static char *doing(const json_t *worker)
{
    const json_t *list = json_object_get(worker, "doing"), *what;
    struct buf text = BUF_NONE;
    size_t i;

    buf_puts(&text, status_text(worker, "gate", "awake"));
    json_array_foreach (list, i, what)
        buf_printf(&text, "; %s", json_string_value(what));
    return buf_take(&text);
}

static char *last_error(const json_t *worker)
{
    const char *error = standing_text(worker, "last_error");
    struct buf text = BUF_NONE;

    if (!error)
        return mem_strdup("-");
    buf_printf(&text, "%s ago: ", human_ms(status_ms(worker, "last_error_seconds_ago")).text);
    text_escape(&text, error, strlen(error));
    return buf_take(&text);
}

static void print_worker(struct table *table, const json_t *worker)
{
    const json_t *latency = json_object_get(worker, "latency_ms");

    table_cell(table, mem_printf("  %s", status_text(worker, "host", "?")));
    table_integer(table, standing_integer(worker, "pid"));
    table_cell(table, age(worker, "up_seconds"));
    table_integer(table, (long long)json_array_size(json_object_get(worker, "parts")));
    table_cell(table, mem_strdup(human_rate(status_real(worker, "changes_per_s")).text));
    table_cell(table, mem_strdup(human_rate(status_real(worker, "documents_per_s")).text));
    table_cell(table, json_is_object(latency) ? mem_strdup(human_ms(standing_integer(latency, "p99")).text)
                                              : mem_strdup("-"));
    table_cell(table, doing(worker));
    table_cell(table, last_error(worker));
}

static void print_workers(const json_t *fleet)
{
    static const struct table_column columns[] = {
        {"  HOST", false},     {"PID", true},       {"UP", true},
        {"PARTITIONS", true},  {"CHANGES/S", true}, {"DOCUMENTS/S", true},
        {"LATENCY P99", true}, {"DOES", false},     {"LAST ERROR", false}};
    const json_t *list = json_object_get(fleet, "worker_list"), *worker;
    struct table *table;
    size_t i;

    printf(
        "  workers      %lld (%s); partitions: %lld owned, %lld without an owner; %lld closed their gate\n",
        standing_integer(fleet, "workers"), gate_of(fleet), standing_integer(fleet, "partitions_owned"),
        standing_integer(fleet, "partitions_orphaned"), standing_integer(fleet, "gates_closed"));
    if (standing_integer(fleet, "polling"))
        printf("  polling      %lld of them: notifications do not reach them, changes are seen later\n",
               standing_integer(fleet, "polling"));
    if (json_array_size(list) == 0)
        return;
    table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    json_array_foreach (list, i, worker)
        print_worker(table, worker);
    table_print(table, EX_DONE);
}

/* ---- lag ---- */

static void print_lag(const json_t *fleet)
{
    int64_t age_ms = status_ms(fleet, "lag_seconds"), cut_ms = status_ms(fleet, "cut_seconds_ago");

    printf("  lag          changes not yet applied: %s%s",
           json_is_true(json_object_get(fleet, "lag_is_estimate")) ? "about " : "",
           human_count(standing_integer(fleet, "lag_changes")).text);
    if (age_ms >= 0)
        printf(", the oldest %s old", human_ms(age_ms).text);
    printf("; the oldest cursor was saved %s ago\n",
           human_ms(status_ms(fleet, "cursor_moved_seconds_ago")).text);
    if (cut_ms >= 0)
        printf("  cut loose    %s ago: it was further behind than max_lag, and must backfill\n",
               human_ms(cut_ms).text);
}

static void print_canary(const json_t *canary)
{
    int64_t waiting_ms = status_ms(canary, "waiting_seconds"),
            arrived_ms = status_ms(canary, "arrived_seconds_ago");

    if (!json_is_object(canary))
        return;
    printf("  canary       ");
    if (arrived_ms >= 0)
        printf("%.1f ms, %s ago", status_real(canary, "latency_ms"), human_ms(arrived_ms).text);
    else
        printf("none has arrived yet");
    if (waiting_ms >= 1000)
        printf("; one is on its way since %s, through partition %lld", human_ms(waiting_ms).text,
               standing_integer(canary, "part"));
    putchar('\n');
}

static bool is_worth_telling(const json_t *part, long long workers)
{
    return standing_integer(part, "unapplied") || (workers && json_is_null(json_object_get(part, "owner")));
}

static char *owner_of(const json_t *part)
{
    const char *stranger = standing_text(part, "stranger");
    long long owner = standing_integer(part, "owner");

    if (json_is_null(json_object_get(part, "owner")))
        return mem_strdup("none");
    return stranger ? mem_printf("%lld, no worker", owner) : mem_printf("%lld", owner);
}

/* The partitions that lag or have no owner. */
static void print_parts(const json_t *fleet)
{
    static const struct table_column columns[] = {
        {"  PARTITION", true}, {"OWNER", true}, {"CHANGES", true}, {"OLDEST", true}, {"CURSOR SAVED", true}};
    struct table *table = NULL;
    const json_t *part;
    size_t i;

    json_array_foreach (json_object_get(fleet, "parts"), i, part) {
        if (!is_worth_telling(part, standing_integer(fleet, "workers")))
            continue;
        if (!table)
            table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
        table_integer(table, standing_integer(part, "part"));
        table_cell(table, owner_of(part));
        table_cell(table, count(part, "unapplied"));
        table_cell(table, age(part, "unapplied_seconds"));
        table_cell(table, age(part, "cursor_moved_seconds_ago"));
    }
    if (table)
        table_print(table, EX_DONE);
}

/* ---- projections ---- */

/* By what it has done since it was asked for. */
static void print_time_left(const json_t *task, long long left)
{
    int64_t ms = status_ms(task, "asked_seconds_ago") - status_ms(task, "moved_seconds_ago");
    double per_second = ms > 0 ? status_real(task, "documents") * 1000 / (double)ms : 0;

    if (per_second > 0)
        printf(" at %s/s, some %s left", human_rate(per_second).text,
               human_ms((int64_t)((double)left / per_second * 1000)).text);
}

static void print_backfill(const json_t *task)
{
    long long done = standing_integer(task, "documents"), total = standing_integer(task, "total");
    const char *filter = standing_text(task, "filter");

    printf("  backfill     %s%s%s: %s done", standing_text(task, "projection"),
           filter && *filter ? " where " : "", filter ? filter : "", human_of(done, "document").text);
    if (total > 0) {
        printf(" of %s, %lld %%", human_count(total).text, 100 * (done < total ? done : total) / total);
        print_time_left(task, done < total ? total - done : 0);
    }
    printf(", phase %s", standing_text(task, "phase"));
    if (standing_integer(task, "rate"))
        printf(", at most %s/s", human_count(standing_integer(task, "rate")).text);
    printf(", %s %s ago (%s)%s\n",
           json_is_true(json_object_get(task, "waits_for_a_transaction")) ? "waits for a transaction, asked"
                                                                          : "moved",
           human_ms(status_ms(task, "moved_seconds_ago")).text, standing_text(task, "reason"),
           json_is_true(json_object_get(task, "paused")) ? ": paused" : "");
    if (standing_text(task, "error")) {
        char *shown = text_escaped(standing_text(task, "error"), strlen(standing_text(task, "error")));

        printf("               failed, and is tried again: %s\n", shown);
        free(shown);
    }
}

static void print_verified(const json_t *verified)
{
    if (!json_is_object(verified))
        return;
    printf("; verified %s ago%s: %s compared, ", human_ms(status_ms(verified, "seconds_ago")).text,
           json_is_true(json_object_get(verified, "sampled")) ? " by a sample" : "",
           human_count(standing_integer(verified, "compared")).text);
    if (status_drift(verified))
        printf("%s differ", human_count(status_drift(verified)).text);
    else if (standing_integer(verified, "waiting"))
        printf("%s differed and waited to be written",
               human_count(standing_integer(verified, "waiting")).text);
    else
        printf("in step");
}

static void print_projections(const json_t *fleet)
{
    const json_t *projection, *task;
    size_t i;

    json_array_foreach (json_object_get(fleet, "projections"), i, projection) {
        const char *source = standing_text(projection, "source"); /* NULL: of a fleet with another file */

        printf("  projection   %s%s%s: ", standing_text(projection, "projection"), source ? " from " : "",
               source ? source : "");
        if (status_ms(projection, "broken_seconds_ago") >= 0)
            printf("broken since %s, ", human_ms(status_ms(projection, "broken_seconds_ago")).text);
        printf("%s in quarantine", human_count(standing_integer(projection, "quarantined")).text);
        if (status_ms(projection, "swept_seconds_ago") >= 0)
            printf("; dates swept up to %s ago", human_ms(status_ms(projection, "swept_seconds_ago")).text);
        print_verified(json_object_get(projection, "verified"));
        putchar('\n');
    }
    json_array_foreach (json_object_get(fleet, "backfills"), i, task)
        print_backfill(task);
    printf("  quarantine   documents that cannot be built: %s\n",
           human_count(standing_integer(fleet, "quarantined")).text);
}

static void print_fleet(const json_t *status, const json_t *fleet)
{
    printf("fleet %s: %s\n", standing_text(fleet, "fleet"), standing_text(fleet, "verdict"));
    print_reasons(status, standing_text(fleet, "fleet"));
    print_lag(fleet);
    print_canary(json_object_get(fleet, "canary"));
    print_workers(fleet);
    print_parts(fleet);
    print_projections(fleet);
    printf("  history      epoch %lld, PostgreSQL %s\n", standing_integer(fleet, "epoch"),
           status_text(fleet, "identity", "not known yet"));
}

void status_print(const json_t *status, const json_t *rates)
{
    const json_t *fleet;
    size_t i;

    json_array_foreach (json_object_get(status, "fleets"), i, fleet)
        print_fleet(status, fleet);
    print_reasons(status, NULL);
    status_print_rates(rates);
    status_print_servers(status);
}
