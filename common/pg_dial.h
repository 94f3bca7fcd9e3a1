/* Finds the server to talk to among all that a conninfo names: the first that is up and of the wanted kind.
 *
 * libpq's own search stands still at a host that does not answer, and ends at one that answers badly. Here
 * each address of each host is tried by itself, in the order given: the next begins as soon as one has
 * failed, or is a moment late, and the first that is up ends the others. One that refused is asked again
 * while another is still awaited: it may be starting. (Idea: RFC 8305, "Happy Eyeballs Version 2".) With
 * several hosts a standby is not taken unless the conninfo asks for one by target_session_attrs. Not looked
 * at: which of them was the last one.
 *
 * One address may take the conninfo's connect_timeout. For so long after the beginning those that refused are
 * asked again, so that the whole ends within twice that, and a quarter of a second for each address. */
#ifndef PGUSHER_PG_DIAL_H
#define PGUSHER_PG_DIAL_H

#include <libpq-fe.h>

#include "common/pg.h"

struct pg_dial;

/* Called once, from the loop: a connection that is up and now the callee's, or NULL and why there is none.
 * The callee frees the dial, now or later. */
typedef void pg_dial_fn(void *arg, PGconn *conn, const struct err *err);

/* Copies the target. */
struct pg_dial *pg_dial_new(struct loop *loop, const struct pg_target *target, pg_dial_fn *fn, void *arg);
void pg_dial_free(struct pg_dial *dial); /* gives up. NULL-safe */

#endif
