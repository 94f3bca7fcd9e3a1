/* queue/consume_line.h */
#include "queue/consume_line.h"

#include <jansson.h>

#include "unit.h"

#define WORD(text)                                                                                           \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct line_word key = WORD("event:1");

static void assert_line(struct buf *line, const char *text)
{
    json_t *parsed = json_loadb(line->data, line->len, JSON_ALLOW_NUL, NULL);

    ck_assert_str_eq(line->data, text);
    ck_assert(json_is_object(parsed));
    json_decref(parsed);
    buf_free(line);
}

static const struct {
    struct line_word text;
    const char *shown;
} versions[] = {
    {WORD("12"), "12"},    {WORD("0"), "0"},
    {WORD("-5"), "-5"},    {WORD("9007199254740991"), "9007199254740991"},
    {WORD("007"), "null"}, {WORD("-0"), "null"},
    {WORD("-"), "null"},   {WORD("9999999999999999999"), "null"},
    {WORD("1.5"), "null"}, {WORD("1e5"), "null"},
    {WORD(" 1"), "null"},  {WORD(""), "null"},
    {WORD("1\0"), "null"}, {WORD("x"), "null"},
    {{NULL, 0}, "null"},
};

START_TEST(a_version_is_an_integer_or_null)
{
    struct buf line = BUF_NONE;
    char text[100];

    line_put_delete(&line, key, versions[_i].text);
    snprintf(text, sizeof(text), "{\"key\":\"event:1\",\"op\":\"delete\",\"version\":%s}\n",
             versions[_i].shown);
    assert_line(&line, text);
}
END_TEST

START_TEST(a_document_without_what_is_ours)
{
    static const struct line_word words[] = {WORD("_v"),   WORD("3"),  WORD("name"), WORD("Ä"),
                                             WORD("_d"),   WORD("xx"), WORD("_vx"),  WORD("1"),
                                             WORD("list"), WORD("[1]")};
    struct buf line = BUF_NONE;

    line_put_upsert(&line, key, words, ROWS(words));
    assert_line(&line,
                "{\"key\":\"event:1\",\"op\":\"upsert\",\"version\":3,\"doc\":{\"name\":\"Ä\",\"_vx\":\"1\","
                "\"list\":\"[1]\"}}\n");
}
END_TEST

START_TEST(a_document_of_others)
{
    static const struct line_word words[] = {WORD("x"), WORD("")};
    struct buf line = BUF_NONE;

    line_put_upsert(&line, key, words, ROWS(words));
    assert_line(&line, "{\"key\":\"event:1\",\"op\":\"upsert\",\"version\":null,\"doc\":{\"x\":\"\"}}\n");
}
END_TEST

START_TEST(an_empty_document)
{
    static const struct line_word words[] = {WORD("_v"), WORD("3"), WORD("_d"), WORD("")};
    struct buf line = BUF_NONE;

    line_put_upsert(&line, key, words, ROWS(words));
    assert_line(&line, "{\"key\":\"event:1\",\"op\":\"upsert\",\"version\":3,\"doc\":{}}\n");
}
END_TEST

static const struct {
    struct line_word text;
    const char *shown;
} strings[] = {
    {WORD("a\nb\tc"), "a\\nb\\tc"},
    {WORD("\"\\\x01"), "\\\"\\\\\\u0001"},
    {WORD("a\0b"), "a\\u0000b"},
    {WORD("\xff\xfe"), "\xef\xbf\xbd\xef\xbf\xbd"},
    {WORD("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd"},                 /* overlong */
    {WORD("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    {WORD("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {WORD("\xe2\x82"), "\xef\xbf\xbd\xef\xbf\xbd"}, /* cut off */
    {WORD("€😀"), "€😀"},
};

START_TEST(any_bytes_make_valid_json)
{
    struct line_word words[] = {WORD("name"), strings[_i].text};
    struct buf line = BUF_NONE;
    char text[300];

    line_put_upsert(&line, strings[_i].text, words, 2);
    snprintf(text, sizeof(text),
             "{\"key\":\"%s\",\"op\":\"upsert\",\"version\":null,\"doc\":{\"name\":\"%s\"}}\n",
             strings[_i].shown, strings[_i].shown);
    assert_line(&line, text);
}
END_TEST

UNIT_MAIN("consume_line", UNIT_ROWS(a_version_is_an_integer_or_null, versions),
          UNIT(a_document_without_what_is_ours), UNIT(a_document_of_others), UNIT(an_empty_document),
          UNIT_ROWS(any_bytes_make_valid_json, strings))
