/* What the fixed histories are written with. Each step looks at all invariants afterwards; the first thing
 * that is not as it should be ends the history. Documents are numbers; a push changes the document first. */
#ifndef QUEUE_MODEL_FIXED_KIT_H
#define QUEUE_MODEL_FIXED_KIT_H

#include "tests/queue_model/native.h"
#include "tests/queue_model/snapshot.h"

typedef void fixed_test(struct world *world);

struct fixed {
    const char *name;
    fixed_test *test;
    enum { NATIVE, STRICT, WITH_PLAIN, NO_COALESCING } kind; /* STRICT: 2 failures, 1 crash */
};

/* Tables that end with a NULL name. */
extern const struct fixed fixed_waiting[], fixed_moves[], fixed_leases[], fixed_failures[], fixed_answers[],
    fixed_later[], fixed_many[], fixed_plain[];

#define MUST(world, condition) fixed_must(world, condition, __FILE__, __LINE__, #condition)
void fixed_must(struct world *world, bool condition, const char *file, int line, const char *text);

struct handle *new_consumer(struct world *world);
enum pgusher_queue_pushed push(struct world *world, int doc);
enum pgusher_queue_pushed push_later(struct world *world, int doc);
void push_range(struct world *world, int first, int last);
/* What the consumer reserves, and reads at once, must be `count` items. NULL for 0. */
struct holding *take(struct world *world, struct handle *handle, size_t max, size_t count);
void ack(struct world *world, struct handle *handle, struct holding *holding);
void nack(struct world *world, struct handle *handle, struct holding *holding, int64_t delay_ms);
void release(struct world *world, struct handle *handle, struct holding *holding);
void settle_one(struct world *world, struct handle *handle, struct holding *holding, size_t index,
                enum verdict verdict, int64_t delay_ms);
/* A blocking move brings `doc`; nobody hears of it. */
void move(struct world *world, struct handle *handle, int doc);
/* It will not come back; but a test may go on with it as with a zombie. */
void crash(struct handle *handle);
void wait_for(struct world *world, int64_t ms);
int recover(struct world *world); /* how many came back */
void look(struct world *world);   /* at all invariants */
/* Where a document is now; valid until the next call. */
const struct place *place(struct world *world, int doc);
size_t waiting(struct world *world);
int64_t age_of_oldest(struct world *world); /* as stats tells it, -1 none */
/* Acks all there is, in the order in which it comes. Returns how many were given. */
size_t finish(struct world *world, struct handle *handle, int *order);

#endif
