/* purge: throws away the dead letters, or everything, after asking. */
#include <stdio.h>
#include <unistd.h>

#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/verbs.h"

static int ask(struct pgusher_queue *queue, bool all)
{
    const char *name = pgusher_queue_name(queue);
    struct pgusher_queue_stats stats;

    if (pgusher_queue_stats(queue, &stats) < 0)
        return -1;
    if (all)
        fprintf(stderr,
                "Throw away all of %s: %zu waiting, %zu in flight, %zu delayed, %zu dead, %zu with plain "
                "consumers?",
                name, stats.waiting, stats.in_flight, stats.delayed, stats.dead, stats.plain);
    else
        fprintf(stderr, "Throw away the dead letters of %s: %zu?", name, stats.dead);
    fputs(" [y/N] ", stderr);
    pgusher_queue_stats_free(&stats);
    return 0;
}

static bool says_yes(void)
{
    int answer = getchar();

    for (int c = answer; c != '\n' && c != EOF;)
        c = getchar();
    if (answer == EOF)
        fputc('\n', stderr);
    return answer == 'y' || answer == 'Y';
}

static enum exit_code purge(struct pgusher_queue *queue, bool all, bool json)
{
    int64_t purged = all ? pgusher_queue_purge_all(queue) : pgusher_queue_purge_dead(queue);

    if (purged < 0)
        return tool_fail(queue);
    if (json)
        output_json(json_pack("{s:I}", "purged", (json_int_t)purged));
    else
        printf("%lld thrown away\n", (long long)purged);
    return EX_DONE;
}

static enum exit_code ask_and_purge(struct pgusher_queue *queue, bool all, bool json)
{
    if (ask(queue, all) != 0)
        return tool_fail(queue);
    if (says_yes())
        return purge(queue, all, json);
    tool_say("nothing was thrown away");
    return EX_NOT_SO;
}

enum exit_code verb_purge(const struct tool *tool)
{
    bool all = tool_given(tool, OPTION_ALL), yes = tool_given(tool, OPTION_YES);
    struct pgusher_queue *queue;
    enum exit_code code;

    if (all == tool_given(tool, OPTION_DEAD)) {
        tool_say("purge needs either --dead or --all");
        return EX_BAD_USAGE;
    }
    if (!yes && !isatty(STDIN_FILENO)) {
        tool_say("purge cannot ask here, because stdin is no terminal; if it is meant, add --yes");
        return EX_BAD_USAGE;
    }
    queue = tool_open(&tool->target, 0);
    if (!queue)
        return EX_BAD_CONFIG;
    code = yes ? purge(queue, all, tool->target.json) : ask_and_purge(queue, all, tool->target.json);
    pgusher_queue_close(queue);
    return code;
}
