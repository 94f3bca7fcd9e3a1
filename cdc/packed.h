/* A document as one word: the payload that Redis's DUMP gives for a small hash and RESTORE takes, so that
 * Redis need not read it field by field. Redis 7.0 and newer take it. Pure.
 *
 *   type      1 byte, 16: a hash in a listpack; see rdb.h of Redis
 *   length    0x80, then 4 bytes, the highest first, of the
 *   listpack  its bytes and its elements (4 and 2 bytes, the lowest first); "_d", digest, "_v", version, the
 *             fields, each a string, or a number where it is the canonical text of one; 0xff; see listpack.c
 * of Redis trailer   2 bytes: the version 10 of the format; 8 bytes: CRC-64 of all before; the lowest first
 *
 * What stands before the digest and the version is always as long: lua/put.lua reads them at their places. */
#ifndef PGUSHER_PACKED_H
#define PGUSHER_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "cdc/document.h"
#include "common/buf.h"

/* Adds it. fields: nfields times name, value as resp_put_bulk writes them. */
void packed_add(struct buf *packed, int64_t version, const char digest[DIGEST_LENGTH + 1],
                const struct buf *fields, size_t nfields);

/* It is never longer than its fields and this. */
enum { PACKED_FRAME_BYTES = 100 };

#endif
