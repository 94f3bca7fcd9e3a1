/* common/clock.h */
#include "common/clock.h"

#include <time.h>

#include "unit.h"

static const struct {
    const char *text;
    int64_t ms;
} good[] = {
    {"200 ms", 200},
    {"1 millisecond", 1},
    {"2 milliseconds", 2},
    {"30 s", 30000},
    {"30s", 30000},
    {"1 sec", 1000},
    {"1 second", 1000},
    {"2   seconds", 2000},
    {"5 min", 300000},
    {"1 minute", 60000},
    {"2 minutes", 120000},
    {"1 h", 3600000},
    {"1 hour", 3600000},
    {"24 hours", 86400000},
    {"1 d", 86400000},
    {"1 day", 86400000},
    {"10 days", 864000000},
    {"1 week", 604800000},
    {"2 weeks", 1209600000},
    {"0", 0},
    {"0 s", 0},
    {"0.0", 0},
    {"1.5 h", 5400000},
    {"0.25 s", 250},
    {"0.0004 s", 0},
    {"36500 days", INT64_C(3153600000000)},
};

static const char *const bad[] = {
    "",       "s",     "ms 5",     "5",     "1.5",     "-1 s",     "+1 s",       " 1 s",
    "1 s ",   "1 x",   "0 x",      "1 S",   "1 month", "1 year",   "1 s s",      "1 h 5 s",
    "1,5 s",  "nan s", "infinity", "inf s", "1e400 s", "ten days", "37000 days", "9999999999999999999 s",
    "0x10 s",
};

START_TEST(durations)
{
    int64_t ms = -7;

    ck_assert_msg(duration_parse(good[_i].text, &ms) == 0, "\"%s\" is refused", good[_i].text);
    ck_assert_msg(ms == good[_i].ms, "\"%s\" is %lld ms", good[_i].text, (long long)ms);
}
END_TEST

START_TEST(no_durations)
{
    int64_t ms = -7;

    ck_assert_msg(duration_parse(bad[_i], &ms) == -1, "\"%s\" is %lld ms", bad[_i], (long long)ms);
    ck_assert_int_eq(ms, -7);
}
END_TEST

START_TEST(mono_never_goes_back)
{
    int64_t last = clock_mono_ms(), end = last + 20;

    while (last < end) {
        int64_t now = clock_mono_ms();

        ck_assert_int_ge(now, last);
        last = now;
    }
}
END_TEST

START_TEST(wall_is_unix_time)
{
    int64_t before = (int64_t)time(NULL) * 1000 - 100;

    ck_assert_int_ge(clock_wall_ms(), before);
    ck_assert_int_le(clock_wall_ms(), before + 5000);
}
END_TEST

START_TEST(another_clock_is_off_by_what_the_question_cannot_explain)
{
    ck_assert_int_eq(clock_offset_ms(1000, 1000, 1200), 0);
    ck_assert_int_eq(clock_offset_ms(1200, 1000, 1200), 0);
    ck_assert_int_eq(clock_offset_ms(1201, 1000, 1200), 1);
    ck_assert_int_eq(clock_offset_ms(5000, 1000, 1200), 3800);
    ck_assert_int_eq(clock_offset_ms(400, 1000, 1200), -600);
}
END_TEST

UNIT_MAIN("clock", UNIT_ROWS(durations, good), UNIT_ROWS(no_durations, bad), UNIT(mono_never_goes_back),
          UNIT(wall_is_unix_time), UNIT(another_clock_is_off_by_what_the_question_cannot_explain))
