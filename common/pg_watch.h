/* Asks the server, over a second connection, what became of a session that does not answer.
 *
 * A query may take minutes, so silence says nothing; and a proxy, or a stopped server whose standby was
 * promoted, keeps a connection open that leads nowhere, so the kernel says nothing either. But the server, or
 * whoever is the primary by now, knows whether the session exists and whether its answer was sent long ago.
 * Behind a pooler, which makes up the numbers of its sessions, nothing is concluded. */
#ifndef PGUSHER_PG_WATCH_H
#define PGUSHER_PG_WATCH_H

#include "common/pg.h"

struct pg_watch;

/* dead: why the session is of no use any more; NULL: it is at work, or nobody knows, and then unknown says
 * why. */
typedef void pg_watch_fn(void *arg, const char *dead, const char *unknown);

/* Calls fn once, from the loop, within seconds. The callee frees the watch, now or later. */
struct pg_watch *pg_watch_new(struct loop *loop, const struct pg_target *target, int backend_pid,
                              pg_watch_fn *fn, void *arg);
void pg_watch_free(struct pg_watch *watch); /* NULL-safe */

#endif
