/* The part of config.h that says how far a fleet may stay behind, what it waits for, and how often it is
 * tried and compared: "partitions", "look_back", "max_lag", "redis_wait", "canary", "sweep", "verify". */
#ifndef PGUSHER_CONFIG_LIMITS_H
#define PGUSHER_CONFIG_LIMITS_H

#include "cdc/config.h"
#include "common/jconf.h"

void config_read_limits(const struct jnode *root, struct config *config);

#endif
