/* Who is the primary of which slot, as CLUSTER SLOTS tells it. Pure. */
#ifndef PGUSHER_REDIS_SLOT_MAP_H
#define PGUSHER_REDIS_SLOT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/redis_slot.h"
#include "common/redis_url.h"

struct redisReply;

struct slot_map {
    struct redis_address *primaries; /* those that have slots, in the order of their addresses */
    size_t count;
    uint16_t owner[REDIS_SLOTS]; /* index in primaries */
};

/* `asked`: the host that gave the answer. NULL when the answer is odd, or does not cover every slot. */
struct slot_map *slot_map_read(const struct redisReply *reply, const char *asked);
void slot_map_free(struct slot_map *map); /* NULL-safe */
bool slot_map_same_primaries(const struct slot_map *a, const struct slot_map *b);
/* -1: no primary. */
int slot_map_find(const struct slot_map *map, const char *host, int port);
/* One slot of this primary, the same for all who have this map. Drawn by lot: moving slots, which is done in
 * their order, seldom gives it another one. -1: all of its slots have been moved away since. */
int slot_map_drawn_slot(const struct slot_map *map, size_t primary);

#endif
