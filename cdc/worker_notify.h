/* What pgusherd tells the service manager, by sd_notify(3): through libsystemd, so a build without that, or a
 * process without $NOTIFY_SOCKET, tells nobody.
 *
 *   READY=1      once, when the first catch-up read stands: this worker has applied all that was there, or
 * has joined a fleet in which others own every partition. Not before, however long a server is away;
 * meanwhile EXTEND_TIMEOUT_USEC keeps the start from being given up. STATUS=      what it is at, its rates
 * and its lag; or which server it waits for, and since when. RELOADING=1  at SIGHUP; READY=1 again when the
 * new configuration is adopted or refused. STOPPING=1   at SIGTERM. WATCHDOG=1   by the rule below. Before
 * READY=1 the same rule decides whether the start is given more time.
 *
 * The rule: a sign of life is given only when, since the last one, the apply loop
 *   - completed a step: a page, a chore, a nap behind the gate, a pause before it tries again what failed;
 * or, in the middle of a long step, wrote a document, or got an answer of PostgreSQL that it had waited for;
 * or
 *   - waits for PostgreSQL, has done so for a while, and STATUS says it: a request is under way, or a
 * connection. That may last for minutes and is not this process's fault; pg_watch.h finds out about
 * connections that lead nowhere. No such exception is made for Redis, which is given up after
 * RCONN_DEADLINE_MS: that is the end of a step. A timer looks whether that is so, and says nothing when it is
 * not. What no step of the apply loop asked for (the row in pgusher.worker, the look at Redis every second)
 * does not count. So a process that is stopped, that spins, or in which the apply loop waits for something
 * that nobody will bring, is restarted; one whose server hangs is not. Not noticed: a step that never ends
 * although it is answered.
 */
#ifndef PGUSHER_WORKER_NOTIFY_H
#define PGUSHER_WORKER_NOTIFY_H

#include <stdint.h>

#include "common/status.h"

struct notify;
struct worker;

/* The worker must outlive it. */
struct notify *notify_new(const struct worker *worker);
void notify_free(struct notify *notify); /* NULL-safe */

void notify_ready(struct notify *notify);
/* A step was completed. */
void notify_step(struct notify *notify);
/* Why there is no session; it will be tried again. */
void notify_failed(struct notify *notify, const struct err *why);
void notify_reloading(struct notify *notify);
void notify_reloaded(struct notify *notify);
void notify_stopping(struct notify *notify);

/* A nap that is longer would look like standing still. */
int64_t notify_longest_nap_ms(const struct notify *notify);

#endif
