/* push: items of the command line, or of stdin, onto the queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/tool_text.h"
#include "queue/verbs.h"

enum { MAX_INPUT_BYTES = 1 << 30, CALL_BYTES = 8 << 20, READ_BYTES = 65536 };

struct items {
    struct pgusher_queue_item *list;
    size_t count;
    size_t capacity;
};

static void add_item(struct items *items, const char *data, size_t len)
{
    items->list = mem_grow(items->list, items->count, &items->capacity, sizeof(*items->list));
    items->list[items->count++] = (struct pgusher_queue_item){data, len};
}

static int read_all(FILE *stream, struct buf *text)
{
    char block[READ_BYTES];
    size_t got;

    while ((got = fread(block, 1, sizeof(block), stream)) > 0 && text->len <= MAX_INPUT_BYTES)
        buf_add(text, block, got);
    if (ferror(stream))
        tool_say("cannot read stdin; nothing was pushed");
    else if (text->len > MAX_INPUT_BYTES)
        tool_say("more than %d MiB on stdin; nothing was pushed: split it", MAX_INPUT_BYTES >> 20);
    return ferror(stream) || text->len > MAX_INPUT_BYTES ? -1 : 0;
}

static void split_lines(const struct buf *text, struct items *items)
{
    const char *at = text->data, *end = at + text->len;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;

        add_item(items, at, (size_t)(stop - at));
        at = newline ? newline + 1 : end;
    }
}

static int collect(const struct tool *tool, struct buf *text, struct items *items)
{
    if (tool->nargs == 1 && strcmp(tool->args[0], "-") == 0) {
        if (read_all(stdin, text) != 0)
            return -1;
        split_lines(text, items);
        return 0;
    }
    for (int i = 0; i < tool->nargs; i++)
        add_item(items, tool->args[i], strlen(tool->args[i]));
    return 0;
}

static int check(const struct items *items)
{
    for (size_t i = 0; i < items->count; i++) {
        size_t len = items->list[i].len;

        if (len == 0)
            tool_say("item %zu is empty; nothing was pushed", i + 1);
        else if (len > PGUSHER_QUEUE_MAX_ITEM_BYTES)
            tool_say(
                "item %zu has %zu bytes; an item is the key of a document, of at most %d. Nothing was pushed",
                i + 1, len, PGUSHER_QUEUE_MAX_ITEM_BYTES);
        if (len == 0 || len > PGUSHER_QUEUE_MAX_ITEM_BYTES)
            return -1;
    }
    return 0;
}

/* How many of the items from `from` on go into one call. */
static size_t call_count(const struct items *items, size_t from)
{
    size_t count = 0, bytes = 0;

    while (from + count < items->count && count < PGUSHER_QUEUE_MAX_ITEMS && bytes < CALL_BYTES)
        bytes += items->list[from + count++].len;
    return count;
}

static void print_outcomes(bool json, struct output_list *list, const struct pgusher_queue_item *items,
                           size_t count, const enum pgusher_queue_pushed *outcomes)
{
    static const char *const names[] = {"queued", "coalesced", "dirty", "joined", "revived"};

    for (size_t i = 0; i < count; i++) {
        char *shown;

        if (json) {
            output_list_add(list, json_pack("{s:o, s:s}", "item", text_json(items[i].data, items[i].len),
                                            "outcome", names[outcomes[i]]));
            continue;
        }
        shown = text_escaped(items[i].data, items[i].len);
        printf("%s\t%s\n", shown, names[outcomes[i]]);
        free(shown);
    }
}

typedef int push_fn(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                    enum pgusher_queue_pushed *ret_outcomes);

static enum exit_code push_all(struct pgusher_queue *queue, push_fn *push, bool json,
                               const struct items *items)
{
    enum pgusher_queue_pushed outcomes[PGUSHER_QUEUE_MAX_ITEMS];
    struct output_list list = {false};
    enum exit_code code = EX_DONE;

    for (size_t from = 0, count; from < items->count; from += count) {
        count = call_count(items, from);
        if (push(queue, items->list + from, count, outcomes) < 0) {
            code = tool_fail(queue);
            if (from)
                tool_say("the first %zu of %zu items were pushed; to push all again does no harm", from,
                         items->count);
            break;
        }
        print_outcomes(json, &list, items->list + from, count, outcomes);
    }
    if (json)
        output_list_end(&list, code);
    return code;
}

enum exit_code verb_push(const struct tool *tool)
{
    struct buf text = BUF_NONE;
    struct items items = {NULL, 0, 0};
    struct pgusher_queue *queue = NULL;
    push_fn *push = tool_given(tool, OPTION_LATER) ? pgusher_queue_push_later : pgusher_queue_push;
    enum exit_code code = EX_BAD_USAGE;

    if (collect(tool, &text, &items) != 0 || check(&items) != 0)
        goto out;
    queue = tool_open(&tool->target, 0);
    code = queue ? push_all(queue, push, tool->target.json, &items) : EX_BAD_CONFIG;
out:
    pgusher_queue_close(queue);
    free(items.list);
    buf_free(&text);
    return code;
}
