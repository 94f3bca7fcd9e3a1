/* Where a document goes that cannot be built: pgusher.quarantine, with its error. A batch collects, then
 * writes once. So does a lookup that fails for one value of its watch: nobody knows which documents it leads
 * to.
 *
 * Everything in quarantine is tried again, first after some two seconds, then at intervals that double up to
 * five minutes (see worker_retry.c); what was built leaves it, whoever put it there before it was read.
 */
#ifndef PGUSHER_QUARANTINE_H
#define PGUSHER_QUARANTINE_H

#include <stdbool.h>

#include "cdc/session.h"

struct quarantine;

/* What is in quarantine under this key. */
struct quarantine_entry {
    const char *projection;
    const char *key;   /* the document's; of a lookup "watch TABLE COLUMN=VALUE…"; a very long one is cut */
    const char *watch; /* the table whose lookup it is; NULL: a document */
    const char *id;    /* array literal: the document's id, or the values of the watch's columns */
};

struct quarantine *quarantine_new(struct session *session);
void quarantine_free(struct quarantine *quarantine); /* NULL-safe */

/* This cannot be built now. Written, and logged, by quarantine_flush. */
void quarantine_add(struct quarantine *quarantine, const struct quarantine_entry *entry, const char *error);
/* Whether something is to be written. */
bool quarantine_refuses(const struct quarantine *quarantine);
/* This was built: it leaves the quarantine if it was there. Another document with the same key stays. */
void quarantine_built(struct quarantine *quarantine, const struct quarantine_entry *entry);
/* This is there, and is tried again: unless it is refused once more, it leaves the quarantine. */
void quarantine_retried(struct quarantine *quarantine, const struct quarantine_entry *entry);
/* Whether anything may be there: if not, nobody need be told what was built. */
bool quarantine_may_hold(const struct quarantine *quarantine);

/* 0, or -1 with err set. */
int quarantine_flush(struct quarantine *quarantine, struct err *err);

/* Documents (with their id) that are about to be written and queued though no change asks for it: if the
 * caller dies in between, workers find them here. They leave as others do. 0, or -1 with err set. */
int quarantine_intend(struct session *session, const struct quarantine_entry *entries, size_t count,
                      struct err *err);

/* The payload that says that something came into a fleet's quarantine, or is to be tried again now; the
 * caller frees. */
char *quarantine_call(const struct session *session);

#endif
