#include "cdc/pace.h"

enum {
    SHORT_MS = 8,   /* nobody minds a step that is not longer */
    PAYS = 3,       /* a small step must be so many times shorter than a large one */
    TRY_AGAIN = 32, /* small steps until a large one is tried again */
    REMEMBERS = 4,
};

/* A large step is no worse than all the small ones in its place. */
static double least_large(const struct pace *pace)
{
    double sum = pace->small_ms * PACE_LARGE / PACE_SMALL;

    return pace->small_ms > 0 && sum < pace->large_ms ? sum : pace->large_ms;
}

int pace_choose(const struct pace *pace)
{
    double large_ms = least_large(pace);

    if (large_ms <= SHORT_MS || pace->since_large >= TRY_AGAIN)
        return PACE_LARGE;
    return pace->small_ms * PAYS < large_ms ? PACE_SMALL : PACE_LARGE;
}

/* Something else may have made a step long, but nothing makes it shorter than it is. */
static void learn(double *known_ms, int64_t ms)
{
    double took_ms = ms > 0 ? (double)ms : 0.5;

    if (*known_ms > 0 && took_ms > *known_ms)
        *known_ms += (took_ms - *known_ms) / REMEMBERS;
    else
        *known_ms = took_ms;
}

void pace_took(struct pace *pace, int limit, int64_t count, int64_t ms)
{
    if (limit != PACE_SMALL && limit != PACE_LARGE)
        return;
    pace->since_large = limit == PACE_SMALL ? pace->since_large + 1 : 0;
    if (count >= limit / 2)
        learn(limit == PACE_SMALL ? &pace->small_ms : &pace->large_ms, ms);
}
