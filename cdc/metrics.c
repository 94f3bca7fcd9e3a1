#include "cdc/metrics.h"

#include "common/clock.h"

struct metrics metrics;
const char *const metrics_stage_names[STAGES] = {"read", "select", "put", "enqueue", "save"};

void metrics_stage(enum stage stage, int64_t since_us)
{
    histogram_add(&metrics.stages[stage], clock_mono_us() - since_us);
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
