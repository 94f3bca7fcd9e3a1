/* Inside suspects.h: what its files share. */
#ifndef PGUSHER_SUSPECTS_PRIVATE_H
#define PGUSHER_SUSPECTS_PRIVATE_H

#include "cdc/reader.h"
#include "cdc/suspects.h"
#include "common/arena.h"

struct suspect {
    const char *key;
    const char *const *id;
    bool settled;
    bool refused;    /* it could not be read */
    bool impossible; /* no row can have this id */
    bool mending;    /* it was drift, and was mended: the result has it already */
    size_t listed;   /* where, SIZE_MAX: nowhere */
    int rounds;
    struct wanted wanted;
    struct buf fields; /* of the row; no memory of its own; data NULL: not kept */
    int64_t newest;    /* of the versions that were found */
    struct verdict verdict;
    char *detail;
};

enum stage { STAGE_LOOK, STAGE_WAIT, STAGE_JUDGE, STAGE_MEND };

struct suspects {
    struct session *session;
    size_t projection;
    bool repair;
    bool all_keys; /* the template has no head of its own, so keys of anybody may look like it */
    struct verify_result *result;
    struct reader *reader;
    struct arena *arena; /* keys and ids */
    struct ids *keys;    /* of one column; the index is that of the list */
    struct suspect *list;
    size_t capacity;
    size_t *open; /* indexes of those that are not settled */
    size_t nopen;
    struct ids *counted; /* keys of drift, so that none is counted twice */
    enum stage stage;
    struct arena *rows; /* their fields */
    size_t row_bytes;
    int64_t version; /* the lowest that was read in a look */
    char *snapshot;  /* that must be applied */
    char *where;
    int64_t asked_at_ms;
    int64_t moved_at_ms;
};

static inline const struct plan_projection *suspects_plan(const struct suspects *suspects)
{
    return &suspects->session->plan->projections[suspects->projection];
}

/* Finds out which ones are not settled. */
void suspects_list_open(struct suspects *suspects);
static inline struct suspect *suspects_open_at(const struct suspects *suspects, size_t index)
{
    return &suspects->list[suspects->open[index]];
}

extern const struct reader_handlers suspects_reader_handlers;

/* Reads the rows of those that are open. 0, or -1 with err set. */
int suspects_read_rows(struct suspects *suspects, struct err *err);
/* Compares what stands in Redis now with these rows. 0, or -1 with err set. */
int suspects_inspect(struct suspects *suspects, struct err *err);

/* What becomes of one; written into the result. */
void suspects_settle_drift(struct suspects *suspects, struct suspect *suspect);
void suspects_settle_right(struct suspects *suspects, struct suspect *suspect);
void suspects_settle_waiting(struct suspects *suspects, struct suspect *suspect, const char *why);
void suspects_settle_moving(struct suspects *suspects, struct suspect *suspect);
void suspects_settle_unreadable(struct suspects *suspects, struct suspect *suspect);

#endif
