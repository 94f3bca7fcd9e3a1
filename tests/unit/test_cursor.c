/* cdc/cursor.h, cdc/parts.h, cdc/resume.h (resume_judge) */
#include "cdc/cursor.h"

#include "cdc/parts.h"
#include "cdc/resume.h"

#include "unit.h"

/* ---- partitions ---- */

START_TEST(a_set_is_in_order_and_holds_each_once)
{
    struct parts parts = parts_parse("{7,3,255,3,256,-1}");
    char *text = parts_array(&parts);

    ck_assert_str_eq(text, "{1,3,7,255}"); /* the sign is no digit; 256 is none of ours */
    ck_assert(parts_has(&parts, 7) && !parts_has(&parts, 4));
    free(text);
}
END_TEST

START_TEST(no_array_is_the_empty_set)
{
    struct parts parts = parts_parse(NULL);
    char *text = parts_array(&parts);

    ck_assert_str_eq(text, "{}");
    free(text);
}
END_TEST

START_TEST(sets_are_filtered_by_others)
{
    struct parts all = parts_parse("{0,1,2,3}"), some = parts_parse("{1,3,9}");
    struct parts in = parts_filter(&all, &some, true), out = parts_filter(&all, &some, false);
    char *kept = parts_array(&in), *left = parts_array(&out);

    ck_assert_str_eq(kept, "{1,3}");
    ck_assert_str_eq(left, "{0,2}");
    free(kept);
    free(left);
}
END_TEST

/* ---- cursors ---- */

static struct cursor cursor_of(const char *text)
{
    struct cursor cursor = {0};

    ck_assert_int_eq(cursor_decode(text, &cursor), 0);
    return cursor;
}

START_TEST(a_cursor_survives_its_text)
{
    static const char *const texts[] = {"10:10:||0|0", "10:20:11,12|10:30:12|25|991"};

    for (size_t i = 0; i < ROWS(texts); i++) {
        struct cursor cursor = cursor_of(texts[i]);
        char *text = cursor_encode(&cursor);

        ck_assert_str_eq(text, texts[i]);
        free(text);
        cursor_free(&cursor);
    }
}
END_TEST

START_TEST(what_is_no_cursor_is_refused)
{
    static const char *const texts[] = {"",
                                        "10:10:",
                                        "10:10:||0",
                                        "10:10:||0|0|0",
                                        "x|10:10:|0|0",
                                        "10:10:|x|0|0",
                                        "10:10:||-1|0",
                                        "10:10:|||",
                                        "|10:10:|0|0",
                                        "10:10:||0|0x10",
                                        "10:10:||0|9223372036854775808",
                                        "10:10:||99999999999999999999|0",
                                        "10:20:12,11||0|0"};
    struct cursor cursor = {0};

    ck_assert_int_eq(cursor_decode(NULL, &cursor), -1);
    for (size_t i = 0; i < ROWS(texts); i++)
        ck_assert_msg(cursor_decode(texts[i], &cursor) == -1, "%s", texts[i]);
    ck_assert_ptr_null(cursor.done);
}
END_TEST

static const struct hold_back {
    const char *own, *other, *result;
} hold_backs[] = {
    {"20:20:||0|0", "10:10:||0|0", "10:10:||0|0"},                      /* the other is older */
    {"10:10:||0|0", "20:20:||0|0", "10:10:||0|0"},                      /* the other is newer */
    {"10:10:|20:20:|15|3", "10:10:|20:20:|15|2", "10:10:|20:20:|15|2"}, /* a page behind in the same batch */
    {"10:10:|20:20:|15|9", "10:10:|20:20:|16|1", "10:10:|20:20:|15|9"}, /* a page ahead */
    {"10:10:|20:20:|15|9", "10:10:|30:30:|12|1", "10:10:||0|0"},        /* another batch */
    {"10:10:|20:20:|15|9", "10:10:||0|0", "10:10:||0|0"},               /* the other has not begun it */
    {"10:10:||0|0", "10:10:|20:20:|15|9", "10:10:||0|0"},               /* the other has */
};

START_TEST(a_cursor_is_held_back_to_what_both_have)
{
    const struct hold_back *row = &hold_backs[_i];
    struct cursor own = cursor_of(row->own), other = cursor_of(row->other);
    char *text;

    cursor_hold_back(&own, &other);
    text = cursor_encode(&own);
    ck_assert_str_eq(text, row->result);
    free(text);
    cursor_free(&own);
    cursor_free(&other);
}
END_TEST

START_TEST(the_end_of_a_batch_is_its_snapshot)
{
    struct cursor cursor = cursor_of("10:10:|20:20:|15|9"), done = cursor_of("20:20:||0|0");

    cursor_end_batch(&cursor);
    ck_assert(cursor_equal(&cursor, &done));
    cursor_free(&cursor);
    cursor_free(&done);
}
END_TEST

/* ---- where to go on ---- */

static const struct {
    struct resume_facts
        facts; /* identity, now, pg_identity, pg_dataset, redis_identity, redis_dataset, ordinal */
    enum resume_verdict verdict;
} judgements[] = {
    {{"7/01", 100, "7/01", "d", "7/01", "d", 100}, RESUME_GO_ON},
    {{"7/01", 100, NULL, "d", "7/01", "d", 5}, RESUME_GO_ON},
    {{"7/01", 100, "7/01", "d", NULL, "d", 5},
     RESUME_GO_ON}, /* the epoch's key was lost: PostgreSQL knows it */
    {{"7/01", 100, NULL, NULL, NULL, NULL, 0}, RESUME_NEW_CONTENTS},
    {{"7/01", 100, "7/01", "d", NULL, NULL, 0}, RESUME_NEW_CONTENTS},
    {{"7/01", 100, "7/01", "d", "7/01", "e", 5}, RESUME_NEW_CONTENTS},
    {{"7/01", 100, "7/01", NULL, "7/01", "e", 5}, RESUME_NEW_CONTENTS},
    {{"7/02", 100, "7/01", "d", "7/01", "d", 5}, RESUME_NEW_HISTORY},
    {{"7/02", 100, "7/01", "d", NULL, NULL, 0}, RESUME_NEW_HISTORY}, /* and Redis is new as well */
    {{"7/02", 100, "7/02", "d", "7/01", "d", 5}, RESUME_NEW_HISTORY},
    {{"8/01", 100, NULL, NULL, "7/01", "d", 500},
     RESUME_NEW_HISTORY}, /* ordinals of another system say nothing */
    {{"7/01", 100, "7/01", "d", "7/01", "d", 101}, RESUME_BACK_IN_TIME},
};

START_TEST(what_both_sides_know_decides_where_to_go_on)
{
    ck_assert_int_eq(resume_judge(&judgements[_i].facts), judgements[_i].verdict);
}
END_TEST

UNIT_MAIN("cursor", UNIT(a_set_is_in_order_and_holds_each_once), UNIT(no_array_is_the_empty_set),
          UNIT(sets_are_filtered_by_others), UNIT(a_cursor_survives_its_text),
          UNIT(what_is_no_cursor_is_refused), UNIT_ROWS(a_cursor_is_held_back_to_what_both_have, hold_backs),
          UNIT(the_end_of_a_batch_is_its_snapshot),
          UNIT_ROWS(what_both_sides_know_decides_where_to_go_on, judgements))
