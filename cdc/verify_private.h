/* Inside verify.h: what its files share. */
#ifndef PGUSHER_VERIFY_PRIVATE_H
#define PGUSHER_VERIFY_PRIVATE_H

#include "cdc/ids.h"
#include "cdc/key_walk.h"
#include "cdc/suspects.h"
#include "common/arena.h"

enum phase { PHASE_ROWS, PHASE_KEYS, PHASE_END, PHASE_DONE };

/* A document of a chunk of rows. */
struct entry {
    const char *key;
    const char **id;
    struct wanted wanted;
};

struct verify {
    struct session *session;
    size_t projection;
    struct verify_options options;
    struct verify_result result;
    struct suspects *suspects;
    struct reader *reader;
    enum phase phase;
    bool settling; /* the suspects are many */
    int64_t began_ms;
    int64_t next_ms;
    struct arena *arena; /* of a chunk */
    struct entry *entries;
    size_t nentries;
    size_t capacity;
    char **position; /* of the rows */
    struct sample *sample;
    struct key_walk *walk;
    struct ids *keys; /* of a chunk, one column */
    struct ids *ids;  /* to which they are turned back */
    int64_t tries;
};

static inline const struct plan_projection *verify_plan(const struct verify *verify)
{
    return &verify->session->plan->projections[verify->projection];
}

/* As reading all rows: nothing is told before all ids were walked through. 0, or -1 with err set. */
int verify_read_sample(struct verify *verify, bool *ret_last, struct err *err);
void verify_forget_sample(struct verify *verify);

/* Some keys more; the phase moves on after the last ones. 0, or -1 with err set. */
int verify_step_keys(struct verify *verify, struct err *err);

#endif
