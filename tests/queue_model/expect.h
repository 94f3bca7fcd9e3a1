/* What one call must have changed, by all keys before and after it. */
#ifndef QUEUE_MODEL_EXPECT_H
#define QUEUE_MODEL_EXPECT_H

#include "tests/queue_model/native.h"
#include "tests/queue_model/snapshot.h"

/* held[i]: item i of the holding was among those to be settled, and held. */
bool expect_settled(struct world *world, const struct snapshot *before, const struct snapshot *after,
                    const struct holding *holding, const bool *held, enum verdict verdict, int64_t delay_ms);
/* One push of different documents to a queue that coalesces. */
bool expect_pushed(struct world *world, const struct snapshot *before, const int *docs, size_t count,
                   const enum pgusher_queue_pushed *outcomes);

#endif
