/* cdc/ids.h */
#include "cdc/ids.h"

#include "cdc/catalog.h"

#include "unit.h"

static void add1(struct ids *ids, const char *value)
{
    ids_add(ids, &value);
}

static void add2(struct ids *ids, const char *a, const char *b)
{
    ids_add(ids, (const char *const[]){a, b});
}

static int64_t find2(const struct ids *ids, const char *a, const char *b)
{
    return ids_find(ids, (const char *const[]){a, b});
}

START_TEST(each_id_is_there_once_in_order)
{
    static const char *const values[] = {"7", "3", "7", "", "07", "3", "Ä", ""};
    static const char *const want[] = {"7", "3", "", "07", "Ä"};
    struct ids *ids = ids_new(1);

    for (size_t i = 0; i < ROWS(values); i++)
        add1(ids, values[i]);
    ck_assert_uint_eq(ids_count(ids), ROWS(want));
    for (size_t i = 0; i < ROWS(want); i++) {
        ck_assert_str_eq(ids_get(ids, i)[0], want[i]);
        ck_assert_int_eq(ids_find(ids, &want[i]), (int64_t)i);
    }
    ids_free(ids);
    ids_free(NULL);
}
END_TEST

START_TEST(an_empty_set_holds_nothing)
{
    struct ids *ids = ids_new(2);

    ck_assert_uint_eq(ids_count(ids), 0);
    ck_assert_int_eq(find2(ids, "", ""), -1);
    ids_free(ids);
}
END_TEST

START_TEST(values_are_copied)
{
    struct ids *ids = ids_new(1);
    char value[] = "abc";

    add1(ids, value);
    value[0] = 'x';
    add1(ids, value);
    ck_assert_str_eq(ids_get(ids, 0)[0], "abc");
    ck_assert_str_eq(ids_get(ids, 1)[0], "xbc");
    ids_free(ids);
}
END_TEST

START_TEST(composite_ids_are_compared_by_column)
{
    struct ids *ids = ids_new(2);

    add2(ids, "a", "bc");
    add2(ids, "ab", "c");
    add2(ids, "bc", "a");
    add2(ids, "a", "bc");
    add2(ids, "", "abc");
    ck_assert_uint_eq(ids_count(ids), 4);
    ck_assert_int_eq(find2(ids, "bc", "a"), 2);
    ck_assert_int_eq(find2(ids, "abc", ""), -1);
    ck_assert_str_eq(ids_get(ids, 1)[1], "c");
    ids_free(ids);
}
END_TEST

START_TEST(a_null_is_a_value_of_its_own)
{
    struct ids *ids = ids_new(2);
    char *array;

    add2(ids, "1", NULL);
    add2(ids, "1", "");
    add2(ids, NULL, "1");
    add2(ids, "1", NULL);
    add2(ids, "1", "NULL");
    ck_assert_uint_eq(ids_count(ids), 4);
    ck_assert_int_eq(find2(ids, NULL, "1"), 2);
    array = ids_array(ids, 0, 4, 1);
    ck_assert_str_eq(array, "{NULL,\"\",\"1\",\"NULL\"}");
    free(array);
    ids_free(ids);
}
END_TEST

START_TEST(every_column_counts)
{
    struct ids *ids = ids_new(2);
    char text[16];

    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%d", i);
        add2(ids, "same", text);
        add2(ids, text, "same");
    }
    ck_assert_uint_eq(ids_count(ids), 2000);
    ck_assert_int_eq(find2(ids, "same", "999"), 1998);
    ck_assert_int_eq(find2(ids, "999", "same"), 1999);
    ids_free(ids);
}
END_TEST

/* Adds 0 … count - 1, each of them twice. */
static void add_numbers(struct ids *ids, int count, const char *format_tail)
{
    char text[32];

    for (int i = 0; i < 2 * count; i++) {
        snprintf(text, sizeof(text), "%d%s", i / 2, format_tail);
        add1(ids, text);
    }
}

