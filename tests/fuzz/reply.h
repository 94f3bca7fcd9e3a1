/* Replies of a Redis as it never was: bytes, through hiredis's own reader. */
#ifndef PGUSHER_FUZZ_REPLY_H
#define PGUSHER_FUZZ_REPLY_H

#include <hiredis/hiredis.h>

#include "fuzz.h"

struct rreply;

/* The next one; NULL: there is none, or the reader gave up. Freed with freeReplyObject. */
static inline redisReply *next_reply(redisReader *reader)
{
    void *reply = NULL;

    if (redisReaderGetReply(reader, &reply) != REDIS_OK)
        return NULL;
    return reply;
}

static inline redisReader *reader_of(const void *data, size_t size)
{
    redisReader *reader = redisReaderCreate();

    redisReaderFeed(reader, data, size);
    return reader;
}

static inline const struct rreply *as_rreply(const redisReply *reply)
{
    return (const struct rreply *)reply;
}

#endif
