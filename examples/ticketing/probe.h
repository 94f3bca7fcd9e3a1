/* probe: looks at the ticketing example from outside, as an application and its web servers would.
 *
 *     probe latency CONNINFO REDIS-SOCKET RATE SECONDS
 *     probe compare CONNINFO REDIS-SOCKET EVENT-GRACE TICKET-GRACE
 *
 * latency   RATE times a second raises the price of one ticket by a cent, and takes the time from the moment
 *           COMMIT has returned until the ticket's hash shows the new price. Nothing else should change
 * prices. compare   holds every row of event_card and ticket_card against its hash, field by field, with its
 * date of expiry, and looks for hashes that no row has. The graces are intervals, such as '10 days'. Right
 * only while the worker has caught up and nothing changes.
 *
 * On purpose it shares no code with pgusher, knows nothing of how pgusher works, and uses the blocking calls
 * of libpq and hiredis. It may end at the first failure, without freeing anything. Exit status: 0 all is as
 * it should be, 1 it is not, 64 usage, 69 a server is not there.
 */
#ifndef EXAMPLES_TICKETING_PROBE_H
#define EXAMPLES_TICKETING_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <hiredis/hiredis.h>
#include <libpq-fe.h>

enum { EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69 };

struct servers {
    PGconn *pg;
    redisContext *redis;
};

/* The verbs; they return the exit status. */
int latency(const struct servers *servers, const char *rate, const char *seconds);
int compare(const struct servers *servers, const char *event_grace, const char *ticket_grace);

void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

PGresult *checked(PGconn *pg, PGresult *result); /* itself, if the statement succeeded */
void run(PGconn *pg, const char *sql);
redisReply *next_reply(redisContext *redis); /* the caller frees it with freeReplyObject */

int64_t now_us(clockid_t id);
int by_size(const void *a, const void *b); /* for qsort and bsearch of int64_t */
const char *grouped(int64_t number);       /* 212315 as 212,315; holds for the next seven calls */

#endif