static void assert_numbers(const struct ids *ids, int count, const char *tail)
{
    char text[32];
    const char *value = text;

    ck_assert_uint_eq(ids_count(ids), (size_t)count);
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "%d%s", i, tail);
        if (strcmp(ids_get(ids, (size_t)i)[0], text) != 0 || ids_find(ids, &value) != i)
            ck_abort_msg("%s is not at %d", text, i);
    }
    snprintf(text, sizeof(text), "%d%s", count, tail);
    ck_assert_int_eq(ids_find(ids, &value), -1);
}

START_TEST(a_hundred_thousand)
{
    struct ids *ids = ids_new(1);
    const char *const *first;

    add1(ids, "0");
    first = ids_get(ids, 0);
    add_numbers(ids, 100000, "");
    assert_numbers(ids, 100000, "");
    ck_assert_ptr_eq(ids_get(ids, 0), first);
    ids_free(ids);
}
END_TEST

START_TEST(clear_begins_anew)
{
    struct ids *ids = ids_new(1);

    add_numbers(ids, 1000, "");
    ids_clear(ids);
    ck_assert_uint_eq(ids_count(ids), 0);
    ck_assert_int_eq(ids_find(ids, (const char *const[]){"7"}), -1);
    add_numbers(ids, 300, "x");
    assert_numbers(ids, 300, "x");
    ids_clear(ids);
    ids_clear(ids);
    add_numbers(ids, 10, "");
    assert_numbers(ids, 10, "");
    ids_free(ids);
}
END_TEST

/* ---- arrays ---- */

static void assert_array(const struct ids *ids, size_t first, size_t count, size_t column, const char *want)
{
    char *array = ids_array(ids, first, count, column);

    ck_assert_str_eq(array, want);
    free(array);
}

START_TEST(arrays_are_slices_of_a_column)
{
    struct ids *ids = ids_new(2);

    add2(ids, "1", "a");
    add2(ids, "2", "b");
    add2(ids, "3", "c");
    assert_array(ids, 0, 3, 0, "{\"1\",\"2\",\"3\"}");
    assert_array(ids, 0, 3, 1, "{\"a\",\"b\",\"c\"}");
    assert_array(ids, 1, 1, 1, "{\"b\"}");
    assert_array(ids, 1, 2, 0, "{\"2\",\"3\"}");
    assert_array(ids, 0, 0, 0, "{}");
    assert_array(ids, 3, 0, 0, "{}");
    ids_free(ids);
}
END_TEST

START_TEST(arrays_quote)
{
    struct ids *ids = ids_new(1);

    add1(ids, "say \"hi\"");
    add1(ids, "c:\\");
    add1(ids, "");
    add1(ids, "NULL");
    add1(ids, "a,b}{ 'c'");
    assert_array(ids, 0, 5, 0, "{\"say \\\"hi\\\"\",\"c:\\\\\",\"\",\"NULL\",\"a,b}{ 'c'\"}");
    ids_free(ids);
}
END_TEST

START_TEST(random_ids_come_back_from_their_array)
{
    static const char *const pieces[] = {"\"", "\\", ",", "{", "}", " ", "NULL", "é", "a", "\n"};
    struct ids *ids = ids_new(1);
    uint32_t seed = 3;
    char *array, **items;

    for (int i = 0; i < 3000; i++) {
        char *value = unit_random_text(&seed, pieces, ROWS(pieces), 6);

        add1(ids, value);
        free(value);
    }
    array = ids_array(ids, 0, ids_count(ids), 0);
    ck_assert_uint_eq(array_parse(array, &items), ids_count(ids));
    for (size_t i = 0; i < ids_count(ids); i++) {
        ck_assert_str_eq(items[i], ids_get(ids, i)[0]);
        free(items[i]);
    }
    free(items);
    free(array);
    ids_free(ids);
}
END_TEST

UNIT_MAIN("ids", UNIT(each_id_is_there_once_in_order), UNIT(an_empty_set_holds_nothing),
          UNIT(values_are_copied), UNIT(composite_ids_are_compared_by_column),
          UNIT(a_null_is_a_value_of_its_own), UNIT(every_column_counts), UNIT(a_hundred_thousand),
          UNIT(clear_begins_anew), UNIT(arrays_are_slices_of_a_column), UNIT(arrays_quote),
          UNIT(random_ids_come_back_from_their_array))
