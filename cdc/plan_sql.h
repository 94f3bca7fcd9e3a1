/* The SQL of a plan: how the documents of a projection are read. Pure; the caller frees each text.
 *
 * Document SELECTs give the columns of enum document_column, then the source's. `after` means behind the id
 * in the first parameters; the last parameter of the ordered ones is how many.
 */
#ifndef PGUSHER_PLAN_SQL_H
#define PGUSHER_PLAN_SQL_H

#include "cdc/plan.h"

char *plan_sql_by_id(const struct projection *projection, const struct relation *source);
char *plan_sql_in_order(const struct projection *projection, const struct relation *source, bool after);
/* Only the id columns, in the same order. */
char *plan_sql_ids(const struct projection *projection, const struct relation *source, bool after);

#endif
