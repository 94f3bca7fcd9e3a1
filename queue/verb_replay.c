/* replay, rm: what is asked for single items, of which some may not be there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/tool_text.h"
#include "queue/verbs.h"

/* A call of rm searches the waiting list once for each item; meanwhile Redis does nothing else. */
enum { RM_ITEMS = 20 };

static const struct action {
    int64_t (*run)(struct pgusher_queue *queue, const struct pgusher_queue_item *items, size_t count,
                   bool *ret_done);
    size_t max; /* items in one call */
    const char *done;
    const char *not_done; /* member of the JSON output */
    const char *why_not;
} replay = {pgusher_queue_replay, PGUSHER_QUEUE_MAX_ITEMS, "replayed", "not_dead", "is no dead letter of"},
  rm = {pgusher_queue_remove, RM_ITEMS, "removed", "absent", "is nowhere in"};

struct outcome {
    int64_t done;
    size_t not_done;
    json_t *absent;
};

static void note_absent(const struct tool *tool, const struct action *action, const char *item,
                        struct outcome *outcome)
{
    char *shown = text_escaped(item, strlen(item));

    tool_say("\"%s\" %s %s", shown, action->why_not, tool->target.queue);
    json_array_append_new(outcome->absent, text_json(item, strlen(item)));
    outcome->not_done++;
    free(shown);
}

static int run_some(struct pgusher_queue *queue, const struct tool *tool, const struct action *action,
                    size_t from, size_t count, struct outcome *outcome)
{
    struct pgusher_queue_item *items = mem_alloc(sizeof(*items) * count);
    bool *done = mem_alloc(count);
    int64_t result;

    for (size_t i = 0; i < count; i++)
        items[i] = (struct pgusher_queue_item){tool->args[from + i], strlen(tool->args[from + i])};
    result = action->run(queue, items, count, done);
    for (size_t i = 0; result >= 0 && i < count; i++)
        if (!done[i])
            note_absent(tool, action, items[i].data, outcome);
    if (result > 0)
        outcome->done += result;
    free(done);
    free(items);
    return result < 0 ? -1 : 0;
}

static int run_all(struct pgusher_queue *queue, const struct tool *tool, const struct action *action,
                   struct outcome *outcome)
{
    size_t total = (size_t)tool->nargs;

    for (size_t from = 0; from < total; from += action->max) {
        size_t count = total - from < action->max ? total - from : action->max;

        if (run_some(queue, tool, action, from, count, outcome) != 0)
            return -1;
    }
    return 0;
}

static enum exit_code finish(struct pgusher_queue *queue, const struct tool *tool,
                             const struct action *action, int result, struct outcome *outcome)
{
    enum exit_code code = result == 0 ? (outcome->not_done ? EX_NOT_SO : EX_DONE) : tool_fail(queue);

    if (result != 0 && outcome->done == 0 && outcome->not_done == 0)
        ; /* no answer, and that is not the same as none */
    else if (tool->target.json)
        output_json(json_pack("{s:I, s:O}", action->done, (json_int_t)outcome->done, action->not_done,
                              outcome->absent));
    else
        printf("%lld %s\n", (long long)outcome->done, action->done);
    json_decref(outcome->absent);
    pgusher_queue_close(queue);
    return code;
}

enum exit_code verb_replay(const struct tool *tool)
{
    struct outcome outcome = {0, 0, json_array()};
    struct pgusher_queue *queue = tool_open(&tool->target, 0);
    int result;

    if (!queue) {
        json_decref(outcome.absent);
        return EX_BAD_CONFIG;
    }
    if (tool_given(tool, OPTION_ALL)) {
        outcome.done = pgusher_queue_replay_all(queue);
        result = outcome.done < 0 ? -1 : 0;
        outcome.done = result ? 0 : outcome.done;
    } else {
        result = run_all(queue, tool, &replay, &outcome);
    }
    return finish(queue, tool, &replay, result, &outcome);
}

enum exit_code verb_rm(const struct tool *tool)
{
    struct outcome outcome = {0, 0, json_array()};
    struct pgusher_queue *queue = tool_open(&tool->target, 0);

    if (!queue) {
        json_decref(outcome.absent);
        return EX_BAD_CONFIG;
    }
    return finish(queue, tool, &rm, run_all(queue, tool, &rm, &outcome), &outcome);
}
