#include "queue/stats_read.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "lua/scripts.h"

enum stats_reply {
    STATS_NOW,
    STATS_WAITING,
    STATS_IN_FLIGHT,
    STATS_DIRTY,
    STATS_DELAYED,
    STATS_DEAD,
    STATS_PLAIN,
    STATS_OLDEST_WAITING,
    STATS_OLDEST_HELD,
    STATS_NEXT_DUE,
    STATS_META,
    STATS_CONSUMERS,
    STATS_LATER,
    STATS_OLDEST_LATER,
    STATS_PARTS
};

enum { DEFAULT_MAX_FAILURES = 8, DEFAULT_MAX_CRASHES = 3 }; /* as in lua/parts/failures.lua */

static int64_t meta_number(const redisReply *meta, const char *name, int64_t otherwise)
{
    for (size_t i = 0; i + 1 < meta->elements; i += 2)
        if (strcmp(meta->element[i]->str, name) == 0)
            return strtoll(meta->element[i + 1]->str, NULL, 10);
    return otherwise;
}

static void read_meta(const redisReply *meta, struct pgusher_queue_stats *stats)
{
    stats->paused = meta_number(meta, "paused", 0) == 1;
    stats->coalesce = meta_number(meta, "coalesce", 1) == 1;
    stats->max_failures = (int)meta_number(meta, "max_failures", DEFAULT_MAX_FAILURES);
    stats->max_crashes = (int)meta_number(meta, "max_crashes", DEFAULT_MAX_CRASHES);
    stats->queued = (uint64_t)meta_number(meta, "queued", 0);
    stats->coalesced = (uint64_t)meta_number(meta, "coalesced", 0);
    stats->acked = (uint64_t)meta_number(meta, "acked", 0);
    stats->requeued = (uint64_t)meta_number(meta, "requeued", 0);
    stats->failed = (uint64_t)meta_number(meta, "failed", 0);
    stats->died = (uint64_t)meta_number(meta, "died", 0);
    stats->recovered = (uint64_t)meta_number(meta, "recovered", 0);
    stats->released = (uint64_t)meta_number(meta, "released", 0);
    stats->replayed = (uint64_t)meta_number(meta, "replayed", 0);
}

static bool read_consumers(const redisReply *consumers, struct pgusher_queue_stats *stats)
{
    bool whole = true;

    stats->consumers = mem_zalloc(sizeof(*stats->consumers) * (consumers->elements + 1));
    if (!stats->consumers)
        return false;
    stats->nconsumers = consumers->elements;
    for (size_t i = 0; i < consumers->elements; i++) {
        const redisReply *row = consumers->element[i];

        stats->consumers[i].name = mem_strdup(row->element[0]->str);
        whole = whole && stats->consumers[i].name;
        stats->consumers[i].lease_left_ms = row->element[1]->integer;
        stats->consumers[i].held = (size_t)row->element[2]->integer;
        stats->consumers[i].oldest_ms = row->element[3]->integer;
    }
    return whole;
}

static bool read_parts(redisReply *const *part, struct pgusher_queue_stats *stats)
{
    *stats = (struct pgusher_queue_stats){
        .now_ms = part[STATS_NOW]->integer,
        .waiting = (size_t)part[STATS_WAITING]->integer,
        .in_flight = (size_t)part[STATS_IN_FLIGHT]->integer,
        .dirty = (size_t)part[STATS_DIRTY]->integer,
        .delayed = (size_t)part[STATS_DELAYED]->integer,
        .dead = (size_t)part[STATS_DEAD]->integer,
        .plain = (size_t)part[STATS_PLAIN]->integer,
        .oldest_waiting_ms = part[STATS_OLDEST_WAITING]->integer,
        .oldest_held_ms = part[STATS_OLDEST_HELD]->integer,
        .next_due_ms = part[STATS_NEXT_DUE]->integer,
        .later = (size_t)part[STATS_LATER]->integer,
        .oldest_later_ms = part[STATS_OLDEST_LATER]->integer,
    };
    read_meta(part[STATS_META], stats);
    return read_consumers(part[STATS_CONSUMERS], stats);
}

struct script_call *stats_call_new(const struct queue_keys *keys, const struct redisReply *consumers)
{
    struct script_call *call = queue_call_new(keys, &script_stats);

    queue_call_key(call, keys, KEY_PLAIN);
    for (size_t i = 0; consumers && i < consumers->elements; i++) {
        queue_call_processing_key(call, keys, consumers->element[i]->str);
        script_arg(call, consumers->element[i]->str, (size_t)consumers->element[i]->len);
    }
    return call;
}

/* The nested ones too. */
bool stats_is_reply(const struct redisReply *reply)
{
    const redisReply *consumers;

    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != STATS_PARTS)
        return false;
    consumers = reply->element[STATS_CONSUMERS];
    if (!is_array_of_strings(reply->element[STATS_META], false) || consumers->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < consumers->elements; i++)
        if (consumers->element[i]->elements != 4 || !consumers->element[i]->element[0]->str)
            return false;
    return true;
}

int stats_read(const struct redisReply *reply, struct pgusher_queue_stats *ret_stats)
{
    struct pgusher_queue_stats stats;

    if (!stats_is_reply(reply))
        return -1;
    if (!read_parts(reply->element, &stats)) {
        pgusher_queue_stats_free(&stats);
        return -1;
    }
    *ret_stats = stats;
    return 0;
}

void pgusher_queue_stats_free(struct pgusher_queue_stats *stats)
{
    for (size_t i = 0; i < stats->nconsumers; i++)
        free((char *)stats->consumers[i].name);
    free(stats->consumers);
    *stats = (struct pgusher_queue_stats){0};
}

/* ---- replies ---- */

bool is_array_of_strings(const struct redisReply *reply, bool with_nil)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING &&
            !(with_nil && reply->element[i]->type == REDIS_REPLY_NIL))
            return false;
    return true;
}

bool is_page_of_keys(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING && is_array_of_strings(reply->element[1], false);
}

const char *stats_reason(const char *record)
{
    for (int words = 3; words > 0 && record; words--) {
        record = strchr(record, ' ');
        record = record ? record + 1 : NULL;
    }
    return record ? record : "";
}
