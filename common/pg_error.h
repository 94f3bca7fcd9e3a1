/* What an SQLSTATE lets the caller do: see pg.h for the classes. Pure. */
#ifndef PGUSHER_PG_ERROR_H
#define PGUSHER_PG_ERROR_H

#include <stdbool.h>

#include "common/status.h"

enum status pg_classify(const char *sqlstate);
/* Of an answer of the server, with its severity (untranslated; NULL: unknown). An ERROR leaves the session
 * as it is, so a connection that it speaks of is another one, of a foreign table. */
enum status pg_classify_result(const char *severity, const char *sqlstate);

/* A failed connection tells its SQLSTATE only inside the verbose message, "FATAL:  28P01: text". Copies the
 * message without code and location into err, classified by that code (none: ST_AGAIN). */
void pg_connect_error(const char *verbose_message, struct err *err);

/* Whether libpq gave up on a connection because of our own memory: it says so as of a wrong conninfo. */
bool pg_lacked_memory(const char *message);
/* libpq says the connection is gone: ST_LOST, its message on one line. */
void pg_lost_error(const char *message, struct err *err);

/* An error text as a log may show it. What the server says of refused input shows values of rows, in the
 * detail or in the message itself: then only the SQLSTATE stays of it. Other texts stay as they are. */
struct pg_error_logged {
    char text[sizeof(((struct err *)0)->text)];
};
struct pg_error_logged pg_error_for_log(const char *text);

#endif
