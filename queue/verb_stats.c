/* stats: how a queue stands, once. */
#include "queue/verb_stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/problems.h"
#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/tool_text.h"
#include "queue/verbs.h"

/* ---- JSON ---- */

static json_t *counters_json(const struct pgusher_queue_stats *stats)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "queued", (json_int_t)stats->queued,
                     "coalesced", (json_int_t)stats->coalesced, "acked", (json_int_t)stats->acked, "requeued",
                     (json_int_t)stats->requeued, "failed", (json_int_t)stats->failed, "died",
                     (json_int_t)stats->died, "recovered", (json_int_t)stats->recovered, "released",
                     (json_int_t)stats->released, "replayed", (json_int_t)stats->replayed);
}

static json_t *consumers_json(const struct pgusher_queue_stats *stats)
{
    json_t *list = json_array();

    for (size_t i = 0; i < stats->nconsumers; i++) {
        const struct pgusher_queue_consumer_stats *consumer = &stats->consumers[i];

        json_array_append_new(
            list, json_pack("{s:o, s:I, s:I, s:o}", "name", text_json(consumer->name, strlen(consumer->name)),
                            "lease_left_ms", (json_int_t)consumer->lease_left_ms, "held",
                            (json_int_t)consumer->held, "oldest_ms", output_ms(consumer->oldest_ms)));
    }
    return list;
}

json_t *stats_json(const char *queue, const struct pgusher_queue_stats *stats)
{
    return json_pack(
        "{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:b, s:b, s:i, s:i, s:o, s:o}", "queue",
        text_json(queue, strlen(queue)), "waiting", (json_int_t)stats->waiting, "later",
        (json_int_t)stats->later, "in_flight", (json_int_t)stats->in_flight, "dirty",
        (json_int_t)stats->dirty, "delayed", (json_int_t)stats->delayed, "dead", (json_int_t)stats->dead,
        "plain", (json_int_t)stats->plain, "oldest_waiting_ms", output_ms(stats->oldest_waiting_ms),
        "oldest_later_ms", output_ms(stats->oldest_later_ms), "oldest_held_ms",
        output_ms(stats->oldest_held_ms), "next_due_ms", output_ms(stats->next_due_ms), "paused",
        stats->paused, "coalesce", stats->coalesce, "max_failures", stats->max_failures, "max_crashes",
        stats->max_crashes, "counters", counters_json(stats), "consumers", consumers_json(stats));
}

/* ---- plain ---- */

static void print_value(const char *name, char *value)
{
    printf("%-15s %s\n", name, value);
    free(value);
}

static void print_count(const char *name, uint64_t count)
{
    printf("%-15s %" PRIu64 "\n", name, count);
}

static void print_rate(const char *name, double per_second)
{
    print_value(name, per_second < 0 ? mem_strdup("-") : mem_printf("%.1f", per_second));
}

static void print_state(const char *queue, const struct pgusher_queue_stats *stats)
{
    print_value("queue", text_escaped(queue, strlen(queue)));
    print_count("waiting", stats->waiting);
    print_count("later", stats->later);
    print_count("in_flight", stats->in_flight);
    print_count("dirty", stats->dirty);
    print_count("delayed", stats->delayed);
    print_count("dead", stats->dead);
    print_count("plain", stats->plain);
    print_value("oldest_waiting", text_age(stats->oldest_waiting_ms));
    print_value("oldest_later", text_age(stats->oldest_later_ms));
    print_value("oldest_held", text_age(stats->oldest_held_ms));
    print_value("next_due", text_age(stats->next_due_ms));
    print_value("paused", mem_strdup(stats->paused ? "yes" : "no"));
    print_value("coalesce", mem_strdup(stats->coalesce ? "yes" : "no"));
    print_count("max_failures", (uint64_t)stats->max_failures);
    print_count("max_crashes", (uint64_t)stats->max_crashes);
}

static void print_counters(const struct pgusher_queue_stats *stats)
{
    print_count("queued", stats->queued);
    print_count("coalesced", stats->coalesced);
    print_count("acked", stats->acked);
    print_count("requeued", stats->requeued);
    print_count("failed", stats->failed);
    print_count("died", stats->died);
    print_count("recovered", stats->recovered);
    print_count("released", stats->released);
    print_count("replayed", stats->replayed);
}

static void print_consumers(const struct pgusher_queue_stats *stats)
{
    static const struct table_column columns[] = {
        {"CONSUMER", false}, {"LEASE", true}, {"HELD", true}, {"OLDEST", true}};
    struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

    for (size_t i = 0; i < stats->nconsumers; i++) {
        const struct pgusher_queue_consumer_stats *consumer = &stats->consumers[i];

        table_cell(table, text_escaped(consumer->name, strlen(consumer->name)));
        table_cell(table,
                   consumer->lease_left_ms < 0 ? mem_strdup("run out") : text_age(consumer->lease_left_ms));
        table_integer(table, (long long)consumer->held);
        table_cell(table, text_age(consumer->oldest_ms));
    }
    table_print(table, EX_DONE);
}

void stats_print(const char *queue, const struct pgusher_queue_stats *stats, const struct stats_rates *rates)
{
    print_state(queue, stats);
    print_counters(stats);
    if (rates) {
        print_rate("queued/s", rates->queued);
        print_rate("acked/s", rates->acked);
        print_rate("failed/s", rates->failed);
    }
    putchar('\n');
    print_consumers(stats);
}

/* ---- a name of no queue ---- */

static bool was_used(const struct pgusher_queue_stats *stats)
{
    return stats->waiting || stats->later || stats->in_flight || stats->delayed || stats->dead ||
           stats->plain || stats->queued || stats->coalesced || stats->nconsumers || stats->paused;
}

/* Zeros alone would look like a queue at rest. */
static void say_if_unknown(const struct tool *tool, const struct pgusher_queue_stats *stats)
{
    const struct queue_host *host = tool->host;
    const char **names, *near;

    if (was_used(stats) || queue_config_find(host->queues, host->nqueues, tool->target.queue))
        return;
    names = mem_alloc(sizeof(*names) * (host->nqueues + 1));
    for (size_t i = 0; i < host->nqueues; i++)
        names[i] = host->queues[i].name;
    near = suggest(tool->target.queue, names, host->nqueues);
    tool_say("nothing was ever on a queue \"%s\" in this Redis, and no configuration names it%s%s%s",
             tool->target.queue,
             near ? "; did you mean \"" : " (pgusher-queue list --scan shows those there are)",
             near ? near : "", near ? "\"?" : "");
    free(names);
}

static enum exit_code stats_once(const struct tool *tool)
{
    const struct tool_target *target = &tool->target;
    struct pgusher_queue *queue = tool_open(target, 0);
    struct pgusher_queue_stats stats;
    enum exit_code code = EX_DONE;

    if (!queue)
        return EX_BAD_CONFIG;
    if (pgusher_queue_stats(queue, &stats) < 0) {
        code = tool_fail(queue);
    } else {
        say_if_unknown(tool, &stats);
        if (target->json)
            output_json(stats_json(target->queue, &stats));
        else
            stats_print(target->queue, &stats, NULL);
        pgusher_queue_stats_free(&stats);
    }
    pgusher_queue_close(queue);
    return code;
}

enum exit_code verb_stats(const struct tool *tool)
{
    return tool_given(tool, OPTION_WATCH) ? stats_watch(&tool->target, tool->watch_ms) : stats_once(tool);
}
