/* Inside pgusher status: a look at all there is, as one JSON object; what in it needs a person; how it is
 * printed.
 *
 * {"fleets", "changelog", "postgres"} are what cdc/sql/status.sql gives, "redis" and "queues" are asked of
 * Redis, "errors" says what could not be asked, "reasons" what needs a person: [{"fleet", "what", "mend"}].
 */
#ifndef PGUSHER_VERB_STATUS_H
#define PGUSHER_VERB_STATUS_H

#include <jansson.h>

#include "cdc/tool.h"
#include "queue/pgusher-queue.h"

/* What looks are made with: connections stay open from one look to the next. */
struct sight {
    const struct config *config;
    struct loop *loop;
    struct session *pg; /* each has one connection only; NULL, or lost: to be opened */
    struct session *redis;
    struct pgusher_queue **queues; /* as in the configuration; NULL: not opened yet */
    bool stopping;
};

/* The object is the caller's. *ret_status: of the first error; ST_OK: all was seen. */
json_t *sight_look(struct sight *sight, enum status *ret_status);
void sight_end(struct sight *sight);

/* The part that Redis tells. 0, or -1 with err set; what was seen by then is in status. */
int sight_redis(struct sight *sight, json_t *status, struct err *err);
int sight_queues(struct sight *sight, json_t *status, struct err *err);

/* Adds "reasons", and to each fleet its "verdict". */
void status_judge(json_t *status, const struct config *config);

/* Per second, since the look before; null: there is none. The caller's. */
json_t *status_rates(const json_t *now, const json_t *before);
void status_print_rates(const json_t *rates);

void status_print(const json_t *status, const json_t *rates);
void status_print_servers(const json_t *status); /* a part of it */

/* A number of seconds as ms; -1: null or absent. */
int64_t status_ms(const json_t *object, const char *name);
const char *status_text(const json_t *object, const char *name, const char *otherwise);
double status_real(const json_t *object, const char *name); /* 0: null or absent */
/* How many documents the last verify found to be wrong, and did not mend. */
long long status_drift(const json_t *verified);

#endif
