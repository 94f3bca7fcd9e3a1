/* The SQL of capture: the trigger function of a table. Pure. */
#ifndef PGUSHER_CAPTURE_SQL_H
#define PGUSHER_CAPTURE_SQL_H

#include "cdc/needs.h"
#include "common/buf.h"

/* Of which fleets a writer must find out whether they sleep, and into how many slices documents fall. */
struct gates {
    int *numbers;
    size_t count;
    int partitions;
};

/* Appends the function pgusher.capture_ID, which logs the keys of OLD and NEW if a column that matters has
 * changed, and rings when somebody sleeps. */
void capture_sql_put_function(struct buf *sql, const struct need *need, int id, const struct gates *gates);

#endif
