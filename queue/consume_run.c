/* A slot's runs of the command: beginning one, and what its end means. */
#include <stdlib.h>

#include "common/log.h"
#include "queue/consume_slot_private.h"

/* What becomes of single items is told when they are settled. */
static void tell_end(const struct slot *slot, enum run_meaning meaning, const char *what)
{
    const struct work *work = slot->reservation->work;
    enum log_level level = work_run_is_first(work) ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;

    if (work_run_wrong(work))
        log_write(level, "a wrong verdict: %s", work_run_wrong(work));
    if (meaning == RUN_NO_COMMAND)
        log_error("%s: it cannot be run; its items are released", what);
    else if (meaning == RUN_UNAVAILABLE)
        log_warn("%s; its items are released, the next attempt is in %lld ms", what,
                 (long long)slot->rest_ms);
    else if (meaning == RUN_BAD && work_run_count(work) > 1)
        log_write(level, "%s, given %zu items; those without a verdict are given to it again in halves", what,
                  work_run_count(work));
}

static void take_meaning(struct slot *slot, enum run_meaning meaning)
{
    struct consume *consume = slot->consume;

    if (meaning == RUN_GOOD) {
        consume->succeeded = true;
        backoff_reset(&slot->target_backoff);
    }
    if (meaning == RUN_UNAVAILABLE || meaning == RUN_NO_COMMAND)
        slot_rest_before_next(slot, BACKING_OFF, backoff_next(&slot->target_backoff));
    if (meaning == RUN_NO_COMMAND && !consume->succeeded)
        consume_fail(consume, EX_BAD_CONFIG, "\"%s\" cannot be run: mend --exec", consume->options->command);
}

static void finish_run(struct slot *slot, const struct run_end *end)
{
    const struct consume_options *options = slot->consume->options;
    struct work_command command = {options->command, options->timeout_ms};
    enum run_meaning meaning;
    char *what;

    meaning = work_judge(slot->reservation->work, end, &command, &what);
    take_meaning(slot, meaning);
    tell_end(slot, meaning, what);
    free(what);
}

static void on_verdicts(void *arg, const char *data, size_t len)
{
    struct slot *slot = arg;

    work_run_says(slot->reservation->work, data, len);
}

static void on_end(void *arg, const struct run_end *end)
{
    struct slot *slot = arg;
    struct run_end known = slot->consume->stopping ? run_end_while_stopping(end) : *end;

    child_free(slot->child);
    slot->child = NULL;
    finish_run(slot, &known);
    slot_advance(slot);
}

static struct child *start_child(struct slot *slot, struct err *err)
{
    static const struct child_handlers handlers = {on_verdicts, on_end};
    const struct consume_options *options = slot->consume->options;
    struct child_task task = {
        .command = options->command,
        .queue = options->target->queue,
        .token = pgusher_queue_batch_token(slot->reservation->batch),
        .attempt = work_run_attempt(slot->reservation->work),
        .timeout_ms = options->timeout_ms,
    };
    struct buf input = BUF_NONE;

    work_run_input(slot->reservation->work, &input);
    return child_start(slot->consume->loop, &task, &input, &handlers, slot, err);
}

bool slot_begin_run(struct slot *slot)
{
    static const struct run_end not_begun = {END_NOT_BEGUN, 0};
    struct err err = ERR_NONE;

    slot->child = start_child(slot, &err);
    if (slot->child) {
        slot_enter(slot, RUNNING);
        return true;
    }
    log_error("%s", err.text);
    finish_run(slot, &not_begun);
    return false;
}
