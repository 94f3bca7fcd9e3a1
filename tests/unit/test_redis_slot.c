/* common/redis_slot.h */
#include "common/redis_slot.h"

#include <stdio.h>

#include "unit.h"

/* As CLUSTER KEYSLOT of a real Redis says. */
static const struct {
    const char *key;
    int slot;
    bool tagged;
} keys[] = {
    {"", 0, false},
    {"123456789", 12739, false},
    {"foo", 12182, false},
    {"{foo}", 12182, true},
    {"x:{foo}:y", 12182, true},
    {"{foo}{bar}", 12182, true},
    {"foo{}{bar}", 8363, false},
    {"foo{{bar}}zap", 4015, true},
    {"}foo{", 8453, false},
    {"{foo", 13308, false},
};

START_TEST(slots)
{
    size_t len = strlen(keys[_i].key);

    ck_assert_int_eq(redis_slot_tagged(keys[_i].key, len), keys[_i].tagged);
    ck_assert_int_eq(redis_slot(keys[_i].key, len), keys[_i].slot);
}
END_TEST

START_TEST(a_tag_of_every_slot)
{
    for (int slot = 0; slot < REDIS_SLOTS; slot++) {
        char key[32];
        int len = snprintf(key, sizeof(key), "pgusher:{%s}", redis_slot_tag(slot));

        ck_assert_int_eq(redis_slot(key, (size_t)len), slot);
    }
}
END_TEST

UNIT_MAIN("redis_slot", UNIT_ROWS(slots, keys), UNIT(a_tag_of_every_slot))
