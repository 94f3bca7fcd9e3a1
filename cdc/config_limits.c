#include "cdc/config_limits.h"

#include <string.h>

enum { MAX_PARTITIONS = 256, MAX_REPLICAS = 100 };
enum { MIN_CANARY_MS = 1000, MAX_CANARY_MS = 3600000, DEFAULT_CANARY_MS = 30000 };
enum { MIN_LIMIT_MS = 1000, MAX_LIMIT_DAYS = 366, DEFAULT_WAIT_MS = 200, MAX_WAIT_MS = 60000 };

enum { MIN_SWEEP_MS = 100, DEFAULT_SWEEP_MS = 10000, MAX_SWEEP_MS = 3600000 };

#define MAX_LIMIT_MS (MAX_LIMIT_DAYS * INT64_C(86400000))
#define MAX_LAG_ROWS INT64_C(1000000000000)
#define MAX_SAMPLE INT64_C(1000000000)

static const char *const max_lag_keys[] = {"rows", "age", NULL};
static const char *const redis_wait_keys[] = {"replicas", "timeout", NULL};
static const char *const verify_keys[] = {"every", "sample", NULL};

static int64_t read_limit_ms(const struct jnode *object, const char *name)
{
    struct jnode node = jconf_member(object, name);
    int64_t ms = jconf_duration_ms(object, name, MIN_LIMIT_MS);

    if (!node.value)
        return 0;
    if (ms < MIN_LIMIT_MS || ms > MAX_LIMIT_MS)
        jconf_problem(&node, "must be between 1 s and %d days", MAX_LIMIT_DAYS);
    return ms;
}

static void read_changelog(const struct jnode *root, struct config *config)
{
    struct jnode max_lag = jconf_member(root, "max_lag");

    config->partitions = (int)jconf_integer(root, "partitions", 1, MAX_PARTITIONS, 0);
    config->look_back_ms = read_limit_ms(root, "look_back");
    if (!max_lag.value || !jconf_is_object(&max_lag))
        return;
    jconf_known(&max_lag, max_lag_keys);
    config->max_lag_rows = jconf_integer(&max_lag, "rows", 1, MAX_LAG_ROWS, 0);
    config->max_lag_age_ms = read_limit_ms(&max_lag, "age");
}

static void read_sweep(const struct jnode *root, struct config *config)
{
    struct jnode node = jconf_member(root, "sweep");

    config->sweep_ms = jconf_duration_ms(root, "sweep", DEFAULT_SWEEP_MS);
    if (config->sweep_ms < MIN_SWEEP_MS || config->sweep_ms > MAX_SWEEP_MS)
        jconf_problem(&node, "must be between %d ms and 1 h: how often documents whose date passed are told",
                      MIN_SWEEP_MS);
}

static void read_redis_wait(const struct jnode *root, struct config *config)
{
    struct jnode node = jconf_member(root, "redis_wait");
    struct jnode timeout;

    if (!node.value || !jconf_is_object(&node))
        return;
    jconf_known(&node, redis_wait_keys);
    config->wait_replicas = (int)jconf_integer(&node, "replicas", 0, MAX_REPLICAS, 1);
    config->wait_timeout_ms = jconf_duration_ms(&node, "timeout", DEFAULT_WAIT_MS);
    timeout = jconf_member(&node, "timeout");
    if (config->wait_timeout_ms < 1 || config->wait_timeout_ms > MAX_WAIT_MS)
        jconf_problem(&timeout, "must be between 1 ms and %d s", MAX_WAIT_MS / 1000);
}

static bool is_off(const struct jnode *node)
{
    return json_is_string(node->value) && strcmp(json_string_value(node->value), "off") == 0;
}

static void read_canary(const struct jnode *root, struct config *config)
{
    struct jnode node = jconf_member(root, "canary");

    config->canary_ms = is_off(&node) ? 0 : jconf_duration_ms(root, "canary", DEFAULT_CANARY_MS);
    if (config->canary_ms && (config->canary_ms < MIN_CANARY_MS || config->canary_ms > MAX_CANARY_MS))
        jconf_problem(&node, "must be between 1 s and 1 h, or \"off\"");
}

static void read_verify(const struct jnode *root, struct config *config)
{
    struct jnode node = jconf_member(root, "verify");
    struct jnode every;

    if (!node.value || !jconf_is_object(&node))
        return;
    jconf_known(&node, verify_keys);
    every = jconf_member(&node, "every");
    if (!every.value)
        jconf_problem(&every, "is missing: how often the workers compare Redis with PostgreSQL, for example "
                              "\"1 h\"");
    config->verify_every_ms = read_limit_ms(&node, "every");
    config->verify_sample = jconf_integer(&node, "sample", 1, MAX_SAMPLE, 0);
}

void config_read_limits(const struct jnode *root, struct config *config)
{
    read_changelog(root, config);
    read_sweep(root, config);
    read_redis_wait(root, config);
    read_canary(root, config);
    read_verify(root, config);
}
