/* Compares a document as it stands in Redis with what its row says it should be. Pure.
 *
 * A difference may be one that live traffic explains: the hash is an older state, and the change is on its
 * way, or a newer one. Which of both its version tells, and that it is a state at all, as a worker wrote it,
 * its digest: what does not fit its own digest was altered by somebody else, and no traffic explains it.
 */
#ifndef PGUSHER_DRIFT_H
#define PGUSHER_DRIFT_H

#include <stdbool.h>

#include "cdc/document.h"
#include "cdc/inspect.h"

enum drift {
    DRIFT_NONE,
    DRIFT_MISSING,   /* a row without hash */
    DRIFT_GHOST,     /* a hash without row */
    DRIFT_DIFFERENT, /* other fields than the row's */
    DRIFT_EXPIRY,    /* no date, or another one */
    DRIFT_TYPE,      /* something that is not a hash stands there */
    DRIFT_VERSION,   /* what guards it is missing or impossible */
    DRIFT_KINDS
};

const char *drift_name(enum drift drift);

/* What the row says. */
struct wanted {
    bool exists;
    bool foreign;    /* the key need not be ours: only what has a version is */
    int64_t version; /* of the snapshot it was read in */
    int64_t expire_ms;
    char digest[DIGEST_LENGTH + 1];
};

enum evidence {
    EVIDENCE_CERTAIN, /* nobody who follows the rules wrote this */
    EVIDENCE_OLDER,   /* drift if all changes that the row's snapshot saw are applied */
    EVIDENCE_NEWER,   /* written after the row was read: compare again */
};

struct verdict {
    enum drift drift;
    enum evidence evidence;
};

struct verdict drift_judge(const struct plan_projection *plan, const struct wanted *wanted,
                           const struct found *found);

/* Whether this is right and needs no second look: a version newer than the row's may be an impossible one. */
bool drift_is_none(struct verdict verdict);

/* Says what differs, in a line: the first fields with both values, shortened, or the dates. `fields` as in a
 * document; NULL when there is no row, or its fields are not at hand. */
void drift_describe(const struct plan_projection *plan, const struct wanted *wanted, const struct buf *fields,
                    const struct found *found, enum drift drift, struct buf *out);

#endif
