/* What stands between hiredis's parser and its callbacks: replies that hiredis would take on trust, to its
 * ruin. It aborts, or calls a callback once more that is over, when a server says more than it was asked, or
 * publishes to a channel that nobody subscribed to; and it makes room for any number of elements that an
 * array claims to have. Such a connection ends instead.
 *
 * Does not limit how long one text is: Redis does, and documents may be as long.
 */
#ifndef PGUSHER_REDIS_GUARD_H
#define PGUSHER_REDIS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct redis_guard;
struct redisReader;

/* `outstanding`: how many replies are to come, which the owner keeps. `refused` is called at most once, from
 * within hiredis. The reader must be fed no more after redis_guard_free. */
struct redis_guard *redis_guard_new(struct redisReader *reader, const size_t *outstanding,
                                    void (*refused)(void *arg, const char *why), void *arg);
/* From now on messages of this channel may come, too. */
void redis_guard_subscribe(struct redis_guard *guard, const char *channel);
void redis_guard_free(struct redis_guard *guard); /* NULL-safe */

#endif
