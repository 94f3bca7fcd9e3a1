/* Whether a fleet has applied all changes that a snapshot sees. The cursors are saved now and then, so the
 * answer may be no for up to some two seconds longer than it is true. */
#ifndef PGUSHER_APPLIED_H
#define PGUSHER_APPLIED_H

#include "cdc/session.h"

struct applied {
    bool all;
    bool backfilling; /* the projection that was asked for: what is not written yet need not be a change's */
    int workers;      /* that are alive */
    char *where;      /* another text when a cursor moved; the caller frees */
};

/* 0, or -1 with err set. */
int applied_ask(struct session *session, const char *snapshot, const char *projection,
                struct applied *ret_applied, struct err *err);

/* A snapshot of now, which the caller frees, and the version made from it. 0, or -1 with err set. */
int applied_now(struct session *session, char **ret_snapshot, int64_t *ret_version, struct err *err);

#endif
