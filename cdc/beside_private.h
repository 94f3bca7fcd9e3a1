/* Inside beside.h: what its files share. */
#ifndef PGUSHER_BESIDE_PRIVATE_H
#define PGUSHER_BESIDE_PRIVATE_H

#include "cdc/beside.h"
#include "common/buf.h"

/* The record of this route; the caller frees. */
char *beside_key(const struct rconn *rconn, const char *fleet, int route);
char *record_key(const struct session *session, int route);
char *alive_key(const struct session *session, int route);
/* Runs a command whose key, words[1], is the record of this route. NULL with err set; freed with rreply_free.
 */
struct rreply *record_run(struct session *session, int route, int argc, const char **words, struct err *err);
/* An element that is a string; NULL otherwise. */
const char *record_text(const struct rreply *reply, size_t index);

/* What records say, while they are read: first those where one is likely to be, which name all, then all. */
struct reading {
    struct beside beside;
    struct records named; /* by those that are there */
    size_t found;
    bool differ;
};

enum { READING_WORDS = 6 };

/* The command that reads one. */
void reading_words(const char **words, const char *key);
void reading_take(struct reading *reading, const struct rreply *reply);
/* Whether all are there and agree. */
bool reading_is_whole(const struct reading *first, const struct reading *all);

/* Words of a command. */
struct words {
    struct buf text; /* as resp_put_bulk writes them */
    size_t count;
};

void words_put_pair(struct words *words, const char *name, const char *value);
void words_put_cursor(struct words *words, int part, const struct cursor *cursor);
void words_put_note(struct words *words, const char *projection, const char *text);
void words_free(struct words *words);
/* The field of a projection's note; the caller frees. */
char *note_name(const char *projection);

#endif
