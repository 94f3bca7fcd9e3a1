#include "tests/queue_model/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK_OFFSET (INT64_C(1) << 40)

static struct place *place_of(struct snapshot *snapshot, const redisReply *item)
{
    int doc = doc_of(item->str, (size_t)item->len);

    if (doc < 0) {
        static struct place nowhere;

        snapshot->alien = true;
        return &nowhere;
    }
    return &snapshot->docs[doc];
}

static struct owner *owner_of(struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->nowners; i++) {
        if (strcmp(snapshot->owners[i].name, name) == 0)
            return &snapshot->owners[i];
    }
    if (snapshot->nowners == MAX_CONSUMERS) {
        printf("Bail out! more than %d consumers\n", MAX_CONSUMERS);
        exit(2);
    }
    memset(&snapshot->owners[snapshot->nowners], 0, sizeof(struct owner));
    snprintf(snapshot->owners[snapshot->nowners].name, NAME_SIZE, "%s", name);
    return &snapshot->owners[snapshot->nowners++];
}

/* ---- one key each ---- */

static void read_waiting(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->length = (int64_t)reply->elements;
    for (size_t i = 0; i < reply->elements; i++) {
        struct place *place = place_of(snapshot, reply->element[i]);

        place->waiting++;
        place->position = (int)(reply->elements - 1 - i);
    }
}

/* Six bytes, as lua/parts/waiting.lua packs a place. */
static int64_t unpack_mark(const redisReply *mark)
{
    int64_t place = 0;

    for (size_t i = 0; i < (size_t)mark->len; i++)
        place = place << 8 | (unsigned char)mark->str[i];
    return place - MARK_OFFSET;
}

static void read_marks(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->marks = reply->elements / 2;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct place *place = place_of(snapshot, reply->element[i]);

        place->marked = true;
        place->mark = unpack_mark(reply->element[i + 1]);
    }
}

static void read_held(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->held = reply->elements / 2;
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct place *place = place_of(snapshot, reply->element[i]);

        place->held =
            sscanf(reply->element[i + 1]->str, "%" SCNu64 " %99s", &place->token, place->holder) == 2;
    }
}

static void read_dirty(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->dirty = reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        place_of(snapshot, reply->element[i])->dirty = true;
}

static void read_delayed(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->delayed = reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        place_of(snapshot, reply->element[i])->delayed = true;
}

static void read_later(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->later = reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        place_of(snapshot, reply->element[i])->later = true;
}

static void read_dead(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->dead = reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        place_of(snapshot, reply->element[i])->dead = true;
}

static void read_failures(struct snapshot *snapshot, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct place *place = place_of(snapshot, reply->element[i]);

        place->failed = true;
        sscanf(reply->element[i + 1]->str, "%d %d ", &place->failures, &place->crashes);
    }
}

static void read_plain(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->plain = reply->elements;
    for (size_t i = 0; i < reply->elements; i++)
        place_of(snapshot, reply->element[i])->plain++;
}

static void read_registry(struct snapshot *snapshot, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        struct owner *owner = owner_of(snapshot, reply->element[i]->str);

        owner->registered = true;
        owner->deadline = (int64_t)strtod(reply->element[i + 1]->str, NULL);
    }
}

static void read_meta(struct snapshot *snapshot, const redisReply *reply)
{
    snapshot->seq = reply->element[0]->str ? atoll(reply->element[0]->str) : 0;
    snapshot->token = reply->element[1]->str ? strtoull(reply->element[1]->str, NULL, 10) : 0;
}

static void read_lists(struct snapshot *snapshot, const redisReply *reply)
{
    for (size_t i = 0; i < reply->elements; i++)
        owner_of(snapshot, reply->element[i]->str + strlen(QUEUE ":processing:"));
}

/* ---- all of them ---- */

static const struct {
    const char *command;
    void (*read)(struct snapshot *snapshot, const redisReply *reply);
} readings[] = {
    {"LRANGE " QUEUE " 0 -1", read_waiting},
    {"HGETALL " QUEUE ":marks", read_marks},
    {"HGETALL " QUEUE ":inflight", read_held},
    {"SMEMBERS " QUEUE ":dirty", read_dirty},
    {"ZRANGE " QUEUE ":delayed 0 -1", read_delayed},
    {"ZRANGE " QUEUE ":dead 0 -1", read_dead},
    {"ZRANGE " QUEUE ":later 0 -1", read_later},
    {"HGETALL " QUEUE ":failures", read_failures},
    {"LRANGE " QUEUE "-processing 0 -1", read_plain},
    {"ZRANGE " QUEUE ":consumers 0 -1 WITHSCORES", read_registry},
    {"HMGET " QUEUE ":meta seq token", read_meta},
    {"KEYS " QUEUE ":processing:*", read_lists},
};

static redisReply *next_reply(struct world *world)
{
    void *reply = NULL;

    if (redisGetReply(world->redis, &reply) != REDIS_OK || ((redisReply *)reply)->type == REDIS_REPLY_ERROR) {
        printf("Bail out! a snapshot failed: %s\n",
               reply ? ((redisReply *)reply)->str : world->redis->errstr);
        exit(2);
    }
    return reply;
}

static void read_owners(struct world *world, struct snapshot *snapshot)
{
    for (size_t i = 0; i < snapshot->nowners; i++)
        redisAppendCommand(world->redis, "LRANGE " QUEUE ":processing:%s 0 -1", snapshot->owners[i].name);
    for (size_t i = 0; i < snapshot->nowners; i++) {
        redisReply *reply = next_reply(world);
        struct owner *owner = &snapshot->owners[i];

        owner->length = reply->elements;
        for (size_t j = 0; j < reply->elements; j++) {
            int doc = doc_of(reply->element[j]->str, (size_t)reply->element[j]->len);

            place_of(snapshot, reply->element[j])->listed++;
            owner->copies[doc < 0 ? 0 : doc]++;
        }
        freeReplyObject(reply);
    }
}

void snapshot_take(struct world *world, struct snapshot *snapshot)
{
    size_t count = sizeof(readings) / sizeof(readings[0]);

    snapshot->nowners = 0;
    snapshot->alien = false;
    memset(snapshot->docs, 0, sizeof(snapshot->docs));
    for (int i = 0; i < MAX_DOCS; i++)
        snapshot->docs[i].position = -1;
    for (size_t i = 0; i < count; i++)
        redisAppendCommand(world->redis, readings[i].command);
    for (size_t i = 0; i < count; i++) {
        redisReply *reply = next_reply(world);

        readings[i].read(snapshot, reply);
        freeReplyObject(reply);
    }
    snapshot->removed = snapshot->seq - snapshot->length;
    read_owners(world, snapshot);
}

const struct owner *snapshot_owner(const struct snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->nowners; i++) {
        if (strcmp(snapshot->owners[i].name, name) == 0)
            return &snapshot->owners[i];
    }
    return NULL;
}

int snapshot_unadopted(const struct snapshot *snapshot, int doc)
{
    const struct place *place = &snapshot->docs[doc];

    return place->listed - (place->held ? 1 : 0);
}
