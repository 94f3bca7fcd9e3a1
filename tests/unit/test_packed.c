/* cdc/packed.h, common/crc64.h. That Redis reads what was packed is a matter of the integration tests. */
#include "cdc/packed.h"

#include <string.h>

#include "common/crc64.h"
#include "common/script.h"
#include "unit.h"

START_TEST(check_value)
{
    ck_assert_uint_eq(crc64("123456789", 9), UINT64_C(0xe9c6d914c4b8d9ca));
    ck_assert_uint_eq(crc64("", 0), 0);
}
END_TEST

static void add_field(struct buf *fields, const char *name, const char *value, size_t len)
{
    resp_put_bulk(fields, name, strlen(name));
    resp_put_bulk(fields, value, len);
}

static void pack(struct buf *packed, const struct buf *fields, size_t nfields)
{
    packed_add(packed, INT64_C(1234567890123), "0123456789abcdef", fields, nfields);
}

START_TEST(places)
{
    struct buf packed = BUF_NONE, fields = BUF_NONE;

    add_field(&fields, "id", "7", 1);
    pack(&packed, &fields, 1);
    ck_assert_int_eq(memcmp(packed.data + 17, "0123456789abcdef", 16), 0);
    ck_assert_int_eq((unsigned char)packed.data[38], 128 + 13);
    ck_assert_int_eq(memcmp(packed.data + 39, "1234567890123", 13), 0);
    buf_free(&packed);
    buf_free(&fields);
}
END_TEST

static const size_t lengths[] = {0, 1, 9, 10, 63, 64, 125, 126, 4095, 4096, 16380, 2097149, 2097150};

START_TEST(never_longer_than_promised)
{
    struct buf packed = BUF_NONE, fields = BUF_NONE, value = BUF_NONE;

    while (value.len < lengths[_i])
        buf_putc(&value, 'x');
    for (int i = 0; i < 5; i++)
        add_field(&fields, "v", value.data, value.len);
    pack(&packed, &fields, 5);
    ck_assert_uint_le(packed.len, fields.len + PACKED_FRAME_BYTES);
    buf_free(&packed);
    buf_free(&fields);
    buf_free(&value);
}
END_TEST

UNIT_MAIN("packed", UNIT(check_value), UNIT(places), UNIT_ROWS(never_longer_than_promised, lengths))
