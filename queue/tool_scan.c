#include "queue/tool_scan.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/rlink.h"
#include "common/script.h"
#include "queue/stats_read.h"

enum { TIMEOUT_MS = 5000 };

static const char SUFFIX[] = ":meta";

/* ---- names ---- */

static void add_name(struct scan_names *names, const char *text, size_t len)
{
    names->list = mem_grow(names->list, names->count, &names->capacity, sizeof(*names->list));
    names->list[names->count++] = mem_strndup(text, len);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* SCAN may give a key more than once. */
static void sort_once(struct scan_names *names)
{
    size_t kept = 0;

    if (names->count)
        qsort(names->list, names->count, sizeof(*names->list), compare);
    for (size_t i = 0; i < names->count; i++) {
        if (kept && strcmp(names->list[kept - 1], names->list[i]) == 0)
            free(names->list[i]);
        else
            names->list[kept++] = names->list[i];
    }
    names->count = kept;
}

void scan_names_free(struct scan_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct scan_names){NULL, 0, 0};
}

/* ---- one node ---- */

/* A hash by such a name may be another program's: ours has one of these. */
static int ask_for_marks(struct rlink *rlink, redisReply *const *keys, size_t count, redisReply **ret_replies,
                         struct err *err)
{
    struct buf commands = BUF_NONE;
    int result;

    for (size_t i = 0; i < count; i++)
        resp_put_command(&commands, 5,
                         (const char *const[]){"HMGET", keys[i]->str, "seq", "token", "run_id"});
    result = rlink_exchange(rlink, &commands, count, ret_replies, err);
    buf_free(&commands);
    return result;
}

static bool has_any(const redisReply *fields)
{
    for (size_t i = 0; i < fields->elements; i++)
        if (fields->element[i]->type == REDIS_REPLY_STRING)
            return true;
    return false;
}

static int add_page(struct rlink *rlink, const redisReply *keys, struct scan_names *names, struct err *err)
{
    redisReply **replies = mem_zalloc(sizeof(redisReply *) * (keys->elements + 1));
    int result = ask_for_marks(rlink, keys->element, keys->elements, replies, err);

    for (size_t i = 0; result == 0 && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];

        if (has_any(replies[i]) && strlen(key->str) == key->len && key->len > strlen(SUFFIX))
            add_name(names, key->str, (size_t)key->len - strlen(SUFFIX));
        freeReplyObject(replies[i]);
    }
    free(replies);
    return result;
}

static int scan_node(struct rlink *rlink, struct scan_names *names, struct err *err)
{
    char *cursor = mem_strdup("0");
    int result;

    do {
        const char *const argv[] = {"SCAN", cursor, "MATCH", "?*:meta", "COUNT", "1000", "TYPE", "hash"};
        redisReply *page = rlink_run(rlink, 8, argv, err);

        free(cursor);
        if (!page)
            return -1;
        if (!is_page_of_keys(page)) {
            freeReplyObject(page);
            err_set(err, ST_REFUSED, "an odd reply to SCAN: is this a Redis?");
            return -1;
        }
        cursor = mem_strdup(page->element[0]->str);
        result = page->element[1]->elements ? add_page(rlink, page->element[1], names, err) : 0;
        freeReplyObject(page);
    } while (result == 0 && strcmp(cursor, "0") != 0);
    free(cursor);
    return result;
}

/* ---- all nodes ---- */

static bool is_node(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= 2 &&
           reply->element[1]->type == REDIS_REPLY_INTEGER;
}

/* Each primary stands at the head of one or more ranges of slots: [from, to, [host, port, …], replicas …]. */
static void add_primaries(const redisReply *slots, struct scan_names *nodes)
{
    for (size_t i = 0; i < slots->elements && slots->element[i]->elements > 2; i++) {
        const redisReply *primary = slots->element[i]->element[2];
        const char *host;
        char *address;

        if (!is_node(primary))
            continue;
        host = primary->element[0]->str;
        address = mem_printf("%s:%lld", host ? host : "", primary->element[1]->integer);
        add_name(nodes, address, strlen(address));
        free(address);
    }
    sort_once(nodes);
}

/* None: this Redis stands alone, or does not say what others there are. */
static int find_nodes(struct rlink *rlink, struct scan_names *nodes, struct err *err)
{
    redisReply *slots = rlink_run(rlink, 2, (const char *const[]){"CLUSTER", "SLOTS"}, err);

    if (!slots && !rlink_is_open(rlink))
        return -1;
    err_clear(err);
    if (slots)
        add_primaries(slots, nodes);
    freeReplyObject(slots);
    return 0;
}

static int scan_all(struct rlink *rlink, struct scan_names *names, struct err *err)
{
    struct scan_names nodes = {NULL, 0, 0};
    int result = find_nodes(rlink, &nodes, err);

    if (result == 0 && nodes.count == 0)
        result = scan_node(rlink, names, err);
    for (size_t i = 0; result == 0 && i < nodes.count; i++) {
        rlink_redirect(rlink, nodes.list[i]);
        result = scan_node(rlink, names, err);
    }
    scan_names_free(&nodes);
    return result;
}

int scan_queues(const struct tool_target *target, struct scan_names *ret_names, struct err *err)
{
    struct redis_url url;
    struct rlink *rlink;
    int result;

    *ret_names = (struct scan_names){NULL, 0, 0};
    if (tool_target_url(target, &url, err) != 0)
        return -1;
    rlink = rlink_new(&url, TIMEOUT_MS);
    result = scan_all(rlink, ret_names, err);
    sort_once(ret_names);
    rlink_free(rlink);
    redis_url_free(&url);
    return result;
}
