/* queue/tombstone.h */
#include "queue/tombstone.h"

#include <string.h>

#include "unit.h"

static const struct {
    const char *key;
    const char *tombstone;
} names[] = {
    {"event:7", "pgusher:gone:{event:7}"},
    {"event:{7}", "pgusher:gone:event:{7}"},
    {"{site}:event:7", "pgusher:gone:{site}:event:7"},
    {"a}b", "pgusher:gone:{a}b}"},
};

START_TEST(shares_the_slot)
{
    struct buf name = BUF_NONE;

    tombstone_add_key(&name, names[_i].key, strlen(names[_i].key));
    ck_assert_str_eq(name.data, names[_i].tombstone);
    buf_free(&name);
}
END_TEST

UNIT_MAIN("tombstone", UNIT_ROWS(shares_the_slot, names))
