/* queue/consume_verdict.h */
#include "queue/consume_verdict.h"

#include "unit.h"

#define NAME(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct verdict_name names[] = {
    NAME("event:2"), NAME("event:1"), NAME("a\tb"), NAME("a"),
    NAME("nul\0l"),  NAME("nul"),     NAME("twin"), NAME("twin"),
};

enum { SECOND, FIRST, TABBED, SHORT, WITH_NUL, BEFORE_NUL, TWIN, OTHER_TWIN, NONE = -1 };

static struct verdicts *feed(const char *data, size_t len, size_t piece)
{
    struct verdicts *verdicts = verdicts_new(names, ROWS(names));

    for (size_t at = 0; at < len; at += piece)
        verdicts_feed(verdicts, data + at, len - at < piece ? len - at : piece);
    verdicts_finish(verdicts);
    return verdicts;
}

static void assert_verdict(const struct verdicts *verdicts, size_t index, enum verdict verdict,
                           const char *reason)
{
    const char *found;

    ck_assert_int_eq(verdicts_get(verdicts, index, &found), verdict);
    ck_assert_pstr_eq(found, reason);
}

static const struct {
    const char *line;
    int index;
    enum verdict verdict;
    const char *reason;
} right[] = {
    {"ok\tevent:1\n", FIRST, VERDICT_OK, NULL},
    {"ok\tevent:2\n", SECOND, VERDICT_OK, NULL},
    {"fail\tevent:1\tthe reason\n", FIRST, VERDICT_FAIL, "the reason"},
    {"fail\tevent:1\ta\treason\twith tabs\n", FIRST, VERDICT_FAIL, "a\treason\twith tabs"},
    {"fail\tevent:1\n", FIRST, VERDICT_FAIL, NULL},
    {"fail\tevent:1\t\n", FIRST, VERDICT_FAIL, NULL},
    {"ok\ta\tb\n", TABBED, VERDICT_OK, NULL},
    {"fail\ta\tb\n", TABBED, VERDICT_FAIL, NULL},
    {"fail\ta\tb\tc\n", TABBED, VERDICT_FAIL, "c"},
    {"fail\ta\tc\n", SHORT, VERDICT_FAIL, "c"},
    {"ok\tevent:1\nok\tevent:1\n", FIRST, VERDICT_OK, NULL},
    {"ok\tevent:1\nfail\tevent:1\tx\n", FIRST, VERDICT_FAIL, "x"},
    {"fail\tevent:1\tx\nok\tevent:1\n", FIRST, VERDICT_FAIL, "x"},
    {"fail\tevent:1\tx\nfail\tevent:1\ty\n", FIRST, VERDICT_FAIL, "x"},
    {"", NONE, VERDICT_NONE, NULL},
};

START_TEST(right_lines)
{
    for (size_t piece = 1; piece < 30; piece++) {
        struct verdicts *verdicts = feed(right[_i].line, strlen(right[_i].line), piece);

        ck_assert_pstr_eq(verdicts_wrong(verdicts), NULL);
        for (int i = 0; i < (int)ROWS(names); i++)
            if (i != right[_i].index)
                assert_verdict(verdicts, (size_t)i, VERDICT_NONE, NULL);
        if (right[_i].index != NONE)
            assert_verdict(verdicts, (size_t)right[_i].index, right[_i].verdict, right[_i].reason);
        verdicts_free(verdicts);
    }
}
END_TEST

static const struct {
    const char *line;
    const char *wrong;
} wrong[] = {
    {"ok\tevent:3\n", "\"ok\tevent:3\" names no item of this run"},
    {"ok\tevent:1 \n", "names no item"},
    {"ok\tevent:1\treason\n", "names no item"},
    {"ok\t\n", "names no item"},
    {"fail\t\treason\n", "names no item"},
    {"fail\tevent\treason\n", "names no item"},
    {"ok event:1\n", "begins with neither"},
    {"OK\tevent:1\n", "begins with neither"},
    {"ok\n", "begins with neither"},
    {"\n", "begins with neither"},
    {"ok\tevent:1", "\"ok\tevent:1\" was not ended by a line break"},
    {"o", "was not ended"},
    {"\xff\n", "\"…\" begins with neither"},
};

START_TEST(wrong_lines)
{
    struct verdicts *verdicts = feed(wrong[_i].line, strlen(wrong[_i].line), 3);

    ck_assert_ptr_nonnull(strstr(verdicts_wrong(verdicts), wrong[_i].wrong));
    for (size_t i = 0; i < ROWS(names); i++)
        assert_verdict(verdicts, i, VERDICT_NONE, NULL);
    verdicts_free(verdicts);
}
END_TEST

