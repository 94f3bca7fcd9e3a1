#include "queue/consume.h"

#include <signal.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "queue/consume_slot.h"

/* The whole of it. `consume` is first: the slots know no more. */
struct crew {
    struct consume consume;
    struct slot **slots;
    size_t nslots;
    struct timer *grace;
};

/* ---- stopping ---- */

static void stop_slots(void *arg)
{
    struct crew *crew = arg;

    for (size_t i = 0; i < crew->nslots; i++)
        slot_stop(crew->slots[i]);
}

static void halt_slots(struct crew *crew, bool kill)
{
    crew->consume.halted = true;
    for (size_t i = 0; i < crew->nslots; i++)
        slot_halt(crew->slots[i], kill);
}

static void on_grace_over(void *arg)
{
    log_warn("the grace is over: stopping what still runs");
    halt_slots(arg, false);
}

/* Deferred, because a slot may be in the middle of something. */
static void begin_to_stop(struct crew *crew)
{
    crew->consume.stopping = true;
    timer_start(crew->grace, crew->consume.options->grace_ms);
    loop_defer(crew->consume.loop, stop_slots, crew);
}

void consume_fail(struct consume *consume, enum exit_code code, const char *format, ...)
{
    va_list args;
    char *text;

    if (consume->exit_code != EX_DONE)
        return;
    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    log_error("%s", text);
    free(text);
    consume->exit_code = code;
    if (!consume->stopping)
        begin_to_stop((struct crew *)consume);
}

static void on_signal(void *arg, int signo)
{
    struct crew *crew = arg;
    const char *name = signo == SIGINT ? "SIGINT" : "SIGTERM";

    if (crew->consume.stopping) {
        log_info("%s again: stopping at once", name);
        halt_slots(crew, true);
        return;
    }
    log_info("%s: stopping", name);
    begin_to_stop(crew);
}

/* ---- starting ---- */

static int open_nodes(struct crew *crew, struct err *err)
{
    struct redis_url url;

    if (!crew->consume.options->docs)
        return 0;
    if (tool_target_url(crew->consume.options->target, &url, err) != 0)
        return -1;
    crew->consume.nodes = nodes_new(&url, CALL_TIMEOUT_MS);
    return 0;
}

static int open_slots(struct crew *crew, struct err *err)
{
    size_t wanted = (size_t)crew->consume.options->parallel;

    crew->slots = mem_zalloc(wanted * sizeof(struct slot *));
    while (crew->nslots < wanted) {
        struct slot *slot = slot_new(&crew->consume, err);

        if (!slot)
            return -1;
        crew->slots[crew->nslots++] = slot;
    }
    return 0;
}

static void start(struct crew *crew)
{
    loop_on_signal(crew->consume.loop, SIGTERM, on_signal, crew);
    loop_on_signal(crew->consume.loop, SIGINT, on_signal, crew);
    for (size_t i = 0; i < crew->nslots; i++) {
        log_info("consuming %s as %s", crew->consume.options->target->queue, slot_name(crew->slots[i]));
        slot_start(crew->slots[i]);
    }
}

static void run(struct crew *crew)
{
    start(crew);
    while (crew->consume.ended < crew->nslots)
        loop_run_once(crew->consume.loop);
    log_info("stopped");
}

static void crew_free(struct crew *crew)
{
    while (crew->nslots)
        slot_free(crew->slots[--crew->nslots]);
    free(crew->slots);
    nodes_free(crew->consume.nodes);
    timer_free(crew->grace);
    loop_free(crew->consume.loop);
}

int consume_run(const struct consume_options *options)
{
    struct crew crew = {.consume = {.options = options}};
    struct err err = ERR_NONE;

    signal(SIGCHLD, SIG_DFL); /* ignored, it would keep us from learning how a command ended */
    crew.consume.loop = loop_new();
    crew.grace = timer_new(crew.consume.loop, on_grace_over, &crew);
    if (open_nodes(&crew, &err) == 0 && open_slots(&crew, &err) == 0) {
        run(&crew);
    } else {
        log_error("%s", err.text);
        crew.consume.exit_code = status_exit_code(err.status);
    }
    crew_free(&crew);
    return (int)crew.consume.exit_code;
}
