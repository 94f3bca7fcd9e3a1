/* common/log_repeat.h */
#include "common/log_repeat.h"

#include <string.h>

#include "unit.h"

START_TEST(the_same_is_news_once_a_minute)
{
    struct log_repeat repeat = {"", 0, 0};
    int64_t unsaid = -1;

    ck_assert(log_repeat_is_news(&repeat, "a", 1000, &unsaid) && unsaid == 0);
    ck_assert(!log_repeat_is_news(&repeat, "a", 2000, &unsaid));
    ck_assert(!log_repeat_is_news(&repeat, "a", 60999, &unsaid));
    ck_assert(log_repeat_is_news(&repeat, "a", 61000, &unsaid) && unsaid == 2);
    ck_assert(!log_repeat_is_news(&repeat, "a", 61001, &unsaid));
}
END_TEST

START_TEST(another_is_news_at_once)
{
    struct log_repeat repeat = {"", 0, 0};
    int64_t unsaid = -1;

    ck_assert(log_repeat_is_news(&repeat, "a", 1000, &unsaid));
    ck_assert(!log_repeat_is_news(&repeat, "a", 1001, &unsaid));
    ck_assert(log_repeat_is_news(&repeat, "b", 1002, &unsaid) && unsaid == 0);
    ck_assert(log_repeat_is_news(&repeat, "a", 1003, &unsaid) && unsaid == 0);
    log_repeat_clear(&repeat);
    ck_assert(log_repeat_is_news(&repeat, "a", 1004, &unsaid) && unsaid == 0);
}
END_TEST

START_TEST(long_texts_are_the_same_as_far_as_is_kept)
{
    struct log_repeat repeat = {"", 0, 0};
    char text[2000];
    int64_t unsaid;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert(log_repeat_is_news(&repeat, text, 1, &unsaid));
    ck_assert(!log_repeat_is_news(&repeat, text, 2, &unsaid));
}
END_TEST

START_TEST(so_many_within_a_minute)
{
    struct log_quota quota = {0, 0};
    int said = 0, last = 0;

    for (int i = 0; i < 1000; i++) {
        enum log_say say = log_quota_take(&quota, 5000 + i);

        said += say != LOG_SAY_NOT;
        last += say == LOG_SAY_AS_LAST;
        ck_assert(!last || say != LOG_SAY);
    }
    ck_assert_int_eq(said, 20);
    ck_assert_int_eq(last, 1);
    ck_assert_int_eq(log_quota_take(&quota, 65000), LOG_SAY);
}
END_TEST

UNIT_MAIN("log_repeat", UNIT(the_same_is_news_once_a_minute), UNIT(another_is_news_at_once),
          UNIT(long_texts_are_the_same_as_far_as_is_kept), UNIT(so_many_within_a_minute))
