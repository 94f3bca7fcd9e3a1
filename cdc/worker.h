/* The worker: opens a session, applies page after page, sleeps behind the gate, and begins anew when a server
 * goes away.
 *
 * SIGTERM and SIGINT finish the page at hand (at most DRAIN_MS), save the cursor and end. SIGHUP reads the
 * configuration again: parsed and tried aside, adopted when all is well, otherwise nothing changes.
 */
#ifndef PGUSHER_WORKER_H
#define PGUSHER_WORKER_H

#include <stdbool.h>

#include "common/status.h"

struct worker_options {
    const char *config_file;
    const char *fleet; /* NULL: the configuration's */
    bool once;         /* apply what is there, then end; a server that is down ends it, too */
};

/* Runs until told to stop; gives the program's exit code. */
enum exit_code worker_run(const struct worker_options *options);

#endif
