#include "queue/tombstone.h"

#include <string.h>

void tombstone_add_key(struct buf *name, const char *key, size_t len)
{
    const char *braces = memchr(key, '{', len) ? "" : "{}";

    buf_puts(name, "pgusher:gone:");
    buf_add(name, braces, *braces ? 1 : 0);
    buf_add(name, key, len);
    buf_puts(name, *braces ? "}" : "");
}
