/* common/problems.h */
#include "common/problems.h"

#include "common/mem.h"

#include "unit.h"

START_TEST(problems_are_kept_in_order)
{
    struct problems problems = {0};
    char place[] = "a.b";

    problems_add(&problems, PROBLEM_ERROR, place, "has %d", 1);
    place[0] = 'x';
    problems_add(&problems, PROBLEM_WARNING, "", "%s", "doubtful");
    ck_assert_uint_eq(problems.count, 2);
    ck_assert_int_eq(problems.list[0].level, PROBLEM_ERROR);
    ck_assert_str_eq(problems.list[0].place, "a.b");
    ck_assert_str_eq(problems.list[0].text, "has 1");
    ck_assert_int_eq(problems.list[1].level, PROBLEM_WARNING);
    ck_assert_str_eq(problems.list[1].place, "");
    ck_assert_str_eq(problems.list[1].text, "doubtful");
    problems_free(&problems);
}
END_TEST

START_TEST(only_errors_count_as_errors)
{
    struct problems problems = {0};

    for (int i = 0; i < 100; i++)
        problems_add(&problems, i % 4 ? PROBLEM_WARNING : PROBLEM_ERROR, "p", "%d", i);
    ck_assert_uint_eq(problems.count, 100);
    ck_assert_uint_eq(problems.errors, 25);
    ck_assert_str_eq(problems.list[99].text, "99");
    problems_free(&problems);
}
END_TEST

START_TEST(problems_free_empties)
{
    struct problems problems = {0};

    problems_free(&problems);
    problems_add(&problems, PROBLEM_ERROR, "p", "x");
    problems_free(&problems);
    ck_assert_uint_eq(problems.count + problems.errors + problems.capacity, 0);
    ck_assert_ptr_null(problems.list);
    problems_add(&problems, PROBLEM_WARNING, "p", "again");
    ck_assert_uint_eq(problems.count, 1);
    problems_free(&problems);
}
END_TEST

static const char *const columns[] = {"event_id", "event_ids", "venue_id", "name", "x"};

static const struct {
    const char *wanted;
    const char *near; /* NULL: nothing is near enough */
} suggestions[] = {
    {"event_idd", "event_id"}, /* event_ids is as near: the first wins */
    {"event_idss", "event_ids"},
    {"vent_id", "event_id"},
    {"even_tid", "event_id"},
    {"venue", NULL},
    {"naem_of_it", NULL},
    {"starts_at", NULL},
    {"nme", "name"},
    {"name", "name"},
    {"EVENT_ID", NULL},
    {"id", NULL},
    {"", NULL},
};

START_TEST(suggest_the_nearest)
{
    const char *near = suggest(suggestions[_i].wanted, columns, ROWS(columns));

    ck_assert_pstr_eq(near, suggestions[_i].near);
}
END_TEST

START_TEST(suggest_from_nothing)
{
    ck_assert_ptr_null(suggest("name", NULL, 0));
}
END_TEST

START_TEST(suggest_with_long_names)
{
    char *longer = mem_alloc(5001);
    const char *const names[] = {longer, "name"};

    memset(longer, 'n', 5000);
    longer[5000] = '\0';
    ck_assert_str_eq(suggest("nam", names, 2), "name");
    ck_assert_ptr_null(suggest(longer, names + 1, 1));
    longer[64] = '\0';
    longer[0] = 'm';
    ck_assert_ptr_eq(suggest(longer, names, 2), longer);
    free(longer);
}
END_TEST

UNIT_MAIN("problems", UNIT(problems_are_kept_in_order), UNIT(only_errors_count_as_errors),
          UNIT(problems_free_empties), UNIT_ROWS(suggest_the_nearest, suggestions),
          UNIT(suggest_from_nothing), UNIT(suggest_with_long_names))
