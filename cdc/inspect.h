/* Looks at documents as they stand in Redis, many at a time; each at one moment of its own (lua/inspect.lua).
 */
#ifndef PGUSHER_INSPECT_H
#define PGUSHER_INSPECT_H

#include <stdint.h>

#include "common/rconn.h"

/* What stands under a key. */
struct found {
    int64_t now_ms;    /* the server's clock, ms since 1970 */
    const char *type;  /* "none", "hash", "string" … */
    int64_t expire_ms; /* < 0: never */
    int64_t version;   /* of a hash; -1: it has none, or no number */
    int64_t gone;      /* the version in the tombstone; -1: there is none */
    const char *digest;
    /* of a hash, without version and digest: name, value, name, value … */
    const struct rreply *fields;
    size_t nfields;
};

/* index: of the key. What was found is valid only now. */
typedef void inspect_fn(void *arg, size_t index, const struct found *found);

/* Calls fn for each key, in any order, and waits for all. 0, or -1 with err set. */
int inspect_keys(struct rconn *rconn, const char *const *keys, size_t count, inspect_fn *fn, void *arg,
                 struct err *err);

#endif
