/* How all fleets and the changelog stand, as PostgreSQL tells it: the object that cdc/sql/status.sql
 * describes. */
#ifndef PGUSHER_STANDING_H
#define PGUSHER_STANDING_H

#include <jansson.h>

#include "cdc/session.h"
#include "common/status.h"

/* The caller's; NULL with err set. The session is connected. */
json_t *standing_ask(struct session *session, struct err *err);

/* The same of the answer to sql_status. */
json_t *standing_take(const struct pg_rows *rows, struct err *err);

/* Puts it in plain words when a query failed because it met no schema pgusher, or that of another version. */
void standing_explain(struct err *err);

long long standing_integer(const json_t *object, const char *name);
const char *standing_text(const json_t *object, const char *name); /* NULL: there is none */

#endif
