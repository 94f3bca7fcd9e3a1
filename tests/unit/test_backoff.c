/* common/backoff.h */
#include "common/backoff.h"

#include "unit.h"

enum { BASE = 100, CAP = 5000, DRAWS = 2000 };

static int64_t current_of(int attempt)
{
    int64_t current = BASE;

    while (attempt-- > 0 && current < CAP)
        current *= 2;
    return current < CAP ? current : CAP;
}

START_TEST(waits_double_up_to_the_cap)
{
    for (int round = 0; round < 200; round++) {
        struct backoff backoff;

        backoff_init(&backoff, BASE, CAP);
        for (int attempt = 0; attempt < 12; attempt++) {
            int64_t wait = backoff_next(&backoff);

            ck_assert_int_ge(wait, BASE / 2);
            ck_assert_int_le(wait, current_of(attempt));
        }
    }
}
END_TEST

START_TEST(later_waits_are_longer)
{
    int64_t longest[8] = {0};

    for (int round = 0; round < 200; round++) {
        struct backoff backoff;

        backoff_init(&backoff, BASE, CAP);
        for (int attempt = 0; attempt < 8; attempt++) {
            int64_t wait = backoff_next(&backoff);

            longest[attempt] = wait > longest[attempt] ? wait : longest[attempt];
        }
    }
    for (int attempt = 0; attempt < 8; attempt++)
        ck_assert_int_gt(longest[attempt], current_of(attempt) * 3 / 4);
}
END_TEST

START_TEST(waits_are_spread)
{
    struct backoff backoff = {BASE, CAP, CAP};
    int thirds[3] = {0};

    for (int i = 0; i < DRAWS; i++)
        thirds[(backoff_next(&backoff) - BASE / 2) * 3 / (CAP - BASE / 2 + 1)]++;
    for (int i = 0; i < 3; i++)
        ck_assert_int_gt(thirds[i], DRAWS / 6);
}
END_TEST

START_TEST(first_waits_are_short_again_after_reset)
{
    struct backoff backoff;

    backoff_init(&backoff, BASE, CAP);
    for (int i = 0; i < DRAWS; i++) {
        for (int attempt = 0; attempt < 8; attempt++)
            backoff_next(&backoff);
        backoff_reset(&backoff);
        ck_assert_int_le(backoff_next(&backoff), BASE);
    }
}
END_TEST

START_TEST(base_may_be_the_cap)
{
    struct backoff backoff;

    backoff_init(&backoff, 1, 1);
    for (int i = 0; i < DRAWS; i++) {
        int64_t wait = backoff_next(&backoff);

        ck_assert(wait == 0 || wait == 1);
    }
}
END_TEST

START_TEST(two_that_begin_together_part)
{
    struct backoff a = {BASE, CAP, CAP}, b = {BASE, CAP, CAP};
    int same = 0;

    for (int i = 0; i < 100; i++)
        same += backoff_next(&a) == backoff_next(&b);
    ck_assert_int_lt(same, 50);
}
END_TEST

UNIT_MAIN("backoff", UNIT(waits_double_up_to_the_cap), UNIT(later_waits_are_longer), UNIT(waits_are_spread),
          UNIT(first_waits_are_short_again_after_reset), UNIT(base_may_be_the_cap),
          UNIT(two_that_begin_together_part))
