/* queue/stats_read.h, cdc/look_redis.h, cdc/beside_private.h, cdc/compare.h: what other programs may have
 * written into Redis, or another server answers, is taken for what it should be, or for nothing. Replies, one
 * behind the other. */
#include "cdc/beside_private.h"
#include "cdc/compare.h"
#include "cdc/look_redis.h"
#include "common/redis_slot.h"
#include "queue/enqueue.h"
#include "queue/stats_read.h"
#include "reply.h"

/* ---- INFO and CLUSTER NODES ---- */

static void check_info(const char *text)
{
    static const char *const members[] = {"address",    "role",   "version", "up_seconds", "used_memory",
                                          "max_memory", "policy", "evicted", "replicas",   "persistence"};
    json_t *json = look_primary_json("127.0.0.1:6379", text);
    char *dumped = json ? json_dumps(json, 0) : NULL, *address = look_primary_address(text);

    must(dumped, "no JSON of %s", text);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        must(json_object_get(json, members[i]), "no %s in %s", members[i], dumped);
    must(!address || strstr(text, address), "%s is nowhere in %s", address, text);
    json_decref(json);
    free(dumped);
    free(address);
}

/* ---- figures of a queue ---- */

static void check_stats(const redisReply *reply)
{
    struct pgusher_queue_stats stats;

    if (stats_read(reply, &stats) != 0)
        return;
    for (size_t i = 0; i < stats.nconsumers; i++)
        must(stats.consumers[i].name, "consumer %zu has no name", i);
    pgusher_queue_stats_free(&stats);
}

static void check_promoted(const redisReply *reply)
{
    int64_t moved, left;

    must(enqueue_read_promoted(as_rreply(reply), &moved, &left) ==
             (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2),
         "%zu elements", reply->elements);
    must(enqueue_count_new(as_rreply(reply)) <= (int64_t)reply->elements, "more than there are");
}

/* ---- the record beside the data ---- */

static void check_record(const redisReply *reply)
{
    struct reading reading = {.beside = {.epoch = -1}};

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != READING_WORDS - 2)
        return;
    reading_take(&reading, as_rreply(reply));
    must(reading.named.count <= MAX_RECORDS, "%zu routes", reading.named.count);
    for (size_t i = 0; i < reading.named.count; i++) {
        must(reading.named.routes[i] >= 0 && reading.named.routes[i] < REDIS_SLOTS, "route %d leads nowhere",
             reading.named.routes[i]);
        for (size_t j = 0; j < i; j++)
            must(reading.named.routes[i] != reading.named.routes[j], "route %d twice",
                 reading.named.routes[i]);
    }
    free(reading.beside.dataset);
}

/* ---- a hash ---- */

static void count_difference(void *arg, const struct difference *difference)
{
    must(difference->field.data && !difference->wanted.data && difference->found.data,
         "a difference of what?");
    ++*(size_t *)arg;
}

/* A document without fields lacks none. */
static void check_hash(const redisReply *reply)
{
    struct buf none = BUF_NONE;
    size_t told = 0, count = compare_fields(&none, as_rreply(reply), count_difference, &told);

    must(count == told && count <= reply->elements / 2, "%zu differences, %zu told", count, told);
    hash_field(as_rreply(reply), "_v");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = reader_of(data, size);

    for (redisReply *reply; (reply = next_reply(reader));) {
        if (reply->str) {
            check_info(reply->str);
            must(strstr(reply->str, stats_reason(reply->str)), "%s", reply->str);
        }
        check_stats(reply);
        check_promoted(reply);
        check_record(reply);
        check_hash(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return 0;
}
