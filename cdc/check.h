/* The parts of `pgusher check` that ask the servers. Each adds what it finds to the problems; err is set only
 * when a server fails to answer. Nothing is changed anywhere.
 *
 * One cause is told once: what follows from a mistake that is in the problems already is not looked for.
 */
#ifndef PGUSHER_CHECK_H
#define PGUSHER_CHECK_H

#include "cdc/needs.h"
#include "cdc/session.h"

/* Relations, columns, types, privileges, unique ids, lookups, plans (sequential scans of large tables),
 * tables that are read but not watched, whether capture stands and fires, whether LISTEN is delivered here.
 */
void check_database(struct session *session, struct problems *problems, struct err *err);

/* Whether this Redis is a primary, new enough, keeps what is in queues, has room, lets us do what we need,
 * and has the same time. */
void check_redis(struct session *session, struct problems *problems, struct err *err);

/* What needs no server, beyond what config_load refuses. */
void check_settings(const struct config *config, struct problems *problems);

/* ---- parts of check_database ---- */

/* The SQL of one projection: is the id unique, do lookups run. */
void check_projection_sql(struct session *session, const struct plan_projection *plan,
                          const struct catalog *catalog, struct problems *problems, struct err *err);

/* Tables that a source reads, directly or through other views, and whose changes lead to nothing. */
void check_coverage(struct session *session, const struct catalog *catalog, struct problems *problems,
                    struct err *err);

/* Whether triggers stand as the configuration needs them, and fire; what the database remembers of the
 * configuration; what this role may do in the schema pgusher. */
void check_capture(struct session *session, const struct catalog *catalog, struct problems *problems,
                   struct err *err);

/* ---- plans (check_plans.c) ---- */

/* The statements of one projection are prepared and explained, for parameters that are not known. */
struct plans {
    struct session *session;
    struct problems *problems;
    struct names told; /* indexes that are missing: each once */
};

struct statement {
    const char *sql;
    size_t nparams;
    const char *place;
    const char *what;
    bool in_order; /* reads a part in an order: only what it sorts as a whole counts */
};

/* A mistake in it is an error, a sequential scan of a large table a warning. */
void plans_check(struct plans *plans, const struct statement *statement, struct err *err);

/* Runs one statement of the configuration, with the search_path of the role. A refusal by PostgreSQL is the
 * statement's fault and left in *ret_why; ST_LOST there is what is not, and is in err, too. */
int check_try(struct session *session, const struct pg_query *query, struct pg_rows **ret_rows,
              struct err *ret_why, struct err *err);
/* Does nothing after an error. */
void check_set(struct session *session, const char *sql, struct err *err);

/* The oids of all sources, or all watched tables, as an array literal; the caller frees. */
char *check_watched_oids(const struct config *config, const struct catalog *catalog);

/* Whether a clock that was asked at `before`, and has answered just now, goes with ours. */
void check_clock(int64_t theirs_ms, int64_t before_ms, const char *place, struct problems *problems);

#endif
