/* common/status.h */
#include "common/status.h"

#include "unit.h"

START_TEST(err_set_formats)
{
    struct err err = ERR_NONE;

    err_set(&err, ST_AGAIN, "%s %d", "timeout", 7);
    ck_assert_int_eq(err.status, ST_AGAIN);
    ck_assert_str_eq(err.text, "timeout 7");
}
END_TEST

START_TEST(first_error_wins)
{
    struct err err = ERR_NONE, other = {ST_LOST, "other"};

    err_set(&err, ST_CONFIG, "cause");
    err_set(&err, ST_LOST, "consequence");
    err_copy(&err, &other);
    ck_assert_int_eq(err.status, ST_CONFIG);
    ck_assert_str_eq(err.text, "cause");
}
END_TEST

START_TEST(err_clear_makes_it_fresh)
{
    struct err err = ERR_NONE;

    err_set(&err, ST_CONFIG, "first");
    err_clear(&err);
    ck_assert_int_eq(err.status, ST_OK);
    ck_assert_str_eq(err.text, "");
    err_set(&err, ST_LOST, "second");
    ck_assert_str_eq(err.text, "second");
}
END_TEST

START_TEST(err_copy_takes_status_and_text)
{
    struct err err = ERR_NONE, from = {ST_REFUSED, "poison"};

    err_copy(&err, &from);
    ck_assert_int_eq(err.status, ST_REFUSED);
    ck_assert_str_eq(err.text, "poison");
}
END_TEST

START_TEST(err_context_comes_before)
{
    struct err err = ERR_NONE;

    err_set(&err, ST_LOST, "gone");
    err_context(&err, "table %s", "a");
    err_context(&err, "batch");
    ck_assert_int_eq(err.status, ST_LOST);
    ck_assert_str_eq(err.text, "batch: table a: gone");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    struct err err = ERR_NONE;
    char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    err_set(&err, ST_LOST, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    err_context(&err, "%s", text + 1900);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    ck_assert_mem_eq(err.text + 99, ": x", 3);
    err_context(&err, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
}
END_TEST

START_TEST(exit_codes)
{
    ck_assert_int_eq(status_exit_code(ST_OK), 0);
    ck_assert_int_eq(status_exit_code(ST_REFUSED), 1);
    ck_assert_int_eq(status_exit_code(ST_AGAIN), 69);
    ck_assert_int_eq(status_exit_code(ST_LOST), 69);
    ck_assert_int_eq(status_exit_code(ST_CONFIG), 78);
    ck_assert_int_eq(EX_BAD_USAGE, 64);
}
END_TEST

UNIT_MAIN("status", UNIT(err_set_formats), UNIT(first_error_wins), UNIT(err_clear_makes_it_fresh),
          UNIT(err_copy_takes_status_and_text), UNIT(err_context_comes_before), UNIT(long_texts_are_cut),
          UNIT(exit_codes))
