#include "common/redis_slot.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* XMODEM: polynomial 0x1021, nothing inverted. */
static uint16_t crc16(const char *data, size_t len)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc ^= (uint16_t)((unsigned char)data[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* What decides the slot: the tag, or the whole key. */
static const char *deciding_part(const char *key, size_t *len)
{
    const char *open = memchr(key, '{', *len);
    const char *close = open ? memchr(open + 1, '}', *len - (size_t)(open + 1 - key)) : NULL;

    if (!close || close == open + 1)
        return key;
    *len = (size_t)(close - open - 1);
    return open + 1;
}

int redis_slot(const char *key, size_t len)
{
    const char *part = deciding_part(key, &len);

    return crc16(part, len) % REDIS_SLOTS;
}

bool redis_slot_tagged(const char *key, size_t len)
{
    return deciding_part(key, &len) != key;
}

const char *redis_slot_tag(int slot)
{
    static char tags[REDIS_SLOTS][8]; /* decimal numbers, the smallest of each slot */
    static int missing = REDIS_SLOTS;

    for (int number = 0; missing; number++) {
        char text[8];
        int len = snprintf(text, sizeof(text), "%d", number);
        char *tag = tags[crc16(text, (size_t)len) % REDIS_SLOTS];

        if (tag[0])
            continue;
        memcpy(tag, text, (size_t)len + 1);
        missing--;
    }
    return tags[slot];
}
