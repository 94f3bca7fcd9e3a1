/* cdc/template.h */
#include "cdc/template.h"

#include <fnmatch.h>

#include "common/mem.h"

#include "unit.h"

enum { MAX_COLUMNS = 4 };

static struct key_template *parse(const char *text)
{
    struct err err = ERR_NONE;
    struct key_template *key = template_parse(text, &err);

    ck_assert_msg(key != NULL, "%s: %s", text, err.text);
    return key;
}

static char *render(const struct key_template *key, const char *const *values)
{
    struct buf out = BUF_NONE;

    template_render(key, values, &out);
    return buf_take(&out);
}

/* ---- parsing ---- */

static const struct {
    const char *text;
    size_t columns;
    const char *rendered; /* with the values A, B, C */
} good[] = {
    {"{id}", 1, "A"},
    {"event:{id}", 1, "event:A"},
    {"{id}:event", 1, "A:event"},
    {"stock:{site}:{sku}", 2, "stock:A:B"},
    {"{a}-{b}/{c}.", 3, "A-B/C."},
    {"a{{{id}}}b", 1, "a{A}b"},
    {"{{x}}:{id}", 1, "{x}:A"},
    {"{id}}}", 1, "A}"},
    {"{a}}}{b}", 2, "A}B"},
    {"Zürich:{größe}", 1, "Zürich:A"},
    {"{with space}", 1, "A"},
};

START_TEST(good_templates)
{
    static const char *const values[] = {"A", "B", "C"};
    struct key_template *key = parse(good[_i].text);
    char *text = render(key, values);

    ck_assert_uint_eq(template_columns(key), good[_i].columns);
    ck_assert_str_eq(text, good[_i].rendered);
    free(text);
    template_free(key);
}
END_TEST

static const struct {
    const char *text;
    const char *words;
} bad[] = {
    {"", "no column"},
    {"event", "no column"},
    {"{{id}}", "no column"},
    {"event:{id", "{ without its }"},
    {"event:{", "{ without its }"},
    {"{a}:{b", "{ without its }"},
    {"event:{}", "empty {}"},
    {"event:id}", "} without its {"},
    {"{id}}", "} without its {"},
    {"{a}:{b}}:{c}", "} without its {"},
    {"{a}{b}", "nothing separates {a} from {b}"},
    {"x:{a}:{b}{c}", "nothing separates {b} from {c}"},
    {"{a}:{b}:{a}", "{a} twice"},
    {"{a}:{b}:{b}", "{b} twice"},
};

START_TEST(bad_templates)
{
    struct err err = ERR_NONE;

    ck_assert_ptr_null(template_parse(bad[_i].text, &err));
    ck_assert_int_eq(err.status, ST_CONFIG);
    ck_assert_msg(strstr(err.text, bad[_i].words), "%s: %s", bad[_i].text, err.text);
}
END_TEST

START_TEST(columns_have_their_names)
{
    struct key_template *key = parse("x:{site}:{sku of it}");

    ck_assert_str_eq(template_column(key, 0), "site");
    ck_assert_str_eq(template_column(key, 1), "sku of it");
    template_free(key);
    template_free(NULL);
}
END_TEST

START_TEST(many_columns)
{
    struct buf text = BUF_NONE;
    struct key_template *key;

    for (int i = 0; i < 100; i++)
        buf_printf(&text, ":{c%d}", i);
    key = parse(text.data);
    ck_assert_uint_eq(template_columns(key), 100);
    ck_assert_str_eq(template_column(key, 99), "c99");
    template_free(key);
    buf_free(&text);
}
END_TEST

START_TEST(render_appends)
{
    struct key_template *key = parse("event:{id}");
    struct buf out = BUF_NONE;

    buf_puts(&out, "gone:");
    template_render(key, (const char *const[]){"7"}, &out);
    ck_assert_str_eq(out.data, "gone:event:7");
    buf_free(&out);
    template_free(key);
}
END_TEST

/* ---- turning back ---- */

static const struct {
    const char *template;
    const char *key;
    const char *values[2]; /* [0] NULL: not of this form */
} inversions[] = {
    {"event:{id}", "event:77", {"77"}},
    {"event:{id}", "event:", {""}},
    {"event:{id}", "event:a:b", {"a:b"}},
    {"event:{id}", "event", {NULL}},
    {"event:{id}", "Event:77", {NULL}},
    {"event:{id}", "", {NULL}},
    {"a{id}a", "aa", {""}},
    {"a{id}a", "a", {NULL}},
    {"aba{id}aba", "ababa", {NULL}},
    {"{id}:end", "7:end", {"7"}},
    {"{id}:end", "7:end:end", {"7:end"}},
    {"{id}:end", "7:en", {NULL}},
    {"stock:{site}:{sku}", "stock:1:2", {"1", "2"}},
    {"stock:{site}:{sku}", "stock:1:2:3", {"1", "2:3"}},
    {"stock:{site}:{sku}", "stock::", {"", ""}},
    {"stock:{site}:{sku}", "stock:1", {NULL}},
    {"{a}--{b}.", "x---y.", {"x", "-y"}},
    {"{a}:{b}:", "1:", {NULL}},
    {"{{x}}{id}", "{x}7", {"7"}},
};

