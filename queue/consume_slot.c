#include "queue/consume_slot_private.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/human.h"
#include "common/log.h"
#include "common/mem.h"
#include "queue/handle.h"

enum {
    NAP_MS = 500,
    REDIS_BACKOFF_BASE_MS = 100,
    REDIS_BACKOFF_CAP_MS = 5000,
    TARGET_BACKOFF_BASE_MS = 1000,
    TARGET_BACKOFF_CAP_MS = 60000,
};

static const struct {
    bool renews; /* the lease, by heartbeats */
    bool stays;  /* when we stop */
    const char *why;
} states[] = {
    [BUSY] = {false, false, "within a callback only"},
    [WAITING] = {false, false, "for an item, not longer than reserve has renewed the lease for"},
    [NAPPING] = {false, false, "the queue gives nothing, and no wait is possible: it is paused, for example"},
    [LINGERING] = {true, false, "so that a batch can fill; the item that ended a wait is held already"},
    [RUNNING] = {true, true, "for the command to end: it may finish within the grace"},
    [OFFLINE] = {true, true, "for Redis: what has been done must not be forgotten"},
    [BACKING_OFF] = {true, false, "for the target; nothing is held, but others shall see that we live"},
    [ENDED] = {false, true, "for nothing"},
};

/* ---- states ---- */

void slot_enter(struct slot *slot, enum state state)
{
    timer_stop(slot->timer);
    io_set(slot->wait, -1, false, false);
    slot->state = state;
}

static void enter_for(struct slot *slot, enum state state, int64_t ms)
{
    slot_enter(slot, state);
    timer_start(slot->timer, ms);
}

void slot_rest_before_next(struct slot *slot, enum state rest, int64_t ms)
{
    slot->rest = rest;
    slot->rest_ms = ms;
}

static void drop_reservation(struct slot *slot)
{
    reservation_free(slot->reservation);
    slot->reservation = NULL;
    slot->expired = false;
}

/* Gives back what is still held. A Redis that does not answer would keep each slot for a while. */
static void leave_queue(struct slot *slot)
{
    int64_t began_ms = clock_mono_ms();

    if (slot->consume->offline || slot->consume->hangs)
        handle_abandon(slot->queue);
    else
        pgusher_queue_close(slot->queue);
    slot->queue = NULL;
    slot->consume->hangs = slot->consume->hangs || clock_mono_ms() - began_ms >= CALL_TIMEOUT_MS;
}

static void end(struct slot *slot)
{
    if (slot->reservation)
        log_warn("what became of up to %s could not be told to Redis and will be handled again",
                 human_of((int64_t)work_count(slot->reservation->work), "item").text);
    slot_enter(slot, ENDED);
    timer_stop(slot->heartbeat);
    drop_reservation(slot);
    leave_queue(slot);
    slot->consume->offline -= slot->offline;
    slot->consume->ended++;
}

/* ---- Redis comes and goes ---- */

static void note_online(struct slot *slot)
{
    slot->consume->reached = true;
    backoff_reset(&slot->redis_backoff);
    if (slot->offline && --slot->consume->offline == 0)
        log_info("Redis works again");
    slot->offline = false;
}

static void note_offline(struct slot *slot, const struct err *err)
{
    if (!slot->offline && slot->consume->offline++ == 0)
        log_warn("%s; trying again until it works", err->text);
    slot->offline = true;
    slot->consume->wait_refused = false;
}

/* The library goes on, as there are other ways to an item; but each takes its time. */
static void note_refused_wait(struct slot *slot)
{
    const struct err *refused = &slot->queue->wait_refused;

    if (refused->status == ST_OK || slot->consume->wait_refused)
        return;
    log_warn("%s; looking for items now and then instead of waiting for them", refused->text);
    slot->consume->wait_refused = true;
}

/* A call failed: what it was for is tried again later, unless no later will do. */
static void on_trouble(struct slot *slot, const struct err *err)
{
    struct consume *consume = slot->consume;

    if (err->status == ST_REFUSED || (err->status == ST_CONFIG && !consume->reached)) {
        consume_fail(consume, status_exit_code(err->status), "%s", err->text);
        end(slot);
        return;
    }
    note_offline(slot, err);
    if (consume->halted)
        end(slot);
    else
        enter_for(slot, OFFLINE, backoff_next(&slot->redis_backoff));
}

static void on_heartbeat(void *arg)
{
    struct slot *slot = arg;
    int known;

    timer_start(slot->heartbeat, slot->queue->lease_ms / 4);
    if (!states[slot->state].renews)
        return;
    known = pgusher_queue_heartbeat(slot->queue);
    if (known < 0)
        note_offline(slot, &slot->queue->err);
    else if (slot->state != OFFLINE) /* then something else fails */
        note_online(slot);
    if (known == 0 && slot->reservation && !slot->expired) {
        log_warn(
            "the lease had run out: others are given what is at work here (%s), whose results will not count",
            human_of((int64_t)work_count(slot->reservation->work), "item").text);
        slot->expired = true;
    }
}

/* ---- the next thing to do ---- */

static bool settle(struct slot *slot)
{
    if (reservation_settle(slot->reservation, slot->queue) == 0) {
        note_online(slot);
        return true;
    }
    on_trouble(slot, &slot->queue->err);
    return false;
}

static bool prepare(struct slot *slot)
{
    struct err err = ERR_NONE;

    if (slot->consume->nodes)
        nodes_stay_with(slot->consume->nodes, slot->queue->link);
    if (reservation_prepare(slot->reservation, slot->consume->nodes, &err) == 0)
        return true;
    on_trouble(slot, &err);
    return false;
}

