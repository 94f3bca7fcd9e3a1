/* The fleet: which partitions this worker owns. PostgreSQL is the only coordinator (see pgusher.share in
 * cdc/sql/share.sql): a worker holds a presence lock, and a lock for each partition it owns; all take their
 * fair share of those that are free, and who has more than its share gives the rest up.
 *
 * The share is asked for without waiting, twice a second while there are others or something is missing: that
 * is also the sign of life by which they tell that this worker is not stopped. A worker that is
 * alone and has everything asks when another one announces itself, and every 30 s, for it may not have heard.
 */
#ifndef PGUSHER_FLEET_H
#define PGUSHER_FLEET_H

#include "cdc/feed.h"

struct fleet;

/* The session must outlive it. Announces this worker; `session->wake` is called when there is news. */
struct fleet *fleet_join(struct session *session, struct err *err);
void fleet_free(struct fleet *fleet); /* NULL-safe */
/* A payload that the session was told. */
void fleet_told(struct fleet *fleet, const char *payload);

/* Whether the last answer was not taken in yet. */
bool fleet_has_news(const struct fleet *fleet);
/* Takes it in: gives up what is too much, begins to read what was gained (*ret_gained: there was some).
 * Between pages only. 0, or -1 with err set. */
int fleet_follow(struct fleet *fleet, struct feed *feed, bool *ret_gained, struct err *err);
/* Workers of this fleet at the last answer, this one included. */
int fleet_workers(const struct fleet *fleet);

/* For --once: all partitions at once, without being a member. *ret_owned says whether nobody else has any. */
int fleet_own_all(struct session *session, struct feed *feed, bool *ret_owned, struct err *err);

#endif
