/* The ids that are being read together, and the document keys that each yields: what rows_index.c works on.
 * Pure. */
#ifndef PGUSHER_ROWS_STRETCH_H
#define PGUSHER_ROWS_STRETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/ids.h"
#include "cdc/plan.h"
#include "common/arena.h"

/* An id, and what it yields. */
struct subject {
    char *index_key;
    bool ambiguous; /* its documents were refused, and those that stand are not its own */
    bool refused;   /* nothing is to be written of it */
    const char **keys;
    size_t count;
    size_t capacity;
    size_t noted;      /* how many of the keys are in the index */
    int64_t expire_ms; /* of the last of its documents; < 0: never */
};

struct stretch {
    const struct plan_projection *projection;
    struct ids *ids;
    struct subject *subjects; /* one per id */
    size_t capacity;
    struct arena *arena; /* the keys */
};

struct stretch *stretch_new(void);
void stretch_free(struct stretch *stretch);
void stretch_clear(struct stretch *stretch);

/* All until stretch_clear are of one projection. */
void stretch_use(struct stretch *stretch, const struct plan_projection *projection);
size_t stretch_count(const struct stretch *stretch);
/* The number of this id, which is added if it is new. */
size_t stretch_subject(struct stretch *stretch, const char *const *id);
/* The same for the id of this key; -1 when the key is not of the projection's form. */
int64_t stretch_subject_of_key(struct stretch *stretch, const char *key);
/* The copy of the key, until stretch_clear. */
const char *stretch_yield(struct stretch *stretch, size_t subject, const char *key, int64_t expire_ms);

#endif
