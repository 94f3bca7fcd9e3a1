/* The feed: pages of changes of the partitions this worker owns, their cursors, and the gate (see
 * cdc/sql/read.sql, read_changes).
 *
 * Partitions with the same cursor are read together, as a group. Usually there is one group; a partition
 * taken over from another worker comes with a cursor of its own, and the groups are then driven to a common
 * snapshot, where they become one.
 *
 * A page is what feed_next gave; feed_advance says that all its effects are complete. Behind a full one there
 * are more, so the next one is larger, and may be asked for while the one at hand is still being written.
 * Cursors are saved now and then (feed_save): what was applied since the last save is applied again after a
 * crash, which the version guard makes harmless.
 */
#ifndef PGUSHER_FEED_H
#define PGUSHER_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "cdc/page.h"
#include "cdc/session.h"

enum feed_state {
    FEED_WORK,   /* there is a page, maybe an empty one */
    FEED_ASLEEP, /* nothing to do, and whoever changes something will notify */
    FEED_POLL,   /* nothing to do now, but a writer is about to commit without notifying: ask again soon */
};

struct feed;

struct feed *feed_new(struct session *session);
void feed_free(struct feed *feed); /* NULL-safe */

/* From now on this partition is read, too, from its cursor (copied). */
void feed_add(struct feed *feed, int part, const struct cursor *cursor);
/* Gives these partitions up, gates and ownership; their cursors are saved first. Between pages only. 0, or -1
 * with err set. */
int feed_hand_over(struct feed *feed, const struct parts *parts, struct err *err);

/* Reads the next page. 0 with *ret_state set, or -1 with err set. There must be a partition. */
int feed_next(struct feed *feed, enum feed_state *ret_state, struct err *err);
const struct change *feed_changes(const struct feed *feed, size_t *ret_count);
/* How old the oldest change of the page is by now; -1: there is none. */
int64_t feed_age_ms(const struct feed *feed);
/* Nothing more is to be asked for this page: the next one, if it is known to be there, may be read meanwhile.
 */
void feed_read_ahead(struct feed *feed);
/* All effects of the page are complete. */
void feed_advance(struct feed *feed);

/* Whether a cursor moved over changes since it was saved. */
bool feed_is_unsaved(const struct feed *feed);
/* Saves the cursors that moved, beside the data and (`also_in_pg`, or when they are to be complete) in
 * PostgreSQL. 0, or -1 with err set. */
int feed_save(struct feed *feed, bool also_in_pg, struct err *err);

#endif
