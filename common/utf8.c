#include "common/utf8.h"

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

size_t utf8_valid_length(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = sequence_length((unsigned char)text[at]);

        if (n == 0 || n > len - at)
            return at;
        for (size_t i = 1; i < n; i++)
            if (((unsigned char)text[at + i] & 0xc0) != 0x80)
                return at;
        at += n;
    }
    return at;
}