/* While a batch takes all there is, the next may fill better after a while. */
static void finish_reservation(struct slot *slot)
{
    drop_reservation(slot);
    if (slot->rest == BUSY && pgusher_queue_left(slot->queue) < slot->consume->options->batch)
        slot_rest_before_next(slot, LINGERING, slot->consume->options->linger_ms);
}

/* Returns whether there is more to do now. */
static bool work_on(struct slot *slot)
{
    if (slot->consume->stopping)
        work_decide_open(slot->reservation->work, FATE_RELEASE);
    else if (!prepare(slot))
        return false;
    if (!settle(slot))
        return false;
    if (!slot->consume->stopping && work_next(slot->reservation->work))
        return !slot_begin_run(slot);
    finish_reservation(slot);
    return true;
}

static void wait_for_items(struct slot *slot)
{
    int64_t quarter_ms = slot->queue->lease_ms / 4;
    int fd = pgusher_queue_wait_begin(slot->queue, quarter_ms);

    if (fd == -2) {
        enter_for(slot, NAPPING, quarter_ms < NAP_MS ? quarter_ms : NAP_MS);
    } else if (fd < 0) {
        on_trouble(slot, &slot->queue->err);
    } else {
        enter_for(slot, WAITING, pgusher_queue_wait_ms(slot->queue));
        io_set(slot->wait, fd, true, false);
    }
}

static bool has_done_all(const struct slot *slot)
{
    if (!slot->consume->options->once)
        return false;
    if (slot->queue->paused)
        log_warn("%s is paused and gives nothing", pgusher_queue_name(slot->queue));
    return slot->queue->paused || pgusher_queue_left(slot->queue) == 0;
}

static bool reserve(struct slot *slot)
{
    struct pgusher_queue_batch *batch;
    int count = pgusher_queue_reserve(slot->queue, slot->consume->options->batch, 0, &batch);

    if (count < 0) {
        on_trouble(slot, &slot->queue->err);
        return false;
    }
    note_online(slot);
    if (count) {
        slot->reservation = reservation_new(batch);
        return true;
    }
    if (has_done_all(slot))
        end(slot);
    else
        wait_for_items(slot);
    return false;
}

static bool look_for_work(struct slot *slot)
{
    if (slot->consume->stopping) {
        end(slot);
        return false;
    }
    if (slot->rest != BUSY && slot->rest_ms > 0) {
        enter_for(slot, slot->rest, slot->rest_ms);
        slot->rest = BUSY;
        return false;
    }
    slot->rest = BUSY;
    return reserve(slot);
}

void slot_advance(struct slot *slot)
{
    slot_enter(slot, BUSY);
    while (slot->reservation ? work_on(slot) : look_for_work(slot))
        ;
}

static void on_wait(void *arg)
{
    struct slot *slot = arg;
    int came;

    slot_enter(slot, BUSY);
    came = pgusher_queue_wait_end(slot->queue);
    if (came < 0) {
        on_trouble(slot, &slot->queue->err);
        return;
    }
    if (came)
        slot_rest_before_next(slot, LINGERING, slot->consume->options->linger_ms);
    note_refused_wait(slot);
    slot_advance(slot);
}

static void on_wait_readable(void *arg, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    on_wait(arg);
}

static void on_time(void *arg)
{
    struct slot *slot = arg;

    if (slot->state == WAITING)
        on_wait(slot);
    else
        slot_advance(slot);
}

/* ---- life ---- */

struct slot *slot_new(struct consume *consume, struct err *err)
{
    struct pgusher_queue_options options = tool_target_options(consume->options->target);
    struct slot *slot = mem_zalloc(sizeof(*slot));
    char error[256];

    slot->consume = consume;
    options.timeout_ms = CALL_TIMEOUT_MS;
    slot->queue = pgusher_queue_new(&options, error, sizeof(error));
    if (!slot->queue) {
        err_set(err, ST_CONFIG, "%s", error);
        free(slot);
        return NULL;
    }
    backoff_init(&slot->redis_backoff, REDIS_BACKOFF_BASE_MS, REDIS_BACKOFF_CAP_MS);
    backoff_init(&slot->target_backoff, TARGET_BACKOFF_BASE_MS, TARGET_BACKOFF_CAP_MS);
    slot->timer = timer_new(consume->loop, on_time, slot);
    slot->heartbeat = timer_new(consume->loop, on_heartbeat, slot);
    slot->wait = io_new(consume->loop, on_wait_readable, slot);
    return slot;
}

void slot_free(struct slot *slot)
{
    if (!slot)
        return;
    child_free(slot->child);
    reservation_free(slot->reservation);
    pgusher_queue_close(slot->queue);
    timer_free(slot->timer);
    timer_free(slot->heartbeat);
    io_free(slot->wait);
    free(slot);
}

static void start(void *arg)
{
    struct slot *slot = arg;

    timer_start(slot->heartbeat, slot->queue->lease_ms / 4);
    slot_advance(slot);
}

void slot_start(struct slot *slot)
{
    loop_defer(slot->consume->loop, start, slot);
}

const char *slot_name(const struct slot *slot)
{
    return pgusher_queue_consumer(slot->queue);
}

void slot_stop(struct slot *slot)
{
    if (!states[slot->state].stays || (slot->state == OFFLINE && !slot->reservation))
        slot_advance(slot);
}

void slot_halt(struct slot *slot, bool kill)
{
    if (slot->state == OFFLINE)
        slot_advance(slot);
    else if (slot->child && kill)
        child_kill(slot->child);
    else if (slot->child)
        child_stop(slot->child);
}
