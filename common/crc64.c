#include "common/crc64.h"

#include <endian.h>
#include <string.h>

/* Its bits mirrored, as the algorithm below takes it. */
#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5)

enum { SLICES = 8 }; /* bytes at a time, each with a table of its own ("slicing by 8", Kounavis and Berry) */

static uint64_t tables[SLICES][256];

static void fill_tables(void)
{
    for (unsigned i = 0; i < 256; i++) {
        uint64_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][i] = crc;
    }
    for (unsigned i = 0; i < 256; i++)
        for (int slice = 1; slice < SLICES; slice++)
            tables[slice][i] = tables[slice - 1][i] >> 8 ^ tables[0][tables[slice - 1][i] & 255];
}

static uint64_t add_slice(uint64_t crc, const unsigned char *bytes)
{
    uint64_t word, sum = 0;

    memcpy(&word, bytes, sizeof(word));
    crc ^= le64toh(word);
    for (int i = 0; i < SLICES; i++)
        sum ^= tables[SLICES - 1 - i][crc >> 8 * i & 255];
    return sum;
}

uint64_t crc64(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint64_t crc = 0;

    if (tables[0][1] == 0)
        fill_tables();
    for (; len >= SLICES; bytes += SLICES, len -= SLICES)
        crc = add_slice(crc, bytes);
    for (; len > 0; bytes++, len--)
        crc = tables[0][(crc ^ *bytes) & 255] ^ crc >> 8;
    return crc;
}
