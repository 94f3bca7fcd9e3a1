/* How many documents a step of a backfill takes while live changes wait for it. A step is meant to be short,
 * but it has a cost of its own besides that of its documents: round trips, and on a busy machine the wait for
 * a processor. Where that is what takes the time, small steps only make the backfill longer.
 */
#ifndef PGUSHER_PACE_H
#define PGUSHER_PACE_H

#include <stdint.h>

enum { PACE_SMALL = 10, PACE_LARGE = 100 };

/* All zero: nothing is known yet. */
struct pace {
    double small_ms, large_ms; /* what such a step took of late; 0: not known */
    int since_large;           /* small steps */
};

/* PACE_SMALL or PACE_LARGE. */
int pace_choose(const struct pace *pace);
/* A step for so many took so long and met so many documents. */
void pace_took(struct pace *pace, int limit, int64_t count, int64_t ms);

#endif
