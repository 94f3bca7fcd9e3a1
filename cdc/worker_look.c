#include "cdc/worker_look.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"

enum {
    MIN_AGE_MS = 5000,
    PATIENCE_MS = 2000,
    UNASKED_MS = 60000,
};

struct waiter {
    struct http_exchange *exchange;
    worker_look_fn *fn;
    void *arg;
};

struct worker_look {
    struct look *look;
    int64_t begun_ms; /* 0: never */
    bool expired;
    struct timer *patience; /* of those who wait */
    struct timer *unasked;
    struct waiter *waiters;
    size_t count;
    size_t capacity;
};

static void tell(struct worker_look *look, const struct waiter *waiter)
{
    enum status ignored;
    json_t *status = look_status(look->look, &ignored);

    waiter->fn(waiter->arg, waiter->exchange, status, clock_mono_ms() - look->begun_ms);
    json_decref(status);
}

static void tell_all(void *arg)
{
    struct worker_look *look = arg;

    timer_stop(look->patience);
    for (size_t i = 0; i < look->count; i++)
        tell(look, &look->waiters[i]);
    look->count = 0;
}

static void rest(void *arg)
{
    struct worker_look *look = arg;

    tell_all(look);
    look_rest(look->look);
}

struct worker_look *worker_look_new(struct loop *loop, const struct config *config)
{
    struct worker_look *look = mem_zalloc(sizeof(*look));

    look->look = look_new(loop, config, "pgusherd http", true);
    look->patience = timer_new(loop, tell_all, look);
    look->unasked = timer_new(loop, rest, look);
    return look;
}

void worker_look_free(struct worker_look *look)
{
    if (!look)
        return;
    for (size_t i = 0; i < look->count; i++)
        http_say(look->waiters[i].exchange, 503, "the configuration changes; ask again");
    look_free(look->look);
    timer_free(look->patience);
    timer_free(look->unasked);
    free(look->waiters);
    free(look);
}

void worker_look_ask(struct worker_look *look, struct http_exchange *exchange, worker_look_fn *fn, void *arg)
{
    struct waiter waiter = {exchange, fn, arg};
    int64_t now_ms = clock_mono_ms();

    timer_start(look->unasked, UNASKED_MS);
    if (!look_is_under_way(look->look) &&
        (!look->begun_ms || look->expired || now_ms - look->begun_ms >= MIN_AGE_MS)) {
        look->begun_ms = now_ms;
        look->expired = false;
        look_begin(look->look, tell_all, look);
    }
    if (!look_is_under_way(look->look) || now_ms - look->begun_ms >= PATIENCE_MS) {
        tell(look, &waiter);
        return;
    }
    look->waiters = mem_grow(look->waiters, look->count, &look->capacity, sizeof(*look->waiters));
    look->waiters[look->count++] = waiter;
    if (!timer_active(look->patience))
        timer_start(look->patience, PATIENCE_MS);
}

void worker_look_expire(struct worker_look *look)
{
    look->expired = true;
}

json_t *worker_look_known(const struct worker_look *look, int64_t max_age_ms)
{
    enum status ignored;

    if (!look->begun_ms || clock_mono_ms() - look->begun_ms > max_age_ms)
        return NULL;
    return look_status(look->look, &ignored);
}
