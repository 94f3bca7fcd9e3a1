#include "cdc/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/snapshot.h"
#include "common/mem.h"

void cursor_free(struct cursor *cursor)
{
    free(cursor->done);
    free(cursor->upto);
    free(cursor->at_xid);
    free(cursor->at_seq);
    *cursor = (struct cursor){0};
}

void cursor_set(struct cursor *cursor, const char *done, const char *upto, const char *at_xid,
                const char *at_seq)
{
    mem_replace(&cursor->done, done);
    mem_replace(&cursor->upto, upto);
    mem_replace(&cursor->at_xid, at_xid);
    mem_replace(&cursor->at_seq, at_seq);
}

void cursor_copy(struct cursor *to, const struct cursor *from)
{
    cursor_set(to, from->done, from->upto, from->at_xid, from->at_seq);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool cursor_equal(const struct cursor *a, const struct cursor *b)
{
    return same(a->done, b->done) && same(a->upto, b->upto) && same(a->at_xid, b->at_xid) &&
           same(a->at_seq, b->at_seq);
}

void cursor_end_batch(struct cursor *cursor)
{
    free(cursor->done);
    cursor->done = cursor->upto;
    cursor->upto = NULL;
    mem_replace(&cursor->at_xid, "0");
    mem_replace(&cursor->at_seq, "0");
}

/* ---- as text ---- */

char *cursor_encode(const struct cursor *cursor)
{
    return mem_printf("%s|%s|%s|%s", cursor->done, cursor->upto ? cursor->upto : "", cursor->at_xid,
                      cursor->at_seq);
}

/* A bigint, as PostgreSQL takes one. */
static bool is_number(const char *text)
{
    errno = 0;
    return *text && strspn(text, "0123456789") == strlen(text) && strtoll(text, NULL, 10) >= 0 && errno == 0;
}

int cursor_decode(const char *text, struct cursor *ret_cursor)
{
    char *copy = mem_strdup(text ? text : "");
    char *rest = copy;
    const char *done = strsep(&rest, "|"), *upto = strsep(&rest, "|");
    const char *at_xid = strsep(&rest, "|"), *at_seq = strsep(&rest, "|");
    bool valid = at_seq && !rest && snapshot_ordinal(done) >= 0 && (!*upto || snapshot_ordinal(upto) >= 0) &&
                 is_number(at_xid) && is_number(at_seq);

    if (valid)
        cursor_set(ret_cursor, done, *upto ? upto : NULL, at_xid, at_seq);
    free(copy);
    return valid ? 0 : -1;
}

/* ---- order ---- */

static bool is_behind(const struct cursor *a, const struct cursor *b)
{
    unsigned long long ax = strtoull(a->at_xid, NULL, 10), bx = strtoull(b->at_xid, NULL, 10);

    return ax < bx || (ax == bx && strtoull(a->at_seq, NULL, 10) < strtoull(b->at_seq, NULL, 10));
}

void cursor_hold_back(struct cursor *cursor, const struct cursor *other)
{
    int64_t own = snapshot_ordinal(cursor->done), theirs = snapshot_ordinal(other->done);

    if (theirs < own)
        cursor_copy(cursor, other);
    if (theirs != own)
        return;
    if (!same(cursor->done, other->done) || !same(cursor->upto, other->upto))
        cursor_set(cursor, cursor->done, NULL, "0", "0");
    else if (cursor->upto && is_behind(other, cursor))
        cursor_copy(cursor, other);
}
