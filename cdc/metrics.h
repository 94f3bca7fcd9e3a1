/* What this process counts of itself from its beginning on, whatever sessions come and go: plain integers
 * that are always counted, so that nothing changes when somebody begins to look. See worker_metrics.h for how
 * they are told.
 */
#ifndef PGUSHER_METRICS_H
#define PGUSHER_METRICS_H

#include <stdint.h>

#include "cdc/sink.h"
#include "common/metrics_text.h"

/* Parts of a batch's time. Reading, building and writing overlap, so they do not add up to it. */
enum stage {
    STAGE_READ,    /* the next page of the changelog */
    STAGE_SELECT,  /* one SELECT of documents, to its last row */
    STAGE_PUT,     /* one script call of documents, from sending to its reply */
    STAGE_ENQUEUE, /* the same of items */
    STAGE_SAVE,    /* the cursors */
    STAGES
};

struct metrics {
    int64_t started_ms; /* wall clock */
    struct histogram stages[STAGES];
    struct histogram batch; /* a page, from its being read to its last effect */
    struct histogram delay; /* from a change to its being applied: the oldest one of each page */
    int64_t worst_delay_ms; /* since somebody last took it and put 0 */
    int64_t changes;
    int64_t replies[ST_UNFIT + 1]; /* of Redis to documents and items, by class */
    int64_t sessions;
    int64_t failures;   /* sessions that ended, or could not begin */
    struct tally ended; /* of sessions that are over */
};

extern struct metrics metrics;
extern const char *const metrics_stage_names[STAGES];

void metrics_stage(enum stage stage, int64_t since_us);
/* A reply of Redis, of which only these stages have any. */
void metrics_reply(enum stage stage, int64_t since_us, enum status status);
void tally_add(struct tally *tally, const struct tally *more);

#endif
