/* Capture: composes the SQL that makes the database log which documents changed. Talks to the catalog,
 * changes nothing.
 *
 * A row trigger logs the key columns of OLD and NEW. Of an UPDATE it first looks whether a column changed
 * that the sources really read (pg_depend knows them), after what BEFORE triggers did, which UPDATE OF would
 * not see. A WHEN condition would cost more than the call: PostgreSQL parses it anew for every statement. Row
 * triggers on a partitioned table reach its partitions by themselves, TRUNCATE triggers do not and are set on
 * each.
 *
 * The functions ask the gates of all fleets, so a fleet that comes or goes changes them; that waits for
 * whoever writes the tables, as changing a trigger does.
 */
#ifndef PGUSHER_CAPTURE_H
#define PGUSHER_CAPTURE_H

#include <stdbool.h>

#include "cdc/catalog.h"
#include "cdc/config.h"
#include "common/pg.h"

/* The script that installs or upgrades capture for this configuration beside what other fleets have: without
 * BEGIN and COMMIT; the caller frees. *ret_tables says how many tables are watched, *ret_changed how many
 * objects of them the script touches (0: all stands already). NULL with err set. */
char *capture_compose(struct pg *pg, const struct config *config, const struct catalog *catalog,
                      int *ret_tables, int *ret_changed, struct err *err);

/* The script that takes a fleet out: its rows, and what of the triggers and functions nobody else needs. The
 * caller frees. NULL with err set: ST_REFUSED when there is no such fleet. */
char *capture_compose_drop(struct pg *pg, const char *fleet, struct err *err);

/* What a worker's role is granted by an install: "PRIVILEGES ON OBJECTS" each, NULL behind the last. */
extern const char *const capture_grants[];

/* Takes everything away again, for all fleets. */
extern const char capture_uninstall_sql[];

#endif
