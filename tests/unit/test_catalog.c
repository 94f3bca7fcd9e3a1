/* The pure part of cdc/catalog.h: array literals. */
#include "cdc/catalog.h"

#include "unit.h"

enum { MAX_ITEMS = 12 };

static void free_items(char **items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

static void assert_parses(const char *literal, const char *const *want, size_t count)
{
    char **items = (char **)&items;

    ck_assert_uint_eq(array_parse(literal, &items), count);
    for (size_t i = 0; i < count; i++)
        ck_assert_pstr_eq(items[i], want[i]);
    free_items(items, count);
}

START_TEST(literals)
{
    char *none = array_literal(NULL, 0);
    char *some = array_literal((const char *const[]){"a", "", "b c", "\"", "\\", "{,}", "NULL"}, 7);

    ck_assert_str_eq(none, "{}");
    ck_assert_str_eq(some, "{\"a\",\"\",\"b c\",\"\\\"\",\"\\\\\",\"{,}\",\"NULL\"}");
    free(none);
    free(some);
}
END_TEST

/* As PostgreSQL 15 writes them. */
static const struct {
    const char *literal;
    size_t count;
    const char *items[MAX_ITEMS];
} written[] = {
    {"{}", 0, {NULL}},
    {"{a}", 1, {"a"}},
    {"{a,b,77}", 3, {"a", "b", "77"}},
    {"{\"\"}", 1, {""}},
    {"{\"a b\",c,\"d,e\"}", 3, {"a b", "c", "d,e"}},
    {"{\"{x}\",\"say \\\"hi\\\"\",\"c:\\\\\"}", 3, {"{x}", "say \"hi\"", "c:\\"}},
    {"{\"two\nlines\",Zürich}", 2, {"two\nlines", "Zürich"}},
    {"{\"NULL\",\"null\",nullable}", 3, {"NULL", "null", "nullable"}},
};

START_TEST(literals_of_postgresql)
{
    assert_parses(written[_i].literal, written[_i].items, written[_i].count);
}
END_TEST

/* The key columns of a changed row may be NULL; expand.c leaves these changes out. */
START_TEST(null_elements_are_null)
{
    assert_parses("{NULL}", (const char *const[]){NULL}, 1);
    assert_parses("{7,NULL,\"NULL\",x}", (const char *const[]){"7", NULL, "NULL", "x"}, 4);
}
END_TEST

START_TEST(no_literals)
{
    static const char *const texts[] = {"", "a", "a,b", "}"};

    for (size_t i = 0; i < ROWS(texts); i++)
        assert_parses(texts[i], NULL, 0);
}
END_TEST

/* Nothing of PostgreSQL's looks so, but there is room for one item more than there are commas. */
START_TEST(items_without_a_comma_end_it)
{
    assert_parses("{\"a\"\"b\"\"c\"}", (const char *const[]){"a"}, 1);
    assert_parses("{a}b}c}", (const char *const[]){"a"}, 1);
    assert_parses("{a,\"b\"x,c}", (const char *const[]){"a", "b"}, 2);
}
END_TEST

static void check_random_array(uint32_t *seed)
{
    static const char *const pieces[] = {"\"", "\\", ",", "{", "}", " ", "NULL", "é", "a", "\n", "\t", "'"};
    size_t count = unit_random(seed, MAX_ITEMS + 1);
    char *items[MAX_ITEMS], *literal;

    for (size_t i = 0; i < count; i++)
        items[i] = unit_random_text(seed, pieces, ROWS(pieces), 6);
    literal = array_literal((const char *const *)items, count);
    assert_parses(literal, (const char *const *)items, count);
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(literal);
}

START_TEST(random_arrays_come_back)
{
    uint32_t seed = 11;

    for (int round = 0; round < 2000; round++)
        check_random_array(&seed);
}
END_TEST

UNIT_MAIN("catalog", UNIT(literals), UNIT_ROWS(literals_of_postgresql, written), UNIT(null_elements_are_null),
          UNIT(no_literals), UNIT(items_without_a_comma_end_it), UNIT(random_arrays_come_back))
