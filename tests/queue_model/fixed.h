/* Histories that once went wrong, or might have, each as a test of its own. */
#ifndef QUEUE_MODEL_FIXED_H
#define QUEUE_MODEL_FIXED_H

#include "tests/queue_model/world.h"

void fixed_run(const char *url, redisContext *redis);

#endif
