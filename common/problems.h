/* A list of what is wrong (or doubtful), each with the place and the mend, so that one run tells all of it.
 */
#ifndef PGUSHER_PROBLEMS_H
#define PGUSHER_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

enum problem_level { PROBLEM_ERROR, PROBLEM_WARNING };

struct problem {
    enum problem_level level;
    char *place; /* JSON path such as projections.event.watch.ticket; "" for the whole */
    char *text;
};

struct problems {
    struct problem *list;
    size_t count;
    size_t capacity;
    size_t errors;
};

void problems_add(struct problems *problems, enum problem_level level, const char *place, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
void problems_free(struct problems *problems); /* empties it */

/* Of `count` names the one most like `wanted` (edit distance at most a third of its length, rounded up), or
 * NULL. */
const char *suggest(const char *wanted, const char *const *names, size_t count);

#endif
