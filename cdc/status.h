/* How all there is stands, as one JSON object, and what in it needs a person.
 *
 * {"fleets", "changelog", "postgres"} are what cdc/sql/status.sql gives, "redis" and "queues" are asked of
 * Redis (see look.h), "errors" says what could not be asked, "reasons" what needs a person: [{"fleet",
 * "what", "mend"}]. Pure.
 */
#ifndef PGUSHER_STATUS_JSON_H
#define PGUSHER_STATUS_JSON_H

#include <jansson.h>

#include "cdc/config.h"

/* Adds "reasons", and to each fleet its "verdict". */
void status_judge(json_t *status, const struct config *config);

/* A number of seconds as ms; -1: null or absent. */
int64_t status_ms(const json_t *object, const char *name);
const char *status_text(const json_t *object, const char *name, const char *otherwise);
double status_real(const json_t *object, const char *name); /* 0: null or absent */
/* How many documents the last verify found to be wrong, and did not mend. */
long long status_drift(const json_t *verified);

#endif
