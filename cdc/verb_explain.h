/* Inside verb_explain.c: one document's story is gathered as JSON (the facts), judged, and printed. */
#ifndef PGUSHER_VERB_EXPLAIN_H
#define PGUSHER_VERB_EXPLAIN_H

#include <jansson.h>

#include "cdc/ids.h"
#include "cdc/session.h"

/* One hash, and the row it is made from. */
struct subject {
    json_t *facts; /* in the list "documents" of the story */
    struct buf key;
    bool has_row;
    struct buf fields; /* of the row, as in document.h */
    int64_t version;   /* of the snapshot in which it was looked for; -1: it was not */
    int64_t expire_ms;
};

struct story {
    struct session
        *session; /* as far as its servers answer; its plan is NULL while PostgreSQL's side is not known */
    const struct projection *config;
    size_t projection;  /* in the plan */
    const char *key;    /* as it was given; NULL: the id was */
    struct ids *id;     /* just one, as it was given */
    struct ids *own_id; /* as PostgreSQL writes it; empty: there is no row */
    json_t *facts;
    int64_t seen;             /* the highest version that was newer than its row in the last look */
    struct subject *subjects; /* one; several with "rows": "many" */
    size_t count;
};

/* What PostgreSQL knows: the row, what waits for it in the changelog, quarantine, backfill. 0, or -1 with err
 * set: PostgreSQL is not there. */
int explain_postgres(struct story *story, struct err *err);
/* The changes not applied yet that lead to the document: "changes". */
int explain_changes(struct story *story, struct err *err);
/* With "rows": "many" adds the keys of the id that Redis knows and the rows did not yield. 0, or -1 with err
 * set. */
int explain_known_keys(struct story *story, struct err *err);
/* What Redis knows: the hash, its tombstone, the queues. 0, or -1 with err set. */
int explain_redis(struct story *story, struct err *err);
/* In which queue the document's key is, and how it stands there: "queues" of the subject. */
int explain_queues(struct story *story, const struct subject *subject, struct err *err);

/* The id as PostgreSQL writes it, or as it was given. */
const char *const *explain_id(const struct story *story);
/* Appends the key, with * for columns that are not the id's. */
void explain_key(const struct story *story, struct buf *out);
/* Adds a subject of this key. */
struct subject *explain_subject(struct story *story, const char *key);

/* Adds "state" and "verdict", of each document and of all. What cannot be known for `pg` or `redis` did not
 * answer has its reason there (NULL: it did). */
void explain_judge(struct story *story, const char *pg, const char *redis);
/* Whether the state is one that is as it should be. */
bool explain_is_well(const char *state);

void explain_print(const json_t *facts);

/* A text as JSON; bytes that are no UTF-8 are written \xNN. */
json_t *explain_text(const char *text, size_t len);
/* ms since 1970 as an ISO date; JSON null below 0. */
json_t *explain_date(int64_t ms);
/* A version as {"epoch", "ordinal", "transactions_ago"}; the last one if it is known. */
json_t *explain_version(const struct story *story, int64_t version);
/* The text of a member, "" when there is none. */
const char *explain_member(const json_t *object, const char *name);

#endif
