/* Random histories and fixed ones against a real Redis, in TAP.
 *
 *     model unix:///PATH HISTORIES STEPS
 *
 * $SEED replays one history; $ONLY is "fixed", "random" or "speed". With $STOP=1 it ends at the first
 * failure, as the run of the mutants wants it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/queue_model/drain.h"
#include "tests/queue_model/fault.h"
#include "tests/queue_model/fixed.h"
#include "tests/queue_model/report.h"
#include "tests/queue_model/speed.h"
#include "tests/queue_model/steps.h"
#include "tests/queue_model/tap.h"
#include "tests/queue_model/world.h"

enum { FIRST_SEED = 1 };

static const struct config configs[] = {
    {"native consumers", true, false, false, 8, 3, 12, 4, false},
    {"native consumers, tiny limits", true, false, false, 2, 1, 6, 3, false},
    {"native consumers, many documents, removals", true, false, false, 4, 2, 32, 3, true},
    {"native and plain consumers", true, true, false, 4, 2, 10, 3, false},
    {"native and plain consumers and producers", false, true, true, 4, 2, 10, 3, true},
};

enum { CONFIGS = sizeof(configs) / sizeof(configs[0]) };

struct run {
    const char *url;
    redisContext *redis;
    int steps;
};

/* A seed says everything: the configuration, too. */
static bool run_history(const struct run *run, uint64_t seed)
{
    static struct world world;
    bool broken;

    world_begin(&world, &configs[seed % CONFIGS], run->url, run->redis, seed);
    for (world.step = 0; world.step < run->steps && !world.broken; world.step++)
        steps_take(&world);
    world.step -= world.broken || world.step == run->steps;
    broken = world.broken || !drain(&world);
    if (broken)
        world_report(&world);
    world_end(&world);
    return !broken;
}

/* Every CONFIGS-th seed from the first one is of one configuration. */
static void run_histories(const struct run *run, const char *kind, uint64_t first, int count)
{
    for (uint64_t i = 0; i < CONFIGS; i++) {
        uint64_t seed = first + i, end = first + (uint64_t)count;

        while (seed < end && run_history(run, seed))
            seed += CONFIGS;
        tap_result(seed >= end, "%d %s histories: %s%s", count / CONFIGS, kind,
                   configs[(first + i) % CONFIGS].name, seed >= end ? "" : " (see above)");
        if (seed < end)
            tap_seed(seed);
    }
}

static redisContext *connect_to(const char *url)
{
    redisContext *redis = redisConnectUnix(url + strlen("unix://"));

    if (!redis || redis->err) {
        printf("Bail out! no Redis at %s\n", url);
        exit(2);
    }
    fault_spare(redis->fd);
    return redis;
}

static int replay(const struct run *run, uint64_t seed)
{
    tap_result(run_history(run, seed), "history %llu: %s", (unsigned long long)seed,
               configs[seed % CONFIGS].name);
    return tap_end();
}

static bool wants(const char *part)
{
    const char *only = getenv("ONLY");

    return !only || strcmp(only, part) == 0;
}

static void run_both_kinds(const struct run *run, int histories)
{
    uint64_t chance = (uint64_t)time(NULL) * CONFIGS;

    world_count_anew();
    run_histories(run, "fixed", FIRST_SEED, histories / 2);
    printf("# random histories from seed %llu on\n", (unsigned long long)chance);
    run_histories(run, "random", chance, histories - histories / 2);
    tap_result(world_was_lively((size_t)histories * (size_t)run->steps / 4000), "the histories were lively");
}

int main(int argc, char **argv)
{
    struct run run = {.url = argc > 1 ? argv[1] : ""};
    int histories = argc > 2 ? atoi(argv[2]) : 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    run.redis = connect_to(run.url);
    run.steps = argc > 3 ? atoi(argv[3]) : 0;
    if (getenv("SEED"))
        return replay(&run, strtoull(getenv("SEED"), NULL, 10));
    if (wants("fixed"))
        fixed_run(run.url, run.redis);
    if (wants("random"))
        run_both_kinds(&run, histories);
    if (wants("speed"))
        speed_run(run.url, run.redis);
    redisFree(run.redis);
    return tap_end();
}
