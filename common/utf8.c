#include "common/utf8.h"

#include <stdbool.h>

static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/* Overlong forms, surrogates, and what is above U+10FFFF show in the second byte. */
static bool second_byte_is_right(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second < 0xa0;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second < 0x90;
    default:
        return true;
    }
}

static bool is_character(const unsigned char *bytes, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return false;
    return n == 1 || second_byte_is_right(bytes[0], bytes[1]);
}

size_t utf8_valid_length(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = sequence_length((unsigned char)text[at]);

        if (n == 0 || n > len - at || !is_character((const unsigned char *)text + at, n))
            return at;
        at += n;
    }
    return at;
}
