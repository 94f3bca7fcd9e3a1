/* The part of common/script.h that needs no Redis. */
#include "common/script.h"

#include <stdio.h>

#include "unit.h"

static const struct script script = {"unit", "da39a3ee5e6b4b0d3255bfef95601890afd80709", ""};

START_TEST(bulk_is_length_and_bytes)
{
    struct buf out = BUF_NONE;

    resp_put_bulk(&out, "abc", 3);
    resp_put_bulk(&out, "", 0);
    resp_put_bulk(&out, "\r\n\0\xff", 4);
    ck_assert_uint_eq(out.len, 9 + 6 + 10);
    ck_assert_mem_eq(out.data, "$3\r\nabc\r\n$0\r\n\r\n$4\r\n\r\n\0\xff\r\n", out.len);
    buf_free(&out);
}
END_TEST

START_TEST(numbers_are_as_printf_writes_them)
{
    static const int64_t numbers[] = {0, 9, 10, 1234567890, -1, -10, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        char digits[DECIMAL_MAX], expected[DECIMAL_MAX + 1];
        size_t len = decimal_put(digits, numbers[i]);

        ck_assert_uint_eq(len, (size_t)snprintf(expected, sizeof(expected), "%lld", (long long)numbers[i]));
        ck_assert_mem_eq(digits, expected, len);
    }
}
END_TEST

START_TEST(bulk_counts_bytes_not_letters)
{
    struct buf out = BUF_NONE;

    resp_put_bulk(&out, "é", strlen("é"));
    ck_assert_str_eq(out.data, "$2\r\né\r\n");
    buf_free(&out);
}
END_TEST

START_TEST(bulk_of_a_large_value)
{
    struct buf out = BUF_NONE;
    char *value = malloc(1000000);

    memset(value, 'v', 1000000);
    resp_put_bulk(&out, value, 1000000);
    ck_assert_uint_eq(out.len, strlen("$1000000\r\n") + 1000000 + 2);
    ck_assert_mem_eq(out.data, "$1000000\r\nvv", 12);
    ck_assert_mem_eq(out.data + out.len - 3, "v\r\n", 3);
    free(value);
    buf_free(&out);
}
END_TEST

START_TEST(call_knows_its_size)
{
    struct script_call *call = script_call_new(&script);
    struct buf args = BUF_NONE;

    ck_assert_uint_eq(script_call_bytes(call), 0);
    script_key(call, "key", 3);
    ck_assert_uint_eq(script_call_bytes(call), strlen("$3\r\nkey\r\n"));
    script_arg(call, "", 0);
    script_arg_int(call, INT64_MIN);
    script_args_raw(call, &args, 0);
    resp_put_bulk(&args, "a", 1);
    script_args_raw(call, &args, 1);
    ck_assert_uint_eq(script_call_bytes(call),
                      strlen("$3\r\nkey\r\n$0\r\n\r\n$20\r\n-9223372036854775808\r\n$1\r\na\r\n"));
    buf_free(&args);
    script_call_free(call);
    script_call_free(NULL);
}
END_TEST

UNIT_MAIN("script", UNIT(bulk_is_length_and_bytes), UNIT(numbers_are_as_printf_writes_them),
          UNIT(bulk_counts_bytes_not_letters), UNIT(bulk_of_a_large_value), UNIT(call_knows_its_size))
