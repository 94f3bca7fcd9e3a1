/* queue/tombstone.h */
#include "queue/tombstone.h"

#include <string.h>

#include "common/redis_slot.h"
#include "unit.h"

static const struct {
    const char *key;
    const char *tombstone;
} names[] = {
    {"event:7", "pgusher:gone:{event:7}"},
    {"event:{7}", "pgusher:gone:event:{7}"},
    {"{site}:event:7", "pgusher:gone:{site}:event:7"},
    {"a{b", "pgusher:gone:{a{b}"},
    {"a{b}c}", "pgusher:gone:a{b}c}"},
    {"a}b", "pgusher:gone:{20658}a}b"},
    {"a{}b", "pgusher:gone:{3991}a{}b"},
    {"}{", "pgusher:gone:{10048}}{"},
};

START_TEST(shares_the_slot)
{
    struct buf name = BUF_NONE;

    tombstone_add_key(&name, names[_i].key, strlen(names[_i].key));
    ck_assert_str_eq(name.data, names[_i].tombstone);
    ck_assert_int_eq(redis_slot(name.data, name.len), redis_slot(names[_i].key, strlen(names[_i].key)));
    buf_free(&name);
}
END_TEST

UNIT_MAIN("tombstone", UNIT_ROWS(shares_the_slot, names))
