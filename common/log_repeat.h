/* What would be said again and again: keeps a log readable while something lasts. Pure: the time is given.
 *
 * A log_repeat is for one complaint after another, such as "cannot connect: …": the same text is news once a
 * minute. A log_quota is for many different ones at a time, such as one per document: so many within a
 * minute. Zero-initialise both. */
#ifndef PGUSHER_LOG_REPEAT_H
#define PGUSHER_LOG_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

struct log_repeat {
    char text[768];
    int64_t said_ms;
    int64_t unsaid;
};

/* Whether to say it; then ret_unsaid is how often the same was not said since the last time. */
bool log_repeat_is_news(struct log_repeat *repeat, const char *text, int64_t now_ms, int64_t *ret_unsaid);
/* It is over: whatever comes is news. */
void log_repeat_clear(struct log_repeat *repeat);

enum log_say { LOG_SAY, LOG_SAY_AS_LAST, LOG_SAY_NOT };

struct log_quota {
    int64_t began_ms;
    int said;
};

enum log_say log_quota_take(struct log_quota *quota, int64_t now_ms);

#endif
