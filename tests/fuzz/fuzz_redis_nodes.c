/* common/redis_nodes.h, common/redis_slot_map.h, common/redis_slot.h: what is taken for an answer of Sentinel
 * or of a Redis Cluster is one. A map leads each slot to the primary that the reply names for it, and to each
 * primary leads some slot. Replies, one behind the other; their texts are read as errors and keys, too. */
#include "common/redis_nodes.h"

#include "common/redis_error.h"
#include "common/redis_slot_map.h"
#include "reply.h"

#define ASKED "asked.example"

static bool is_port(int port)
{
    return port >= 1 && port <= 65535;
}

/* ---- the map ---- */

static void check_slot(const struct slot_map *map, const redisReply *reply, int slot)
{
    struct redis_range range;
    const struct redis_address *owner;
    int named = 0;

    must(map->owner[slot] < map->count, "slot %d has no owner", slot);
    owner = &map->primaries[map->owner[slot]];
    for (size_t i = 0; redis_read_range(reply, i, &range); i++) {
        const char *host = range.host[0] ? range.host : ASKED;

        if (slot < range.first || slot > range.last)
            continue;
        must(strcmp(owner->host, host) == 0 && owner->port == range.port, "slot %d is of %s:%d, not of %s:%d",
             slot, host, range.port, owner->host, owner->port);
        named++;
    }
    must(named == 1, "slot %d is named %d times", slot, named);
}

static void check_map(const struct slot_map *map, const redisReply *reply)
{
    for (int slot = 0; slot < REDIS_SLOTS; slot++)
        check_slot(map, reply, slot);
    for (size_t i = 0; i < map->count; i++) {
        bool has_slots = false;

        must(slot_map_find(map, map->primaries[i].host, map->primaries[i].port) == (int)i,
             "primary %zu is not found", i);
        for (int slot = 0; slot < REDIS_SLOTS; slot++)
            has_slots |= map->owner[slot] == i;
        must(has_slots, "primary %zu has no slot", i);
        must(map->owner[slot_map_drawn_slot(map, i)] == i, "primary %zu is drawn another's slot", i);
    }
    must(slot_map_same_primaries(map, map), "not the same as itself");
}

/* ---- texts ---- */

static void check_address(const char *text)
{
    char *host, *again_host, written[1024];
    int port, again_port;

    if (!redis_read_address(text, ASKED, &host, &port))
        return;
    must(is_port(port) && host[0], "%s leads to %s:%d", text, host, port);
    if ((size_t)snprintf(written, sizeof(written), "%s:%d", host, port) < sizeof(written)) {
        must(redis_read_address(written, ASKED, &again_host, &again_port), "%s, read as %s, is none", text,
             written);
        must(strcmp(host, again_host) == 0 && port == again_port, "%s is not %s", text, written);
        must(text[0] == ':' || strncmp(text, host, strlen(host)) == 0, "%s is read as %s", text, written);
        free(again_host);
    }
    free(host);
}

static void check_error(const char *text)
{
    struct redis_redirect redirect;
    const char *digits;
    char head[40];

    must(redis_error_classify(text) != ST_OK, "%s is no error", text);
    if (redis_error_is_of_server(text))
        must(redis_error_classify(text) == ST_AGAIN || redis_error_classify(text) == ST_LOST, "%s", text);
    if (!redis_read_redirect(text, &redirect))
        return;
    must(redis_error_redirects(text), "%s leads elsewhere", text);
    must(redirect.slot >= 0 && redirect.slot < REDIS_SLOTS, "%s is about slot %d", text, redirect.slot);
    snprintf(head, sizeof(head), "%d ", redirect.slot);
    digits = text + (redirect.ask ? 4 : 6);
    digits += strspn(digits, "0");
    digits -= digits[0] == ' '; /* it is 0 */
    must(strncmp(digits, head, strlen(head)) == 0 && digits + strlen(head) == redirect.address,
         "%s is read as %s%s", text, head, redirect.address);
    check_address(redirect.address);
}

static void check_key(const char *key, size_t len)
{
    int slot = redis_slot(key, len);
    char *exact = exactly(key, len), tagged[32];

    must(slot >= 0 && slot < REDIS_SLOTS && slot == redis_slot(exact, len), "slot %d", slot);
    snprintf(tagged, sizeof(tagged), "x:{%s}y", redis_slot_tag(slot));
    must(redis_slot(tagged, strlen(tagged)) == slot && redis_slot_tagged(tagged, strlen(tagged)),
         "%s is not of slot %d", tagged, slot);
    free(exact);
}

static void check_texts(const redisReply *reply)
{
    if (reply->str) {
        check_error(reply->str);
        check_address(reply->str);
        check_key(reply->str, (size_t)reply->len);
        must(redis_read_cluster_epoch(reply->str) == -1 || strstr(reply->str, "cluster_state:ok"), "%s",
             reply->str);
    }
    for (size_t i = 0; i < reply->elements; i++)
        check_texts(reply->element[i]);
}

/* ---- */

static void check_reply(const redisReply *reply)
{
    struct slot_map *map = slot_map_read(reply, ASKED);
    const char *host;
    int port;

    if (map)
        check_map(map, reply);
    slot_map_free(map);
    if (redis_read_master(reply, &host, &port))
        must(is_port(port) && host[0] && reply->elements == 2, "%s:%d", host, port);
    redis_read_master_epoch(reply);
    if (redis_is_primary(reply))
        must(reply->elements && strcmp(reply->element[0]->str, "master") == 0, "no primary");
    check_texts(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    redisReader *reader = reader_of(data, size);

    for (redisReply *reply; (reply = next_reply(reader));) {
        check_reply(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return 0;
}
