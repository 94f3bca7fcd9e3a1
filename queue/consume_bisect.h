/* Which items of a reservation are run together: all of them first; and when a run failed without saying
 * which item is at fault, each half of what is left of it by itself, until the culprit stands alone.
 *
 * Items are numbers that mean something to the caller. Pure.
 */
#ifndef PGUSHER_CONSUME_BISECT_H
#define PGUSHER_CONSUME_BISECT_H

#include <stddef.h>

struct bisect;

struct bisect *bisect_new(const size_t *items, size_t count); /* copies; no items: no run */
void bisect_free(struct bisect *bisect);                      /* NULL-safe */

/* The items of the next run, or NULL when none is left. They stay readable until the next call. */
const size_t *bisect_next(struct bisect *bisect, size_t *ret_count);
/* `rest`, two items or more of the run that bisect_next gave last, are run again, each half by itself, before
 * any others. May be called once per run. */
void bisect_split(struct bisect *bisect, const size_t *rest, size_t count);
/* No more runs. */
void bisect_clear(struct bisect *bisect);

#endif
