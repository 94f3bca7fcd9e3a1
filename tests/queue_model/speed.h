/* Invariant 15: no script holds Redis up for more than 5 ms, however many items wait. By the time that Redis
 * itself measures, the shortest of several tries; in calls of 500 items, which is what the programs send. (rm
 * searches the list, and says so.) */
#ifndef QUEUE_MODEL_SPEED_H
#define QUEUE_MODEL_SPEED_H

#include "tests/queue_model/world.h"

void speed_run(const char *url, redisContext *redis);

#endif
