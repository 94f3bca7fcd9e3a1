/* A look at all there is: all fleets and the changelog, as PostgreSQL tells it; the primaries of Redis, whose
 * data they hold, and the queues. On connections of its own, without waiting for either server, so that it
 * can be had in the middle of anything, and one server is seen while the other one hangs.
 *
 * Connections stay open from one look to the next.
 */
#ifndef PGUSHER_LOOK_H
#define PGUSHER_LOOK_H

#include <stdbool.h>

#include "cdc/config.h"
#include "common/loop.h"
#include "common/status.h"

struct look;

/* The configuration and the name must outlive it. `details`: also what is in quarantine and the dead letters,
 * as "quarantine" of the whole and "dead_letters" of each queue, the last few of them. */
struct look *look_new(struct loop *loop, const struct config *config, const char *application, bool details);
void look_free(struct look *look); /* NULL-safe; `done` is not called any more */

/* Begins a new one, unless one is under way. `done` is called from the loop when both servers have answered
 * or failed; it must not free the look. */
void look_begin(struct look *look, loop_fn *done, void *arg);
bool look_is_under_way(const struct look *look);
/* Ends both connections, and what is under way. */
void look_rest(struct look *look);

/* What is known by now, judged: what was not answered (yet) is absent, and "errors" says so. The object is
 * the caller's. *ret_status: of the first error; ST_OK: all was seen. */
json_t *look_status(const struct look *look, enum status *ret_status);

#endif
