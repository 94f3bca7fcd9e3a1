/* common/utf8.h */
#include "common/utf8.h"

#include "unit.h"

static const struct {
    const char *text;
    size_t valid;
} texts[] = {
    {"", 0},
    {"abc", 3},
    {"Z\xc3\xbcrich", 7},
    {"\xe2\x82\xac", 3},
    {"\xf0\x9f\x98\x80!", 5},
    {"\xf4\x8f\xbf\xbf", 4}, /* the last one */
    {"a\x80", 1},
    {"a\xff", 1},
    {"a\xc3", 1}, /* cut off */
    {"a\xe2\x82", 1},
    {"a\xf0\x9f\x98", 1},
    {"a\xc3(", 1},
    {"a\xc0\x80", 1}, /* overlong */
    {"a\xc1\xbf", 1},
    {"a\xe0\x9f\xbf", 1},
    {"a\xf0\x8f\xbf\xbf", 1},
    {"a\xed\xa0\x80", 1}, /* surrogates */
    {"a\xed\xbf\xbf", 1},
    {"a\xed\x9f\xbf", 4},
    {"a\xf4\x90\x80\x80", 1}, /* above U+10FFFF */
    {"a\xf5\x80\x80\x80", 1},
};

START_TEST(valid_up_to)
{
    ck_assert_uint_eq(utf8_valid_length(texts[_i].text, strlen(texts[_i].text)), texts[_i].valid);
}
END_TEST

UNIT_MAIN("utf8", UNIT_ROWS(valid_up_to, texts))
