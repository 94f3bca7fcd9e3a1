/* The feed: pages of changes from the changelog, the fleet's cursor, and the gate (see cdc/sql/schema.sql,
 * read_changes).
 *
 * A page is what feed_next gave; feed_advance says that all its effects are complete. The cursor is saved
 * in PostgreSQL now and then (feed_save): what was applied since the last save is applied again after a
 * crash, which the version guard makes harmless.
 */
#ifndef PGUSHER_FEED_H
#define PGUSHER_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "cdc/session.h"

enum feed_state {
    FEED_WORK,   /* there is a page, maybe an empty one */
    FEED_ASLEEP, /* nothing to do, and whoever changes something will notify */
    FEED_POLL,   /* nothing to do now, but a writer is about to commit without notifying: ask again soon */
};

struct change {
    int capture;
    char **keys; /* NULL: the table was truncated */
    size_t nkeys;
};

struct feed;

struct feed *feed_new(struct session *session);
void feed_free(struct feed *feed); /* NULL-safe */

/* Reads the next page. 0 with *ret_state set, or -1 with err set. */
int feed_next(struct feed *feed, enum feed_state *ret_state, struct err *err);
const struct change *feed_changes(const struct feed *feed, size_t *ret_count);
/* All effects of the page are complete. */
void feed_advance(struct feed *feed);
/* Whether the cursor moved over changes since it was written. */
bool feed_is_unsaved(const struct feed *feed);
/* Writes the cursor when it moved over changes since the last time. 0, or -1 with err set. */
int feed_save(struct feed *feed, struct err *err);

#endif
