/* Time. Durations and deadlines use the monotonic clock; what leaves the program (a TTL, a log line)
 * uses the wall clock. */
#ifndef PGUSHER_CLOCK_H
#define PGUSHER_CLOCK_H

#include <stdint.h>

int64_t clock_mono_us(void);
int64_t clock_mono_ms(void);
int64_t clock_boot_ms(void); /* as the monotonic one, but it goes on while the machine is suspended */
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */

/* How far another clock is ahead of this one (behind: negative), which was asked at `before` and had answered
 * by `after`; 0 when it may be the same. */
int64_t clock_offset_ms(int64_t theirs_ms, int64_t before_ms, int64_t after_ms);

/* Reads "200 ms", "30 s", "5 min", "1 h", "10 days", "2 weeks" (unit required unless the number is 0;
 * fractions allowed; at most 100 years). 0 on success, -1 when it is no duration. */
int duration_parse(const char *text, int64_t *ret_ms);

#endif
