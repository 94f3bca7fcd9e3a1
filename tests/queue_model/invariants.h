/* What must be true of the keys at any moment, whatever happened: the invariants of the queue, by their
 * numbers. The others are looked at where they can be broken: 7, 8, 9 and 10 by native.h, 11 by steps.h, 13
 * by drain.h, 15 by speed.h. */
#ifndef QUEUE_MODEL_INVARIANTS_H
#define QUEUE_MODEL_INVARIANTS_H

#include "tests/queue_model/snapshot.h"

bool invariants_hold(struct world *world, const struct snapshot *snapshot);
bool invariants_check(struct world *world); /* of a snapshot taken now */

#endif
