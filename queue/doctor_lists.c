/* Items that lie in a list nobody looks after: of consumers that are not registered, and of plain consumers.
 */
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "queue/doctor.h"
#include "queue/tool_text.h"

/* ---- lists without a consumer ---- */

struct orphans {
    char **consumers;
    size_t count;
    size_t capacity;
    long long items;
};

/* "{search}:processing:*", with what SCAN takes for a pattern in the queue's name made plain. */
static char *list_pattern(const struct doctor *doctor)
{
    struct buf pattern = BUF_NONE;

    for (const char *c = pgusher_queue_name(doctor->queue); *c; c++) {
        if (strchr("*?[]\\", *c))
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, *c);
    }
    buf_puts(&pattern, ":processing:*");
    return buf_take(&pattern);
}

static bool is_known(const struct orphans *orphans, const char *consumer)
{
    for (size_t i = 0; i < orphans->count; i++)
        if (strcmp(orphans->consumers[i], consumer) == 0)
            return true;
    return false;
}

/* NULL: it is no such list, which SCAN was not to find. */
static const char *consumer_of(const struct doctor *doctor, const char *list)
{
    char *prefix = queue_processing_key(&doctor->queue->keys, "");
    size_t len = strlen(prefix);
    const char *consumer = strncmp(list, prefix, len) == 0 ? list + len : NULL;

    free(prefix);
    return consumer;
}

/* A consumer that has just left is not registered any more either, but its list is gone. */
static int note_orphan(struct doctor *doctor, const char *list, struct orphans *orphans)
{
    const char *consumer = consumer_of(doctor, list);
    redisReply *lease, *length;
    int result;

    if (!consumer)
        return 0;
    lease = DOCTOR_ASK(doctor, "ZSCORE", doctor->queue->keys.name[KEY_CONSUMERS], consumer);
    length = lease ? DOCTOR_ASK(doctor, "LLEN", list) : NULL;
    result = length ? 0 : -1;
    if (length && lease->type == REDIS_REPLY_NIL && length->integer > 0 && !is_known(orphans, consumer)) {
        orphans->consumers =
            mem_grow(orphans->consumers, orphans->count, &orphans->capacity, sizeof(*orphans->consumers));
        orphans->consumers[orphans->count++] = mem_strdup(consumer);
        orphans->items += length->integer;
    }
    freeReplyObject(lease);
    freeReplyObject(length);
    return result;
}

static int find_orphans(struct doctor *doctor, struct orphans *orphans)
{
    char *pattern = list_pattern(doctor), *cursor = mem_strdup("0");
    int result = 0;

    do {
        redisReply *page =
            DOCTOR_ASK(doctor, "SCAN", cursor, "MATCH", pattern, "COUNT", "1000", "TYPE", "list");

        free(cursor);
        cursor = page ? mem_strdup(page->element[0]->str) : NULL;
        result = page ? 0 : -1;
        for (size_t i = 0; result == 0 && i < page->element[1]->elements; i++)
            result = note_orphan(doctor, page->element[1]->element[i]->str, orphans);
        freeReplyObject(page);
    } while (result == 0 && strcmp(cursor, "0") != 0);
    free(cursor);
    free(pattern);
    return result;
}

static bool is_empty(struct doctor *doctor, const char *consumer)
{
    char *list = queue_processing_key(&doctor->queue->keys, consumer);
    redisReply *length = DOCTOR_ASK(doctor, "LLEN", list);
    bool empty = length && length->integer == 0;

    freeReplyObject(length);
    free(list);
    return empty;
}

static bool recover_orphans(struct doctor *doctor, const struct orphans *orphans)
{
    handle_begin(doctor->queue);
    if (handle_introduce(doctor->queue) != 0)
        return false;
    for (size_t i = 0; i < orphans->count; i++) {
        handle_begin(doctor->queue);
        if (handle_recover_consumer(doctor->queue, orphans->consumers[i]) < 0 ||
            !is_empty(doctor, orphans->consumers[i]))
            return false;
    }
    return true;
}

