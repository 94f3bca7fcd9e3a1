/* The SQL of a plan: how the documents of a projection are read. Pure; the caller frees each text.
 *
 * Document SELECTs give the columns of enum document_column, then the source's. Those in the order of id are
 * composed when they are needed, of what is fixed: see plan_sql_documents in plan.h.
 */
#ifndef PGUSHER_PLAN_SQL_H
#define PGUSHER_PLAN_SQL_H

#include "cdc/plan.h"

char *plan_sql_by_id(const struct projection *projection, const struct relation *source);
/* Of one id, a parameter per column: the planner takes an array of unknown length for one of ten, and reads
 * whole tables to join so many. */
char *plan_sql_one(const struct projection *projection, const struct relation *source);

char *plan_sql_select_head(const struct projection *projection, const struct relation *source);
char *plan_sql_id_list(const struct projection *projection);
char *plan_sql_behind(const struct projection *projection, const struct relation *source);

/* Whose date is in a stretch, in the order of date and id: columns of enum sweep_column, then the id.
 * Parameters: [1] the first moment of the stretch, [2] the one behind it, in ms since 1970 without the grace.
 * `after` instead begins behind the document with [1] this date and [3] … this id. For a projection with
 * expire_at. */
enum sweep_column { SWEEP_DATE, SWEEP_EXPIRE, SWEEP_ID };
char *plan_sql_sweep(const struct projection *projection, const struct relation *source, bool after);
/* Only the columns of the key template, in its order, by id. */
char *plan_sql_keys_by_id(const struct projection *projection, const struct relation *source);

#endif
