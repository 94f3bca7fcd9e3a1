/* queue/consume_bisect.h */
#include "queue/consume_bisect.h"

#include "unit.h"

enum { MANY = 1000 };

/* The numbers of a run, as letters. */
static void assert_next(struct bisect *bisect, const char *letters)
{
    size_t count;
    const size_t *run = bisect_next(bisect, &count);

    ck_assert_ptr_nonnull(run);
    ck_assert_uint_eq(count, strlen(letters));
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq((int)('a' + run[i]), letters[i]);
}

static void assert_end(struct bisect *bisect)
{
    size_t count;

    ck_assert_ptr_null(bisect_next(bisect, &count));
    bisect_free(bisect);
}

static struct bisect *first_numbers(size_t count)
{
    size_t items[MANY];

    for (size_t i = 0; i < count; i++)
        items[i] = i;
    return bisect_new(items, count);
}

START_TEST(all_run_together_once)
{
    struct bisect *bisect = bisect_new((const size_t[]){2, 0, 5}, 3);

    assert_next(bisect, "caf");
    assert_end(bisect);
}
END_TEST

START_TEST(no_items_no_run)
{
    assert_end(bisect_new(NULL, 0));
    bisect_free(NULL);
}
END_TEST

START_TEST(halves_come_in_order_before_the_rest)
{
    struct bisect *bisect = first_numbers(5);

    assert_next(bisect, "abcde");
    bisect_split(bisect, (const size_t[]){0, 1, 2, 3, 4}, 5);
    assert_next(bisect, "ab");
    bisect_split(bisect, (const size_t[]){0, 1}, 2);
    assert_next(bisect, "a");
    assert_next(bisect, "b");
    assert_next(bisect, "cde");
    assert_end(bisect);
}
END_TEST

START_TEST(only_what_is_left_is_run_again)
{
    struct bisect *bisect = first_numbers(6);

    assert_next(bisect, "abcdef");
    bisect_split(bisect, (const size_t[]){1, 3, 5}, 3);
    assert_next(bisect, "b");
    assert_next(bisect, "df");
    assert_end(bisect);
}
END_TEST

START_TEST(the_rest_may_be_the_run_itself)
{
    struct bisect *bisect = first_numbers(2);
    size_t count;
    const size_t *run = bisect_next(bisect, &count);

    bisect_split(bisect, run, count);
    assert_next(bisect, "a");
    assert_next(bisect, "b");
    assert_end(bisect);
}
END_TEST

START_TEST(clear_drops_what_is_pending)
{
    struct bisect *bisect = first_numbers(4);

    assert_next(bisect, "abcd");
    bisect_split(bisect, (const size_t[]){0, 1, 2, 3}, 4);
    bisect_clear(bisect);
    assert_end(bisect);
}
END_TEST

static bool holds(const size_t *run, size_t count, size_t item)
{
    for (size_t i = 0; i < count; i++)
        if (run[i] == item)
            return true;
    return false;
}

START_TEST(one_culprit_is_found_in_logarithmic_time)
{
    static const size_t culprits[] = {0, 1, 499, 500, 998, 999};
    struct bisect *bisect = first_numbers(MANY);
    size_t count, runs = 0, good = 0;
    const size_t *run;

    while ((run = bisect_next(bisect, &count))) {
        runs++;
        if (!holds(run, count, culprits[_i]))
            good += count;
        else if (count > 1)
            bisect_split(bisect, run, count);
    }
    ck_assert_uint_eq(good, MANY - 1);
    ck_assert_uint_le(runs, 1 + 2 * 10);
    bisect_free(bisect);
}
END_TEST

START_TEST(when_all_are_bad_each_is_charged_once)
{
    struct bisect *bisect = first_numbers(MANY);
    int charged[MANY] = {0};
    size_t count, runs = 0;
    const size_t *run;

    for (; (run = bisect_next(bisect, &count)); runs++) {
        if (count > 1)
            bisect_split(bisect, run, count);
        else
            charged[run[0]]++;
    }
    for (size_t i = 0; i < MANY; i++)
        ck_assert_int_eq(charged[i], 1);
    ck_assert_uint_eq(runs, 2 * MANY - 1);
    bisect_free(bisect);
}
END_TEST

UNIT_MAIN("consume_bisect", UNIT(all_run_together_once), UNIT(no_items_no_run),
          UNIT(halves_come_in_order_before_the_rest), UNIT(only_what_is_left_is_run_again),
          UNIT(the_rest_may_be_the_run_itself), UNIT(clear_drops_what_is_pending),
          {one_culprit_is_found_in_logarithmic_time, 6}, UNIT(when_all_are_bad_each_is_charged_once))
