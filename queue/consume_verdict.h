/* What a run says about its items, one line each on its file descriptor 3:
 *
 *     ok<TAB>item
 *     fail<TAB>item<TAB>reason       (the reason may be missing)
 *
 * `fail` beats `ok`. A line that is neither, names no item of the run, is endless or was not ended makes the
 * verdicts wrong; the right ones count nevertheless. An item may hold tabs: the longest item that fits is
 * meant. Pure.
 */
#ifndef PGUSHER_CONSUME_VERDICT_H
#define PGUSHER_CONSUME_VERDICT_H

#include <stddef.h>

enum { VERDICT_LINE_BYTES = 1100000, VERDICT_REASON_BYTES = 512 };

enum verdict { VERDICT_NONE, VERDICT_OK, VERDICT_FAIL };

/* How an item is called in the lines. */
struct verdict_name {
    const char *data;
    size_t len;
};

struct verdicts;

/* The names are copied, the texts must outlive it. Items of one name share their verdicts. */
struct verdicts *verdicts_new(const struct verdict_name *names, size_t count);
void verdicts_free(struct verdicts *verdicts); /* NULL-safe */
/* What was read, in pieces of any size. */
void verdicts_feed(struct verdicts *verdicts, const char *data, size_t len);
/* Nothing more will come. */
void verdicts_finish(struct verdicts *verdicts);

/* About the name at this place; *ret_reason (may be NULL) lives as long as the verdicts, NULL: none given. */
enum verdict verdicts_get(const struct verdicts *verdicts, size_t index, const char **ret_reason);
/* The first wrong line and what is wrong about it; NULL when all are right. */
const char *verdicts_wrong(const struct verdicts *verdicts);

#endif
