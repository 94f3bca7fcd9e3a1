#include "cdc/metrics.h"

#include <time.h>

struct metrics metrics;
const char *const metrics_stage_names[STAGES] = {"read", "select", "put", "enqueue", "save"};

int64_t metrics_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void metrics_stage(enum stage stage, int64_t since_us)
{
    histogram_add(&metrics.stages[stage], metrics_now_us() - since_us);
}

void metrics_reply(enum stage stage, int64_t since_us, enum status status)
{
    metrics_stage(stage, since_us);
    metrics.replies[status]++;
}

void tally_add(struct tally *tally, const struct tally *more)
{
    tally->put += more->put;
    tally->unchanged += more->unchanged;
    tally->removed += more->removed;
    tally->absent += more->absent;
    tally->stale += more->stale;
    tally->refused += more->refused;
    tally->queued += more->queued;
}
