/* What a history says of itself: its last steps, and what is broken. */
#ifndef QUEUE_MODEL_REPORT_H
#define QUEUE_MODEL_REPORT_H

#include "tests/queue_model/world.h"

/* How lively the histories were: a test that never loses an answer proves nothing about lost answers. */
enum event {
    EVENT_GIVEN,
    EVENT_SETTLED,
    EVENT_STALE,
    EVENT_REQUEUED,
    EVENT_DIED,
    EVENT_MOVED,
    EVENT_LAPSED,
    EVENT_LOST,
    EVENTS
};
void world_count(enum event event, size_t count);
void world_count_anew(void);
/* As a comment; whether each has happened at least `least` times. */
bool world_was_lively(size_t least);

void world_note(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* False. The first one counts. */
bool world_broken(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* As comments of TAP: why, the seed, the last steps, and all keys. */
void world_report(struct world *world);

#endif
