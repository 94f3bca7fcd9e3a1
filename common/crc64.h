/* The CRC-64 that Redis puts behind what it dumps (Jones's polynomial), and wants there of what it restores.
 */
#ifndef PGUSHER_CRC64_H
#define PGUSHER_CRC64_H

#include <stddef.h>
#include <stdint.h>

uint64_t crc64(const void *data, size_t len);

#endif