START_TEST(invert)
{
    struct key_template *key = parse(inversions[_i].template);
    const char *const *want = inversions[_i].values;
    char *values[2] = {NULL, NULL};
    int result = template_invert(key, inversions[_i].key, strlen(inversions[_i].key), values);

    ck_assert_int_eq(result, want[0] ? 0 : -1);
    for (size_t i = 0; result == 0 && i < template_columns(key); i++) {
        ck_assert_str_eq(values[i], want[i]);
        free(values[i]);
    }
    template_free(key);
}
END_TEST

START_TEST(invert_minds_the_length)
{
    struct key_template *key = parse("event:{id}");
    char *value;

    ck_assert_int_eq(template_invert(key, "event:123", 7, &value), 0);
    ck_assert_str_eq(value, "1");
    free(value);
    ck_assert_int_eq(template_invert(key, "event:123", 5, &value), -1);
    template_free(key);
}
END_TEST

/* ---- properties, with random ids ---- */

static const struct {
    const char *template;
    const char *separators[MAX_COLUMNS];
} shapes[] = {
    {"event:{id}", {NULL}},
    {"{a}:{b}", {":"}},
    {"x:{a}::{b}.", {"::"}},
    {"{a}ab{b}ab{c}", {"ab", "ab"}},
    {"aa{a}a{b}b{c}:{d}aa", {"a", "b", ":"}},
    {"{{{a}}}{b}{{", {"}"}},
};

/* By the header: a value ends at the first place where the literal behind it stands. */
static bool should_survive(const char *const *separators, char *const *values, size_t count)
{
    bool survives = true;

    for (size_t i = 0; i + 1 < count; i++) {
        char *text = mem_printf("%s%s%s", values[i], separators[i], values[i + 1]);

        survives = survives && strstr(text, separators[i]) == text + strlen(values[i]);
        free(text);
    }
    return survives;
}

static bool comes_back(const struct key_template *key, const char *text, char *const *values)
{
    char *back[MAX_COLUMNS];
    bool same = true;

    if (template_invert(key, text, strlen(text), back) != 0)
        return false;
    for (size_t i = 0; i < template_columns(key); i++) {
        same = same && strcmp(back[i], values[i]) == 0;
        free(back[i]);
    }
    return same;
}

static void check_random_id(int shape, const struct key_template *key, const char *pattern, char **values)
{
    char *text = render(key, (const char *const *)values);
    bool survives = template_survives(key, (const char *const *)values);

    ck_assert_msg(survives == should_survive(shapes[shape].separators, values, template_columns(key)), "%s",
                  text);
    ck_assert_msg(survives == comes_back(key, text, values), "%s", text);
    ck_assert_msg(fnmatch(pattern, text, 0) == 0, "%s does not match %s", text, pattern);
    free(text);
}

START_TEST(ids_survive_or_are_told)
{
    static const char *const pieces[] = {"a", "b", ":", ".", "{", "}", "*", "\\", "é", "1"};
    struct key_template *key = parse(shapes[_i].template);
    char *pattern = template_pattern(key), *values[MAX_COLUMNS];
    uint32_t seed = 42;

    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < template_columns(key); i++)
            values[i] = unit_random_text(&seed, pieces, ROWS(pieces), 5);
        check_random_id(_i, key, pattern, values);
        for (size_t i = 0; i < template_columns(key); i++)
            free(values[i]);
    }
    free(pattern);
    template_free(key);
}
END_TEST

/* ---- patterns ---- */

static const struct {
    const char *template;
    const char *pattern;
    const char *stranger; /* a key of another form */
} patterns[] = {
    {"event:{id}", "event:*", "events:1"}, {"{a}:{b}.", "*:*.", "1:2"},
    {"a*b:{id}", "a\\*b:*", "axb:1"},      {"a?[x]:{id}", "a\\?\\[x\\]:*", "ab[x]:1"},
    {"a\\b:{id}", "a\\\\b:*", "ab:1"},     {"{{s}}:{id}", "{s}:*", "s:1"},
};

START_TEST(pattern)
{
    struct key_template *key = parse(patterns[_i].template);
    char *text = template_pattern(key);

    ck_assert_str_eq(text, patterns[_i].pattern);
    ck_assert_int_ne(fnmatch(text, patterns[_i].stranger, 0), 0);
    free(text);
    template_free(key);
}
END_TEST

UNIT_MAIN("template", UNIT_ROWS(good_templates, good), UNIT_ROWS(bad_templates, bad),
          UNIT(columns_have_their_names), UNIT(many_columns), UNIT(render_appends),
          UNIT_ROWS(invert, inversions), UNIT(invert_minds_the_length),
          UNIT_ROWS(ids_survive_or_are_told, shapes), UNIT_ROWS(pattern, patterns))
