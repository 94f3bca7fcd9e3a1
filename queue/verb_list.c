/* list: the queues of the configuration, and with --scan any other that this Redis holds. */
#include <string.h>

#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/tool_scan.h"
#include "queue/tool_text.h"
#include "queue/verb_stats.h"
#include "queue/verbs.h"

static const struct table_column columns[] = {{"QUEUE", false},    {"WAITING", true}, {"LATER", true},
                                              {"IN-FLIGHT", true}, {"DELAYED", true}, {"DEAD", true},
                                              {"OLDEST", true}};

struct listing {
    struct tool_target target; /* its queue changes */
    struct table *table;       /* NULL: as JSON */
    struct output_list list;
    enum exit_code code;
};

static void add_row(struct table *table, const char *name, const struct pgusher_queue_stats *stats)
{
    table_cell(table, text_escaped(name, strlen(name)));
    table_integer(table, (long long)stats->waiting);
    table_integer(table, (long long)stats->later);
    table_integer(table, (long long)stats->in_flight);
    table_integer(table, (long long)stats->delayed);
    table_integer(table, (long long)stats->dead);
    table_cell(table, text_age(stats->oldest_waiting_ms));
}

static void note(struct listing *listing, const char *name, struct pgusher_queue_stats *stats)
{
    if (listing->table)
        add_row(listing->table, name, stats);
    else
        output_list_add(&listing->list, stats_json(name, stats));
    pgusher_queue_stats_free(stats);
}

/* False: no other queue can be looked at, either. */
static bool look(struct listing *listing, const char *name)
{
    struct pgusher_queue_stats stats;
    struct pgusher_queue *queue;

    listing->target.queue = name;
    queue = tool_open(&listing->target, 0);
    if (!queue)
        listing->code = EX_BAD_CONFIG;
    else if (pgusher_queue_stats(queue, &stats) < 0)
        listing->code = tool_fail(queue);
    else
        note(listing, name, &stats);
    pgusher_queue_close(queue);
    return listing->code == EX_DONE || listing->code == EX_NOT_SO;
}

static void look_at_others(struct listing *listing, const struct queue_host *host)
{
    struct scan_names found;
    struct err err = ERR_NONE;

    if (scan_queues(&listing->target, &found, &err) != 0)
        listing->code = tool_fail_with(&err, &listing->target);
    for (size_t i = 0; i < found.count; i++)
        if (err.status == ST_OK && !queue_config_find(host->queues, host->nqueues, found.list[i]) &&
            !look(listing, found.list[i]))
            break;
    scan_names_free(&found);
}

enum exit_code verb_list(const struct tool *tool)
{
    struct listing listing = {.target = tool->target};
    bool no_file = tool_given(tool, OPTION_REDIS) && !tool_given(tool, OPTION_CONFIG);
    bool possible = true;

    if (!tool->target.json)
        listing.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    for (size_t i = 0; possible && i < tool->host->nqueues; i++)
        possible = look(&listing, tool->host->queues[i].name);
    if (possible && (no_file || tool_given(tool, OPTION_SCAN)))
        look_at_others(&listing, tool->host);
    if (listing.table && tool->host->nqueues == 0 && !no_file && !tool_given(tool, OPTION_SCAN))
        tool_say("the configuration names no queue; --scan looks for those that this Redis holds");
    if (listing.table)
        table_print(listing.table, listing.code);
    else
        output_list_end(&listing.list, listing.code);
    return listing.code;
}
