#include "common/backoff.h"

#include <stdlib.h>
#include <sys/random.h>

void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t cap_ms)
{
    backoff->base_ms = base_ms;
    backoff->cap_ms = cap_ms < base_ms ? base_ms : cap_ms;
    backoff->current_ms = 0;
}

static uint32_t random_u32(void)
{
    uint32_t value;

    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
        value = (uint32_t)random();
    return value;
}

int64_t backoff_next(struct backoff *backoff)
{
    int64_t low = backoff->base_ms / 2;

    backoff->current_ms = backoff->current_ms ? backoff->current_ms * 2 : backoff->base_ms;
    if (backoff->current_ms > backoff->cap_ms)
        backoff->current_ms = backoff->cap_ms;
    return low + (int64_t)(random_u32() % (uint64_t)(backoff->current_ms - low + 1));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->current_ms = 0;
}
