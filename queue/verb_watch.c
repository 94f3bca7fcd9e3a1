/* stats --watch: how a queue stands, again and again. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "common/loop.h"
#include "queue/tool_output.h"
#include "queue/tool_say.h"
#include "queue/verb_stats.h"

/* Signals are heard between two calls. */
enum { CALL_TIMEOUT_MS = 1000 };

static const char HOME_AND_CLEAR[] = "\033[H\033[2J";

struct watch {
    const struct tool_target *target;
    int64_t interval_ms;
    struct pgusher_queue *queue;
    struct loop *loop;
    struct timer *timer;
    struct pgusher_queue_stats before; /* now_ms 0: none yet */
    bool away;                         /* Redis; it has been said */
    bool redraw;
    enum exit_code code;
};

static double rate(uint64_t now, uint64_t before, int64_t ms)
{
    return now < before || ms <= 0 ? -1 : (double)(now - before) * 1000 / (double)ms;
}

static struct stats_rates rates_between(const struct pgusher_queue_stats *before,
                                        const struct pgusher_queue_stats *now)
{
    int64_t ms = before->now_ms ? now->now_ms - before->now_ms : 0;

    return (struct stats_rates){rate(now->queued, before->queued, ms), rate(now->acked, before->acked, ms),
                                rate(now->failed, before->failed, ms)};
}

static json_t *rate_or_null(double rate)
{
    return rate < 0 ? json_null() : json_real(rate);
}

static json_t *rates_json(const struct stats_rates *rates)
{
    return json_pack("{s:o, s:o, s:o}", "queued", rate_or_null(rates->queued), "acked",
                     rate_or_null(rates->acked), "failed", rate_or_null(rates->failed));
}

static void print_json(const struct watch *watch, const struct pgusher_queue_stats *stats,
                       const struct stats_rates *rates)
{
    json_t *json = stats_json(watch->target->queue, stats);

    json_object_set_new(json, "rates", watch->before.now_ms ? rates_json(rates) : json_null());
    output_json(json);
}

static void print_plain(const struct watch *watch, const struct pgusher_queue_stats *stats,
                        const struct stats_rates *rates)
{
    if (watch->redraw)
        fputs(HOME_AND_CLEAR, stdout);
    else if (watch->before.now_ms)
        putchar('\n');
    stats_print(watch->target->queue, stats, rates);
}

static void print(struct watch *watch, const struct pgusher_queue_stats *stats)
{
    struct stats_rates rates = rates_between(&watch->before, stats);

    if (watch->away)
        tool_say("Redis answers again");
    watch->away = false;
    if (watch->target->json)
        print_json(watch, stats, &rates);
    else
        print_plain(watch, stats, &rates);
    fflush(stdout);
}

static void stop(struct watch *watch, enum exit_code code)
{
    watch->code = code;
    loop_stop(watch->loop);
}

/* What may pass is waited for, once there was an answer. */
static void failed(struct watch *watch)
{
    enum exit_code code = tool_exit_code(pgusher_queue_status(watch->queue));

    if (code != EX_NO_SERVICE || !watch->before.now_ms) {
        stop(watch, tool_fail(watch->queue));
        return;
    }
    if (!watch->away) {
        tool_fail(watch->queue);
        tool_say("trying again until it answers");
    }
    watch->away = true;
}

static void look(void *arg)
{
    struct watch *watch = arg;
    struct pgusher_queue_stats stats;

    timer_start(watch->timer, watch->interval_ms);
    if (pgusher_queue_stats(watch->queue, &stats) < 0) {
        failed(watch);
        return;
    }
    print(watch, &stats);
    pgusher_queue_stats_free(&watch->before);
    watch->before = stats;
    if (output_is_broken())
        loop_stop(watch->loop);
}

static void on_signal(void *arg, int signo)
{
    (void)signo;
    stop(arg, EX_DONE);
}

enum exit_code stats_watch(const struct tool_target *target, int64_t interval_ms)
{
    struct watch watch = {
        .target = target, .interval_ms = interval_ms, .queue = tool_open(target, CALL_TIMEOUT_MS)};

    if (!watch.queue)
        return EX_BAD_CONFIG;
    watch.redraw = isatty(STDOUT_FILENO) && !target->json;
    watch.loop = loop_new();
    watch.timer = timer_new(watch.loop, look, &watch);
    loop_on_signal(watch.loop, SIGINT, on_signal, &watch);
    loop_on_signal(watch.loop, SIGTERM, on_signal, &watch);
    timer_start(watch.timer, 0);
    loop_run(watch.loop);
    timer_free(watch.timer);
    loop_free(watch.loop);
    pgusher_queue_stats_free(&watch.before);
    pgusher_queue_close(watch.queue);
    return watch.code;
}
