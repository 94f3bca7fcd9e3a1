#include "queue/tombstone.h"

#include <string.h>

#include "common/redis_slot.h"

void tombstone_add_key(struct buf *name, const char *key, size_t len)
{
    buf_puts(name, "pgusher:gone:");
    if (redis_slot_tagged(key, len)) {
        buf_add(name, key, len);
    } else if (!memchr(key, '}', len)) {
        buf_putc(name, '{');
        buf_add(name, key, len);
        buf_putc(name, '}');
    } else {
        buf_printf(name, "{%s}", redis_slot_tag(redis_slot(key, len)));
        buf_add(name, key, len);
    }
}
