/* What the parts of composing share: what the database has already (capture_state.c), and the statements
 * that bring it to what the needs are (capture_put.c). */
#ifndef PGUSHER_CAPTURE_PRIVATE_H
#define PGUSHER_CAPTURE_PRIVATE_H

#include "cdc/capture.h"
#include "cdc/capture_sql.h"
#include "cdc/needs.h"
#include "common/buf.h"

enum { DEFAULT_PARTITIONS = 16 };

struct composing {
    const char *fleet;
    int version;             /* of the schema that is there; 0: none */
    struct pg_rows *state;   /* answer to capture_state.sql; NULL when the schema does not exist yet */
    struct pg_rows *parents; /* partitioned table and each partition of it */
    struct gates gates;      /* of all fleets there will be */
    int number;              /* of this fleet */
    int next_capture;
    int changed;
    struct buf sql;
};

enum { STATE_KIND, STATE_OID, STATE_NAME, STATE_WHAT, STATE_KEYS, STATE_COLUMNS };
enum { PARENT_OID, PARENT_CHILD_OID, PARENT_CHILD };

int composing_count(const struct composing *composing);
const char *composing_get(const struct composing *composing, int row, int column);
bool composing_is(const struct composing *composing, int row, const char *kind);

/* Reads what stands. With `stays` this fleet is given a number if it has none, and is among the gates. 0, or
 * -1 with err set: ST_CONFIG when the schema is of a newer program. */
int composing_load(struct composing *composing, struct pg *pg, bool stays, struct err *err);
/* Adds what the other fleets need, and asks what is not known yet of all these tables. 0, or -1 with err. */
int composing_add_others(struct composing *composing, struct pg *pg, struct needs *needs, struct err *err);
void composing_free(struct composing *composing);
/* One query, with one parameter or (NULL) none. 0, or -1 with err set. */
int composing_ask(struct pg *pg, const char *sql, const char *param, struct pg_rows **ret_rows,
                  struct err *err);

/* Statements for the functions and triggers of all needs, and against those that nobody needs any more. */
void composing_put_captures(struct composing *composing, const struct needs *needs);

#endif
