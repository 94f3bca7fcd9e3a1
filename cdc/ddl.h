/* Changes to what the database is made of: a composed script runs in one transaction, beside live traffic.
 *
 * Waiting for a table's lock holds up that table's writers, so each try waits shortly, and there are many. */
#ifndef PGUSHER_DDL_H
#define PGUSHER_DDL_H

#include "cdc/session.h"
#include "common/status.h"

/* What a script is composed from must not change before it runs: one install, or drop of a fleet, at a time.
 * The session has the lock until its end. 0, or -1 with err set. */
int ddl_lock(struct session *session, struct err *err);

/* The script with BEGIN, a short lock_timeout, and COMMIT; the caller frees. */
char *ddl_in_transaction(const char *script);

/* Runs such a script; says on stderr when it has to try again. 0, or -1 with err set. */
int ddl_run(struct session *session, const char *transaction, struct err *err);

#endif
