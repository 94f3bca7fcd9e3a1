/* A cursor: how far the changes of some partitions are applied. Pure.
 *
 * Everything visible in `done` is applied, and, while `upto` is set, what `upto` sees beyond it up to
 * (at_xid, at_seq) too. All in PostgreSQL's text form.
 */
#ifndef PGUSHER_CURSOR_H
#define PGUSHER_CURSOR_H

#include <stdbool.h>

struct cursor {
    char *done; /* pg_snapshot; NULL: there is no cursor */
    char *upto; /* pg_snapshot; NULL between batches */
    char *at_xid;
    char *at_seq;
};

void cursor_free(struct cursor *cursor); /* what it holds; it is empty afterwards */
/* Copies; what the cursor held before is freed. upto may be NULL. */
void cursor_set(struct cursor *cursor, const char *done, const char *upto, const char *at_xid,
                const char *at_seq);
void cursor_copy(struct cursor *to, const struct cursor *from);
bool cursor_equal(const struct cursor *a, const struct cursor *b);
/* Everything that `upto` sees is applied. */
void cursor_end_batch(struct cursor *cursor);

/* One line of text, "done|upto|at_xid|at_seq"; the caller frees. */
char *cursor_encode(const struct cursor *cursor);
/* 0, or -1 when the text is none (NULL is none); *ret_cursor is untouched then. */
int cursor_decode(const char *text, struct cursor *ret_cursor);

/* Makes *cursor one that is not ahead of `other`: what both say is applied, is. Of two different batches from
 * the same `done` neither can be compared, so that batch begins again. */
void cursor_hold_back(struct cursor *cursor, const struct cursor *other);

#endif
