/* A page of changes, as one call of pgusher.read_changes gave it (see cdc/sql/read.sql). Pure. */
#ifndef PGUSHER_PAGE_H
#define PGUSHER_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "cdc/parts.h"
#include "common/arena.h"
#include "common/pg.h"

struct change {
    int capture;
    char **keys; /* NULL: the table was truncated */
    size_t nkeys;
};

/* Everything in it is in its arena. */
struct page {
    struct arena *arena;
    struct change *changes;
    size_t count;
    size_t bytes;         /* of their keys */
    int64_t oldest_at_ms; /* when the oldest one was made, on the monotonic clock; 0: there is none */
    const char *last_xid; /* of the last one; NULL: there is none */
    const char *last_seq;
    const char *upto;
    const char *state;
    struct parts gates; /* that are closed now */
};

/* The columns that page_new reads, in its order. */
#define PAGE_COLUMNS "upto, state, gates, age_ms, xid, seq, capture, keys"

struct page *page_new(const struct pg_rows *rows);
void page_free(struct page *page); /* NULL-safe */

#endif
