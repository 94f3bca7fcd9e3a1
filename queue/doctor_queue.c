/* Whether the queue itself is in order. */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "queue/doctor.h"

/* ---- types ---- */

static const char *const types[KEY_COUNT] = {
    [KEY_WAITING] = "list",   [KEY_MARKS] = "hash",   [KEY_INFLIGHT] = "hash", [KEY_DIRTY] = "set",
    [KEY_META] = "hash",      [KEY_DELAYED] = "zset", [KEY_DEAD] = "zset",     [KEY_FAILURES] = "hash",
    [KEY_CONSUMERS] = "zset", [KEY_LATER] = "zset",   [KEY_PLAIN] = "list",    [KEY_SEEN] = "zset",
};

/* Adds to `wrong` what the key is, if it is not what it should be. */
static int check_type(struct doctor *doctor, const char *key, const char *expected, struct buf *wrong)
{
    redisReply *type = DOCTOR_ASK(doctor, "TYPE", key);

    if (!type)
        return -1;
    if (strcmp(type->str, expected) != 0 && strcmp(type->str, "none") != 0)
        buf_printf(wrong, "%s%s is a %s, not a %s", wrong->len ? "; " : "", key, type->str, expected);
    freeReplyObject(type);
    return 0;
}

/* The lists of the registered consumers, if the registry can be read. */
static int check_lists(struct doctor *doctor, struct buf *wrong)
{
    redisReply *consumers;
    int result = 0;

    handle_begin(doctor->queue);
    consumers = handle_consumers(doctor->queue);
    if (!consumers)
        return wrong->len ? 0 : -1;
    for (size_t i = 0; result == 0 && i < consumers->elements; i++) {
        char *key = queue_processing_key(&doctor->queue->keys, consumers->element[i]->str);

        result = check_type(doctor, key, "list", wrong);
        free(key);
    }
    freeReplyObject(consumers);
    return result;
}

int doctor_types(struct doctor *doctor)
{
    struct buf wrong = BUF_NONE;
    int result = 0;

    for (size_t i = 0; result == 0 && i < KEY_COUNT; i++)
        result = check_type(doctor, doctor->queue->keys.name[i], types[i], &wrong);
    if (result == 0)
        result = check_lists(doctor, &wrong);
    if (result == 0 && wrong.len)
        doctor_say(doctor, DOCTOR_PROBLEM, "find out whose they are, and name the queue otherwise", false,
                   "another program uses names of this queue: %s", wrong.data);
    else if (result == 0)
        doctor_say(doctor, DOCTOR_OK, NULL, false, "all keys of the queue have their types");
    buf_free(&wrong);
    return result;
}

/* ---- marks, coalescing ---- */

int doctor_marks(struct doctor *doctor)
{
    int64_t leaked = handle_sweep(doctor->queue, false);
    bool fixed;

    if (leaked < 0)
        return -1;
    if (leaked == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "no marks have leaked");
    fixed = doctor->fix && handle_sweep(doctor->queue, true) >= 0;
    return doctor_say(doctor, DOCTOR_WARNING, "--fix removes them", fixed,
                      "marks that stand for no waiting item take memory: %lld; plain programs leave them",
                      (long long)leaked);
}

/* The length first: meanwhile the number of inserts can only grow. */
static int read_inserts(struct doctor *doctor, long long *ret_length, long long *ret_inserts,
                        bool *ret_coalesce)
{
    redisReply *length = DOCTOR_ASK(doctor, "LLEN", doctor->queue->keys.name[KEY_WAITING]);
    redisReply *meta =
        length ? DOCTOR_ASK(doctor, "HMGET", doctor->queue->keys.name[KEY_META], "seq", "coalesce") : NULL;

    if (meta) {
        const char *inserts = meta->element[0]->str, *coalesce = meta->element[1]->str;
        int set = doctor->target->coalesce;

        *ret_length = length->integer;
        *ret_inserts = inserts ? atoll(inserts) : 0;
        *ret_coalesce = set ? set > 0 : !coalesce || strcmp(coalesce, "0") != 0;
    }
    freeReplyObject(length);
    freeReplyObject(meta);
    return meta ? 0 : -1;
}

int doctor_coalesce(struct doctor *doctor)
{
    long long length, inserts;
    bool coalesce;

    if (read_inserts(doctor, &length, &inserts, &coalesce) != 0)
        return -1;
    if (!coalesce)
        return doctor_say(doctor, DOCTOR_OK, NULL, false,
                          "items are not coalesced: plain programs may push, too");
    if (inserts >= length)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "nobody was seen pushing past the coalescing");
    return doctor_say(
        doctor, DOCTOR_PROBLEM,
        "\"coalesce\": false for this queue in the configuration, or let all push with pgusher-queue", false,
        "more items wait (%lld) than were ever pushed with coalescing (%lld): a plain program pushes, "
        "and what waits may be queued twice",
        length, inserts);
}

/* ---- consumers, dead letters ---- */

struct dead_consumers {
    size_t count;
    size_t items;
};

static int count_dead_consumers(struct doctor *doctor, struct dead_consumers *ret)
{
    struct pgusher_queue_stats stats;

    *ret = (struct dead_consumers){0, 0};
    if (pgusher_queue_stats(doctor->queue, &stats) != 0)
        return -1;
    for (size_t i = 0; i < stats.nconsumers; i++)
        if (stats.consumers[i].lease_left_ms < 0 && stats.consumers[i].held) {
            ret->count++;
            ret->items += stats.consumers[i].held;
        }
    pgusher_queue_stats_free(&stats);
    return 0;
}

int doctor_consumers(struct doctor *doctor)
{
    struct dead_consumers dead, left;
    bool fixed;

    if (count_dead_consumers(doctor, &dead) != 0)
        return -1;
    if (dead.count == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "no dead consumer holds items");
    fixed = doctor->fix && pgusher_queue_recover(doctor->queue) >= 0 &&
            count_dead_consumers(doctor, &left) == 0 && left.count == 0;
    return doctor_say(
        doctor, DOCTOR_PROBLEM,
        "start a consumer, or: pgusher-queue recover (after a restart of Redis, once the leases' grace "
        "is over)",
        fixed, "items held by dead consumers: %zu; such consumers: %zu", dead.items, dead.count);
}

int doctor_dead(struct doctor *doctor)
{
    struct pgusher_queue_stats stats;
    size_t dead;

    if (pgusher_queue_stats(doctor->queue, &stats) != 0)
        return -1;
    dead = stats.dead;
    pgusher_queue_stats_free(&stats);
    if (dead == 0)
        return doctor_say(doctor, DOCTOR_OK, NULL, false, "no dead letters");
    return doctor_say(doctor, DOCTOR_WARNING, "pgusher-queue dead shows why; then replay or rm", false,
                      "dead letters: %zu", dead);
}
