#include "cdc/packed.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "common/crc64.h"

enum {
    TYPE_HASH_LISTPACK = 16,
    FORMAT_VERSION = 10,
    LENGTH_OF_32_BITS = 0x80,
    LISTPACK_END = 0xff,
    MAX_DIGITS = 18, /* longer ones, which an int64_t may not hold, are left as they are */
};

static void add_little(struct buf *buf, uint64_t number, size_t bytes)
{
    uint64_t little = htole64(number);

    buf_add(buf, &little, bytes);
}

/* ---- the elements of a listpack ---- */

/* Behind each element stands its length, to be read backwards, seven bits a byte. */
static void end_element(struct buf *buf, size_t len)
{
    static const size_t limits[] = {127, 16382, 2097150, 268435454};
    size_t more = 0;

    while (more < 4 && len > limits[more])
        more++;
    buf_putc(buf, (char)(len >> 7 * more));
    while (more-- > 0)
        buf_putc(buf, (char)((len >> 7 * more & 127) | 128));
}

static void add_string(struct buf *buf, const char *text, size_t len)
{
    size_t start = buf->len;

    if (len < 64) {
        buf_putc(buf, (char)(0x80 | len));
    } else if (len < 4096) {
        buf_putc(buf, (char)(0xe0 | len >> 8));
        buf_putc(buf, (char)len);
    } else {
        buf_putc(buf, (char)0xf0);
        add_little(buf, len, 4);
    }
    buf_add(buf, text, len);
    end_element(buf, buf->len - start);
}

static void add_number(struct buf *buf, int64_t number)
{
    static const struct {
        int bits;
        unsigned char head;
    } widths[] = {{16, 0xf1}, {24, 0xf2}, {32, 0xf3}, {64, 0xf4}};
    size_t start = buf->len, i = 0;

    if (number >= 0 && number < 128) {
        buf_putc(buf, (char)number);
    } else if (number >= -4096 && number < 4096) {
        buf_putc(buf, (char)(0xc0 | (number >> 8 & 31)));
        buf_putc(buf, (char)number);
    } else {
        while (widths[i].bits < 64 && (number < -(INT64_C(1) << (widths[i].bits - 1)) ||
                                       number >= INT64_C(1) << (widths[i].bits - 1)))
            i++;
        buf_putc(buf, (char)widths[i].head);
        add_little(buf, (uint64_t)number, (size_t)widths[i].bits / 8);
    }
    end_element(buf, buf->len - start);
}

/* Whether Redis would write this number as this text. */
static bool read_number(const char *text, size_t len, int64_t *ret_number)
{
    size_t sign = len > 1 && text[0] == '-', i;
    int64_t number = 0;

    if (len == sign || len > MAX_DIGITS || (text[sign] == '0' && len > 1))
        return false;
    for (i = sign; i < len && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (text[i] - '0');
    *ret_number = sign ? -number : number;
    return i == len;
}

static void add_word(struct buf *buf, const char *text, size_t len)
{
    int64_t number;

    if (read_number(text, len, &number))
        add_number(buf, number);
    else
        add_string(buf, text, len);
}

/* ---- the document ---- */

/* From the wire format: $length, the bytes. Returns where the next one begins. */
static const char *add_field_word(struct buf *buf, const char *at)
{
    size_t len = 0;

    for (at++; *at != '\r'; at++)
        len = len * 10 + (size_t)(*at - '0');
    add_word(buf, at + 2, len);
    return at + 2 + len + 2;
}

static void add_elements(struct buf *buf, int64_t version, const char *digest, const struct buf *fields,
                         size_t nfields)
{
    char text[DECIMAL_MAX];
    size_t len = decimal_put(text, version);
    const char *at = fields->data;

    add_string(buf, "_d", 2);
    add_string(buf, digest, DIGEST_LENGTH);
    add_string(buf, "_v", 2);
    add_string(buf, text, len);
    for (size_t i = 0; i < 2 * nfields; i++)
        at = add_field_word(buf, at);
    buf_putc(buf, (char)LISTPACK_END);
}

void packed_add(struct buf *packed, int64_t version, const char digest[DIGEST_LENGTH + 1],
                const struct buf *fields, size_t nfields)
{
    size_t start = packed->len, listpack = start + 6;
    uint32_t bytes, length, little;

    buf_putc(packed, TYPE_HASH_LISTPACK);
    buf_putc(packed, (char)LENGTH_OF_32_BITS);
    add_little(packed, 0, 4 + 4); /* both lengths: not known yet */
    add_little(packed, 2 * (nfields + 2), 2);
    add_elements(packed, version, digest, fields, nfields);
    bytes = (uint32_t)(packed->len - listpack);
    length = htobe32(bytes);
    little = htole32(bytes);
    memcpy(packed->data + start + 2, &length, sizeof(length));
    memcpy(packed->data + listpack, &little, sizeof(little));
    add_little(packed, FORMAT_VERSION, 2);
    add_little(packed, crc64(packed->data + start, packed->len - start), 8);
}
