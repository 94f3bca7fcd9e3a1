/* Mends documents that differ from their rows: makes their keys ready (lua/repair.lua), then projects exactly
 * these again, guarded and queued as always. Until that is done they are in quarantine, so that workers go on
 * with them if the caller dies between a write and its queueing. */
#ifndef PGUSHER_MEND_H
#define PGUSHER_MEND_H

#include "cdc/session.h"

struct mend_item {
    const char *key;
    const char *const *id; /* NULL: none that a row could have */
    bool has_row;
};

/* 0, or -1 with err set. */
int mend_documents(struct session *session, size_t projection, const struct mend_item *items, size_t count,
                   struct err *err);
/* Removes these keys, guarded, and queues them where the projection says. 0, or -1 with err set. */
int mend_remove(struct session *session, const struct plan_projection *plan, const char *const *keys,
                size_t count, struct err *err);

#endif
