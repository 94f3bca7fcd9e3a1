/* What stands between hiredis's parser and its callbacks: replies that hiredis would take on trust, to its
 * ruin. It aborts, or calls a callback once more that is over, when a server says more than it was asked, or
 * publishes to a channel that nobody subscribed to; and it makes room for any number of elements that an
 * array claims to have. Such a connection ends instead.
 *
 * Does not limit how long one text is: Redis does, and documents may be as long.
 */
#ifndef PGUSHER_REDIS_GUARD_H
#define PGUSHER_REDIS_GUARD_H

#include <hiredis/async.h>
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
/* Sends a command whose reply the function is called with. Whether it went. Ends the program when memory
 * lacks: hiredis 0.14 says nothing of it when it has none for the callback or the command, and every reply
 * that follows would be taken for that of another command. */
bool redis_guard_submit(redisAsyncContext *context, redisCallbackFn *fn, void *arg, const char *command,
                        size_t len);
void redis_guard_free(struct redis_guard *guard); /* NULL-safe */

#endif