int doctor_orphans(struct doctor *doctor)
{
    struct orphans orphans = {NULL, 0, 0, 0};
    int result = find_orphans(doctor, &orphans);

    if (result == 0 && orphans.count == 0)
        doctor_say(doctor, DOCTOR_OK, NULL, false, "no list of a consumer that is not registered");
    else if (result == 0)
        doctor_say(
            doctor, DOCTOR_PROBLEM, "--fix queues them again",
            doctor->fix && recover_orphans(doctor, &orphans),
            "items in lists of consumers that are not registered: %lld; such lists: %zu, the first of %s",
            orphans.items, orphans.count, orphans.consumers[0]);
    for (size_t i = 0; i < orphans.count; i++)
        free(orphans.consumers[i]);
    free(orphans.consumers);
    return result;
}

/* ---- plain consumers ---- */

enum { DEFAULT_PLAIN_TIMEOUT_MS = 3600000, MAX_SEEN = 1000 };

static int plain_timeout(struct doctor *doctor, int64_t *ret_ms)
{
    redisReply *stored;

    *ret_ms = doctor->target->plain_timeout_ms;
    if (*ret_ms)
        return 0;
    stored = DOCTOR_ASK(doctor, "HGET", doctor->queue->keys.name[KEY_META], "plain_timeout");
    if (!stored)
        return -1;
    *ret_ms = stored->str ? atoll(stored->str) : DEFAULT_PLAIN_TIMEOUT_MS;
    freeReplyObject(stored);
    return 0;
}

/* Those seen long ago, of which some may be done and not yet forgotten. */
static redisReply *seen_before(struct doctor *doctor, int64_t timeout_ms)
{
    redisReply *time = DOCTOR_ASK(doctor, "TIME"), *seen;
    char *until, *most;

    if (!time)
        return NULL;
    until = mem_printf("%lld", (long long)(atoll(time->element[0]->str) * 1000 - timeout_ms));
    most = mem_printf("%d", MAX_SEEN);
    seen = DOCTOR_ASK(doctor, "ZRANGEBYSCORE", doctor->queue->keys.name[KEY_SEEN], "-inf", until, "LIMIT",
                      "0", most);
    free(until);
    free(most);
    freeReplyObject(time);
    return seen;
}

static int is_in_plain(struct doctor *doctor, const redisReply *item)
{
    const char *list = doctor->queue->keys.name[KEY_PLAIN];
    struct buf command = BUF_NONE;
    redisReply *place;
    int result;

    buf_puts(&command, "*3\r\n");
    resp_put_bulk(&command, "LPOS", 4);
    resp_put_bulk(&command, list, strlen(list));
    resp_put_bulk(&command, item->str, (size_t)item->len);
    handle_begin(doctor->queue);
    place = handle_raw(doctor->queue, &command);
    result = !place ? -1 : place->type == REDIS_REPLY_INTEGER;
    freeReplyObject(place);
    buf_free(&command);
    return result;
}

static int count_left_lying(struct doctor *doctor, int64_t timeout_ms, size_t *ret_count)
{
    redisReply *seen = seen_before(doctor, timeout_ms);
    int found = seen ? 0 : -1;

    *ret_count = 0;
    for (size_t i = 0; found >= 0 && i < seen->elements; i++) {
        found = is_in_plain(doctor, seen->element[i]);
        *ret_count += found > 0;
    }
    freeReplyObject(seen);
    return found < 0 ? -1 : 0;
}

int doctor_plain(struct doctor *doctor)
{
    int64_t timeout_ms;
    size_t count, left = 0;
    bool fixed;
    char *age;

    if (plain_timeout(doctor, &timeout_ms) != 0 || count_left_lying(doctor, timeout_ms, &count) != 0)
        return -1;
    age = text_age(timeout_ms);
    if (count == 0) {
        doctor_say(doctor, DOCTOR_OK, NULL, false, "plain consumers were not seen to hold items for %s", age);
    } else {
        fixed = doctor->fix && pgusher_queue_recover(doctor->queue) >= 0 &&
                count_left_lying(doctor, timeout_ms, &left) == 0 && left == 0;
        doctor_say(doctor, DOCTOR_PROBLEM, "pgusher-queue recover, or start a consumer", fixed,
                   "items that plain consumers have held for more than %s: %zu%s", age, count,
                   count == MAX_SEEN ? " at least" : "");
    }
    free(age);
    return 0;
}
