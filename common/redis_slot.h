/* Slots of a Redis Cluster: which of the 16384 a key belongs to (Redis Cluster specification, "Key
 * distribution model": CRC16 of the key, or of what stands between its first { and the next }). Pure. */
#ifndef PGUSHER_REDIS_SLOT_H
#define PGUSHER_REDIS_SLOT_H

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_SLOTS = 16384 };

int redis_slot(const char *key, size_t len);
/* Whether the key holds a tag, so that other keys can be made to share its slot. */
bool redis_slot_tagged(const char *key, size_t len);
/* A short text of this slot: the key "x:{text}" belongs to it. */
const char *redis_slot_tag(int slot);

#endif