START_TEST(the_first_wrong_line_is_told_and_right_ones_count)
{
    static const char lines[] = "ok\tevent:1\nfirst\nsecond\nfail\tevent:2\tx\n";
    struct verdicts *verdicts = feed(lines, strlen(lines), 7);

    ck_assert_ptr_nonnull(strstr(verdicts_wrong(verdicts), "\"first\""));
    assert_verdict(verdicts, FIRST, VERDICT_OK, NULL);
    assert_verdict(verdicts, SECOND, VERDICT_FAIL, "x");
    verdicts_free(verdicts);
}
END_TEST

START_TEST(names_are_bytes)
{
    static const char lines[] = "ok\tnul\0l\n";
    struct verdicts *verdicts = feed(lines, sizeof(lines) - 1, 4);

    ck_assert_pstr_eq(verdicts_wrong(verdicts), NULL);
    assert_verdict(verdicts, WITH_NUL, VERDICT_OK, NULL);
    assert_verdict(verdicts, BEFORE_NUL, VERDICT_NONE, NULL);
    verdicts_free(verdicts);
}
END_TEST

START_TEST(items_of_one_name_share_their_verdict)
{
    struct verdicts *verdicts = feed("fail\ttwin\tx\n", 12, 12);

    assert_verdict(verdicts, TWIN, VERDICT_FAIL, "x");
    assert_verdict(verdicts, OTHER_TWIN, VERDICT_FAIL, "x");
    verdicts_free(verdicts);
}
END_TEST

START_TEST(long_reasons_are_cut)
{
    struct verdicts *verdicts;
    struct buf line = BUF_NONE;
    const char *reason;

    buf_puts(&line, "fail\tevent:1\t");
    for (int i = 0; i < 10 * VERDICT_REASON_BYTES; i++)
        buf_putc(&line, 'x');
    buf_putc(&line, '\n');
    verdicts = feed(line.data, line.len, 100);
    ck_assert_int_eq(verdicts_get(verdicts, FIRST, &reason), VERDICT_FAIL);
    ck_assert_uint_eq(strlen(reason), VERDICT_REASON_BYTES);
    verdicts_free(verdicts);
    buf_free(&line);
}
END_TEST

START_TEST(an_endless_line_is_wrong_and_skipped)
{
    static const size_t pieces[] = {1000, 65536, 5 * VERDICT_LINE_BYTES};
    struct verdicts *verdicts;
    struct buf lines = BUF_NONE;

    buf_puts(&lines, "ok\tevent:1\nok\tev");
    for (int i = 0; i < 3 * VERDICT_LINE_BYTES; i++)
        buf_putc(&lines, 'x');
    buf_puts(&lines, "\nok\tevent:2\n");
    verdicts = feed(lines.data, lines.len, pieces[_i]);
    ck_assert_ptr_nonnull(strstr(verdicts_wrong(verdicts), "does not end"));
    assert_verdict(verdicts, FIRST, VERDICT_OK, NULL);
    assert_verdict(verdicts, SECOND, VERDICT_OK, NULL);
    verdicts_free(verdicts);
    buf_free(&lines);
}
END_TEST

START_TEST(an_item_of_the_greatest_length_fits)
{
    struct verdict_name name = {.len = 1048576};
    struct verdicts *verdicts;
    char *item = malloc(name.len);

    memset(item, 'i', name.len);
    name.data = item;
    verdicts = verdicts_new(&name, 1);
    verdicts_feed(verdicts, "fail\t", 5);
    verdicts_feed(verdicts, item, name.len);
    verdicts_feed(verdicts, "\ttoo long\n", 10);
    verdicts_finish(verdicts);
    ck_assert_pstr_eq(verdicts_wrong(verdicts), NULL);
    assert_verdict(verdicts, 0, VERDICT_FAIL, "too long");
    verdicts_free(verdicts);
    free(item);
}
END_TEST

UNIT_MAIN("consume_verdict", UNIT_ROWS(right_lines, right), UNIT_ROWS(wrong_lines, wrong),
          UNIT(the_first_wrong_line_is_told_and_right_ones_count), UNIT(names_are_bytes),
          UNIT(items_of_one_name_share_their_verdict), UNIT(long_reasons_are_cut),
          {an_endless_line_is_wrong_and_skipped, 3}, UNIT(an_item_of_the_greatest_length_fits))
