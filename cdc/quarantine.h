/* Where a document goes that cannot be built: pgusher.quarantine, with its error. A batch collects, then
 * writes once. */
#ifndef PGUSHER_QUARANTINE_H
#define PGUSHER_QUARANTINE_H

#include <stdbool.h>

#include "cdc/session.h"

struct quarantine;

struct quarantine *quarantine_new(struct session *session);
void quarantine_free(struct quarantine *quarantine); /* NULL-safe */

/* This document cannot be built now. Logged, and written by quarantine_flush. */
void quarantine_add(struct quarantine *quarantine, const char *projection, const char *key,
                    const char *error);
/* This document was built: it leaves the quarantine if it was there. */
void quarantine_built(struct quarantine *quarantine, const char *projection, const char *key);

/* 0, or -1 with err set. */
int quarantine_flush(struct quarantine *quarantine, struct err *err);

#endif
