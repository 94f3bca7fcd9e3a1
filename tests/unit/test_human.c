/* common/human.h */
#include "common/human.h"

#include "unit.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

START_TEST(counts)
{
    static const struct {
        int64_t count;
        const char *text;
    } known[] = {{0, "0"},
                 {999, "999"},
                 {1000, "1,000"},
                 {3210, "3,210"},
                 {1234567, "1,234,567"},
                 {-3210, "-3,210"},
                 {-999, "-999"},
                 {INT64_MAX, "9,223,372,036,854,775,807"},
                 {INT64_MIN, "-9,223,372,036,854,775,808"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        ck_assert_str_eq(human_count(known[i].count).text, known[i].text);
}
END_TEST

START_TEST(counts_of_something)
{
    ck_assert_str_eq(human_of(0, "change").text, "0 changes");
    ck_assert_str_eq(human_of(1, "change").text, "1 change");
    ck_assert_str_eq(human_of(3210, "change").text, "3,210 changes");
    ck_assert_str_eq(human_of(INT64_MIN, "projection").text, "-9,223,372,036,854,775,808 projections");
}
END_TEST

START_TEST(durations)
{
    static const struct {
        int64_t ms;
        const char *text;
    } known[] = {{0, "0 ms"},
                 {350, "350 ms"},
                 {3210, "3.2 s"},
                 {9999, "9.9 s"},
                 {12345, "12 s"},
                 {MINUTE, "1 min"},
                 {5 * MINUTE + 3000, "5 min 3 s"},
                 {2 * HOUR + 5 * MINUTE, "2 h 5 min"},
                 {47 * HOUR, "47 h"},
                 {3 * DAY + 4 * HOUR, "3 days 4 h"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        ck_assert_str_eq(human_ms(known[i].ms).text, known[i].text);
}
END_TEST

START_TEST(sizes_and_rates)
{
    ck_assert_str_eq(human_bytes(512).text, "512 bytes");
    ck_assert_str_eq(human_bytes(1536).text, "1.5 kB");
    ck_assert_str_eq(human_bytes(INT64_C(250) << 20).text, "250 MB");
    ck_assert_str_eq(human_bytes(INT64_C(3) << 40).text, "3.0 TB");
    ck_assert_str_eq(human_rate(0).text, "0");
    ck_assert_str_eq(human_rate(0.34).text, "0.3");
    ck_assert_str_eq(human_rate(3210.4).text, "3,210");
}
END_TEST

UNIT_MAIN("human", UNIT(counts), UNIT(counts_of_something), UNIT(durations), UNIT(sizes_and_rates))
