/* The key of a document's tombstone (lua/put.lua, lua/remove.lua): what tells that it was removed, and at
 * which version.
 *
 * It lives in the slot of its document: a hash tag of the key's own rules that by itself; otherwise braces
 * round the key do, unless it holds one that would close them early: then the slot has a tag of its own. */
#ifndef PGUSHER_TOMBSTONE_H
#define PGUSHER_TOMBSTONE_H

#include <stddef.h>

#include "common/buf.h"

void tombstone_add_key(struct buf *name, const char *key, size_t len);

#endif
