/* pause, resume, recover: what concerns a queue as a whole. */
#include <stdio.h>

#include "queue/tool_output.h"
#include "common/human.h"
#include "queue/tool_say.h"
#include "queue/verbs.h"

static enum exit_code set_paused(const struct tool *tool, bool paused)
{
    struct pgusher_queue *queue = tool_open(&tool->target, 0);
    enum exit_code code = EX_DONE;

    if (!queue)
        return EX_BAD_CONFIG;
    if (pgusher_queue_pause(queue, paused) < 0)
        code = tool_fail(queue);
    else if (tool->target.json)
        output_json(json_pack("{s:b}", "paused", paused));
    else
        printf("%s\n", paused ? "paused" : "resumed");
    pgusher_queue_close(queue);
    return code;
}

enum exit_code verb_pause(const struct tool *tool)
{
    return set_paused(tool, true);
}

enum exit_code verb_resume(const struct tool *tool)
{
    return set_paused(tool, false);
}

enum exit_code verb_recover(const struct tool *tool)
{
    struct pgusher_queue *queue = tool_open(&tool->target, 0);
    enum exit_code code = EX_DONE;
    int recovered;

    if (!queue)
        return EX_BAD_CONFIG;
    recovered = pgusher_queue_recover(queue);
    if (recovered < 0)
        code = tool_fail(queue);
    else if (tool->target.json)
        output_json(json_pack("{s:i}", "recovered", recovered));
    else
        printf("%s recovered\n", human_of(recovered, "item").text);
    pgusher_queue_close(queue);
    return code;
}
