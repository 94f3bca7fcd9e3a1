/* Verify: whether Redis is in step with PostgreSQL, one projection at a time, a step at a time, in both
 * directions: every row's document, and every key that looks like one. Memory stays bounded however many
 * there are.
 *
 * What differs is a suspect until it is seen that live traffic does not explain it (see suspects.h).
 */
#ifndef PGUSHER_VERIFY_H
#define PGUSHER_VERIFY_H

#include "cdc/drift.h"
#include "cdc/session.h"

enum { VERIFY_LISTED = 1000 }; /* differences that are told one by one */

struct verify_options {
    int64_t sample; /* about so many documents, picked at random; 0: all */
    bool repair;
};

struct verify_difference {
    enum drift drift;
    char *key;
    char *detail;
    bool mended;
};

struct verify_result {
    const char *projection;
    const char *former_key; /* not the projection was looked at, but the keys it had once: see former.h */
    bool sampled;
    int64_t documents; /* rows that were compared */
    int64_t keys;      /* that were looked at in Redis */
    int64_t drift;     /* the sum of the kinds */
    int64_t kinds[DRIFT_KINDS];
    int64_t mended;
    int64_t in_motion;  /* changed too often while it was compared */
    int64_t waiting;    /* differ, but changes wait */
    int64_t unreadable; /* the SQL fails for them, or their key is not their own */
    const char *why_waiting;
    int64_t took_ms;
    struct verify_difference *list;
    size_t listed; /* at most VERIFY_LISTED; the rest is only counted */
};

/* Adds one, if there is room. Where it is in the list, SIZE_MAX: nowhere. */
size_t verify_result_add(struct verify_result *result, enum drift drift, const char *key, const char *detail);
void verify_result_clear(struct verify_result *result);

struct verify;

struct verify *verify_new(struct session *session, size_t projection, const struct verify_options *options);
void verify_free(struct verify *verify); /* NULL-safe */

/* One step more. 0, or -1 with err set. Nothing is to be done before verify_ms_left is 0. */
int verify_step(struct verify *verify, struct err *err);
int64_t verify_ms_left(const struct verify *verify);
bool verify_is_done(const struct verify *verify);
/* Complete when it is done. */
const struct verify_result *verify_result(const struct verify *verify);

/* Writes the result into pgusher.verified. 0, or -1 with err set. */
int verify_save(struct session *session, const struct verify_result *result, struct err *err);

#endif
