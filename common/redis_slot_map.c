#include "common/redis_slot_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/redis_nodes.h"

enum { STRIDE = 10007 }; /* odd: it visits every slot once */
enum { NOBODY = UINT16_MAX };

static int compare(const void *a, const void *b)
{
    const struct redis_address *left = a, *right = b;
    int order = strcmp(left->host, right->host);

    return order ? order : left->port - right->port;
}

int slot_map_find(const struct slot_map *map, const char *host, int port)
{
    struct redis_address wanted = {(char *)host, port};

    for (size_t i = 0; i < map->count; i++)
        if (compare(&map->primaries[i], &wanted) == 0)
            return (int)i;
    return -1;
}

static const char *host_of(const struct redis_range *range, const char *asked)
{
    return range->host[0] ? range->host : asked;
}

static void collect_primaries(struct slot_map *map, const struct redisReply *reply, const char *asked)
{
    struct redis_range range;
    size_t capacity = 0;

    for (size_t i = 0; redis_read_range(reply, i, &range); i++) {
        const char *host = host_of(&range, asked);

        if (range.first > range.last || slot_map_find(map, host, range.port) >= 0)
            continue;
        map->primaries = mem_grow(map->primaries, map->count, &capacity, sizeof(*map->primaries));
        map->primaries[map->count++] = (struct redis_address){mem_strdup(host), range.port};
    }
    if (map->count)
        qsort(map->primaries, map->count, sizeof(*map->primaries), compare);
}

/* Every slot once. */
static bool assign_slots(struct slot_map *map, const struct redisReply *reply, const char *asked)
{
    struct redis_range range;
    int assigned = 0;

    memset(map->owner, 0xff, sizeof(map->owner));
    for (size_t i = 0; redis_read_range(reply, i, &range); i++) {
        int owner = slot_map_find(map, host_of(&range, asked), range.port);

        for (int slot = range.first; slot <= range.last; slot++, assigned++) {
            if (map->owner[slot] != NOBODY)
                return false;
            map->owner[slot] = (uint16_t)owner;
        }
    }
    return assigned == REDIS_SLOTS;
}

struct slot_map *slot_map_read(const struct redisReply *reply, const char *asked)
{
    struct slot_map *map = mem_zalloc(sizeof(*map));

    collect_primaries(map, reply, asked);
    if (assign_slots(map, reply, asked))
        return map;
    slot_map_free(map);
    return NULL;
}

void slot_map_free(struct slot_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->count; i++)
        free(map->primaries[i].host);
    free(map->primaries);
    free(map);
}

bool slot_map_same_primaries(const struct slot_map *a, const struct slot_map *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++)
        same = compare(&a->primaries[i], &b->primaries[i]) == 0;
    return same;
}

int slot_map_drawn_slot(const struct slot_map *map, size_t primary)
{
    /* Slot 0 comes last: it is the one that is moved first. */
    for (unsigned int lot = 1; lot <= REDIS_SLOTS; lot++)
        if (map->owner[lot * STRIDE % REDIS_SLOTS] == primary)
            return (int)(lot * STRIDE % REDIS_SLOTS);
    return -1;
}
