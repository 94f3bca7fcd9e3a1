/* Exponential backoff with full jitter: each wait is drawn uniformly from [base/2, current], current
 * doubles up to a cap. (Idea: M. Brooker, "Exponential Backoff And Jitter", 2015.) */
#ifndef PGUSHER_BACKOFF_H
#define PGUSHER_BACKOFF_H

#include <stdint.h>

struct backoff {
    int64_t base_ms;
    int64_t cap_ms;
    int64_t current_ms; /* 0 = fresh */
};

void backoff_init(struct backoff *backoff, int64_t base_ms, int64_t cap_ms);
int64_t backoff_next(struct backoff *backoff); /* how long to wait now, in ms */
void backoff_reset(struct backoff *backoff);   /* call when the thing works again */

#endif
