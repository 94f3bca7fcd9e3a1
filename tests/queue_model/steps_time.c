/* Time passes. */
#include "tests/queue_model/report.h"
#include "tests/queue_model/steps.h"

enum { LITTLE_MS = 120, BACK_MS = 500 };

void step_wait_little(struct world *world)
{
    world_pass(world, (int64_t)world_below(world, LITTLE_MS));
}

/* To the very end of somebody's lease, or one past it. */
void step_wait_lease(struct world *world)
{
    size_t i = world->nhandles ? world_below(world, world->nhandles) : 0;
    int64_t end = world->handles[i].deadline + (int64_t)world_below(world, 2);

    if (end <= world->now)
        end = world->now + LEASE_MS + (int64_t)world_below(world, 2);
    world_note(world, " %lld ms", (long long)(end - world->now));
    world_set_time(world, end);
}

void step_wait_long(struct world *world)
{
    world_pass(world, MAX_DELAY_MS);
}

void step_wait_plain_timeout(struct world *world)
{
    world_pass(world, PLAIN_TIMEOUT_MS - (int64_t)world_below(world, 2));
}

void step_clock_goes_back(struct world *world)
{
    world_pass(world, -(int64_t)world_below(world, BACK_MS));
}
