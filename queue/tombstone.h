/* The key of a document's tombstone (lua/put.lua, lua/remove.lua): what tells that it was removed, and at
 * which version.
 *
 * It lives in the slot of its document. Braces round the key do that, unless the key has a hash tag of its
 * own, which then rules the slot by itself. */
#ifndef PGUSHER_TOMBSTONE_H
#define PGUSHER_TOMBSTONE_H

#include <stddef.h>

#include "common/buf.h"

void tombstone_add_key(struct buf *name, const char *key, size_t len);

#endif
