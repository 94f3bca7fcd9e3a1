/* The parts of `pgusher check` that ask the servers. Each adds what it finds to the problems; err is set only
 * when a server fails to answer. Nothing is changed anywhere. */
#ifndef PGUSHER_CHECK_H
#define PGUSHER_CHECK_H

#include "cdc/session.h"

/* Relations, columns, types, privileges, unique ids, lookups, plans (sequential scans of large tables),
 * tables that are read but not watched, whether capture stands, whether LISTEN is delivered here. */
void check_database(struct session *session, struct problems *problems, struct err *err);

/* Whether this Redis is a primary, new enough, and does not evict queues. */
void check_redis(struct session *session, struct problems *problems, struct err *err);

/* The parts of check_database that look at the SQL of one projection. */
void check_projection_sql(struct session *session, const struct plan_projection *plan,
                          const struct catalog *catalog, struct problems *problems, struct err *err);

#endif
