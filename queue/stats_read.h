/* The figures of a queue: the call that asks for them, and what its reply says. For whoever has a connection,
 * blocking or not. */
#ifndef PGUSHER_QUEUE_STATS_READ_H
#define PGUSHER_QUEUE_STATS_READ_H

#include <stdbool.h>

#include "queue/keys.h"
#include "queue/pgusher-queue.h"

struct redisReply; /* of hiredis */

/* consumers: an array of their names; NULL: none. */
struct script_call *stats_call_new(const struct queue_keys *keys, const struct redisReply *consumers);
bool stats_is_reply(const struct redisReply *reply); /* false for NULL */
/* 0; -1: that is no such reply, or memory is out (mem.h). The caller frees with pgusher_queue_stats_free. */
int stats_read(const struct redisReply *reply, struct pgusher_queue_stats *ret_stats);

/* An array whose elements are all strings (or, if allowed, nothing). */
bool is_array_of_strings(const struct redisReply *reply, bool with_nil);
/* What SCAN replies: a cursor, and names. */
bool is_page_of_keys(const struct redisReply *reply);
/* The reason in "failures crashes when reason", the record of an item that failed; "": none. */
const char *stats_reason(const char *record);

#endif
