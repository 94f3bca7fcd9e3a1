/* How a document as its row has it differs from the hash that stands in Redis. Pure.
 *
 * Texts are not NUL-terminated and live as long as what was compared.
 */
#ifndef PGUSHER_COMPARE_H
#define PGUSHER_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

struct rreply;

struct text {
    const char *data; /* NULL: there is none */
    size_t len;
};

struct difference {
    struct text field;
    struct text wanted; /* in PostgreSQL; none: the hash has a field too many */
    struct text found;  /* in Redis; none: the hash lacks this field */
};

typedef void compare_fn(void *arg, const struct difference *difference);

/* Walks over the fields of a document (see document.h): takes name and value at *at, which moves on. False at
 * the end. */
bool fields_next(const struct buf *fields, size_t *at, struct text *ret_name, struct text *ret_value);

/* Compares the fields of a document with the reply to HGETALL, in which our own (_v, _d) do not count. Tells
 * fn (may be NULL) each difference, and gives how many there are. */
size_t compare_fields(const struct buf *fields, const struct rreply *hash, compare_fn *fn, void *arg);

/* The value of a field in the reply to HGETALL. */
struct text hash_field(const struct rreply *hash, const char *name);

/* Whether the hash ends when its document does: expire_ms as in document.h, against the reply to
 * PEXPIRETIME. */
bool compare_expiry(int64_t expire_ms, int64_t pexpiretime);

#endif
