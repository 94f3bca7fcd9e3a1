/* The end of a history: every consumer has crashed, one new one empties the queue; then 13 must be true. */
#ifndef QUEUE_MODEL_DRAIN_H
#define QUEUE_MODEL_DRAIN_H

#include "tests/queue_model/world.h"

bool drain(struct world *world);

#endif
