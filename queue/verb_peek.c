/* peek, dead: items as they stand in the queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/tool_text.h"
#include "queue/verbs.h"

enum { DEFAULT_PEEK = 10 };

struct listing {
    enum pgusher_queue_place place;
    struct output_list list;
    struct table *dead; /* NULL: as JSON, or an item a line */
};

static bool add_json(void *arg, const struct pgusher_queue_entry *entry)
{
    struct listing *listing = arg;
    json_t *item = text_json(entry->item, entry->len), *json;

    if (listing->place == PGUSHER_QUEUE_WAITING || listing->place == PGUSHER_QUEUE_LATER)
        json = json_pack("{s:o, s:o}", "item", item, "since_ms", output_ms(entry->when_ms));
    else
        json = json_pack("{s:o, s:o, s:i, s:i, s:o}", "item", item,
                         listing->place == PGUSHER_QUEUE_DEAD ? "died_ms" : "due_ms",
                         output_ms(entry->when_ms), "failures", entry->failures, "crashes", entry->crashes,
                         "reason", text_json(entry->reason, strlen(entry->reason)));
    output_list_add(&listing->list, json);
    return !output_is_broken();
}

static bool add_line(void *arg, const struct pgusher_queue_entry *entry)
{
    char *shown = text_escaped(entry->item, entry->len);

    (void)arg;
    puts(shown);
    free(shown);
    return !output_is_broken();
}

static bool add_row(void *arg, const struct pgusher_queue_entry *entry)
{
    struct table *table = ((struct listing *)arg)->dead;

    table_cell(table, text_time(entry->when_ms));
    table_integer(table, entry->failures);
    table_integer(table, entry->crashes);
    table_cell(table, text_escaped(entry->item, entry->len));
    table_cell(table, text_escaped(entry->reason, strlen(entry->reason)));
    return !output_is_broken();
}

static enum exit_code show(const struct tool *tool, struct listing *listing, size_t max,
                           pgusher_queue_entry_fn *plain)
{
    struct pgusher_queue *queue = tool_open(&tool->target, 0);
    enum exit_code code = EX_DONE;

    if (!queue)
        return EX_BAD_CONFIG;
    if (pgusher_queue_each(queue, listing->place, 0, max, tool->target.json ? add_json : plain, listing) < 0)
        code = tool_fail(queue);
    if (tool->target.json)
        output_list_end(&listing->list, code);
    pgusher_queue_close(queue);
    return code;
}

enum exit_code verb_peek(const struct tool *tool)
{
    struct listing listing = {.place = PGUSHER_QUEUE_WAITING};

    if (tool_given(tool, OPTION_DELAYED) && tool_given(tool, OPTION_LATER)) {
        tool_say("peek: --delayed and --later exclude each other");
        return EX_BAD_USAGE;
    }
    if (tool_given(tool, OPTION_DELAYED))
        listing.place = PGUSHER_QUEUE_DELAYED;
    if (tool_given(tool, OPTION_LATER))
        listing.place = PGUSHER_QUEUE_LATER;
    return show(tool, &listing, tool->number ? (size_t)tool->number : DEFAULT_PEEK, add_line);
}

enum exit_code verb_dead(const struct tool *tool)
{
    static const struct table_column columns[] = {
        {"DIED", false}, {"FAILURES", true}, {"CRASHES", true}, {"ITEM", false}, {"REASON", false}};
    struct listing listing = {.place = PGUSHER_QUEUE_DEAD};
    enum exit_code code;

    if (tool->target.json)
        return show(tool, &listing, (size_t)tool->number, NULL);
    listing.dead = table_new(columns, sizeof(columns) / sizeof(columns[0]));
    code = show(tool, &listing, (size_t)tool->number, add_row);
    table_print(listing.dead, code);
    return code;
}
