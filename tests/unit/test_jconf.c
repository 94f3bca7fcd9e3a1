/* common/jconf.h */
#include "common/jconf.h"

#include "common/mem.h"
#include "common/utf8.h"

#include "unit.h"

static struct problems problems;
static json_t *document;

static json_t *load(const char *text)
{
    struct unit_file file = unit_file(text);
    json_t *loaded = jconf_load(file.path, &problems);

    unit_file_close(&file);
    return loaded;
}

/* The root node of this document, which stays until end(). */
static struct jnode begin(const char *text)
{
    document = load(text);
    ck_assert_ptr_nonnull(document);
    return jconf_root(document, &problems);
}

static void end(void)
{
    json_decref(document);
    problems_free(&problems);
}

static const struct {
    const char *text;
    const char *words;
} no_documents[] = {
    {"", "line 1"},
    {"null", "line 1"},
    {"{\n  \"a\": 1,\n  \"b\" 2\n}", "line 3"},
    {"{\n\"a\": 1,\n\"a\": 2}", "line 3"},
    {"{} x", "line 1"},
    {"{\"a\": \"\xff\"}", "line 1"},
    {"{\"a\": \"\\u0000\"}", "line 1"},
    {"{'a': 1}", "column 2"},
};

START_TEST(no_json)
{
    ck_assert_ptr_null(load(no_documents[_i].text));
    ck_assert_uint_eq(problems.errors, 1);
    unit_assert_problem(&problems, "", no_documents[_i].words);
    problems_free(&problems);
}
END_TEST

START_TEST(no_object)
{
    ck_assert_ptr_null(load("[{}]"));
    unit_assert_problem(&problems, "", "object");
    problems_free(&problems);
}
END_TEST

START_TEST(no_file)
{
    ck_assert_ptr_null(jconf_load("/nonexistent/pgusher.json", &problems));
    unit_assert_problem(&problems, "", "No such file");
    problems_free(&problems);
    ck_assert_ptr_null(jconf_load("/", &problems));
    ck_assert_uint_eq(problems.errors, 1);
    problems_free(&problems);
}
END_TEST

START_TEST(nodes_know_their_paths)
{
    struct jnode root = begin("{\"a\": {\"b c\": [1, [2]]}}");
    struct jnode a = jconf_member(&root, "a"), b = jconf_member(&a, "b c"), list = jconf_item(&b, 1);
    struct jnode two = jconf_item(&list, 0), none = jconf_member(&a, "d"), beyond = jconf_item(&b, 2);

    ck_assert_str_eq(root.path, "");
    ck_assert_str_eq(two.path, "a.b c[1][0]");
    ck_assert_int_eq(json_integer_value(two.value), 2);
    ck_assert_ptr_null(none.value);
    ck_assert_str_eq(none.path, "a.d");
    ck_assert_ptr_null(beyond.value);
    jconf_problem(&two, "is %d%%", 50);
    unit_assert_problem(&problems, "a.b c[1][0]", "is 50%");
    end();
}
END_TEST

START_TEST(paths_have_a_limit)
{
    struct jnode node = begin("{}");
    char name[300];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 10; i++)
        node = jconf_member(&node, name);
    node = jconf_item(&node, SIZE_MAX);
    ck_assert_uint_lt(strlen(node.path), sizeof(node.path));
    end();
}
END_TEST

/* "é" is two bytes: wherever the path is cut, what stays can be printed as JSON. */
START_TEST(paths_are_cut_between_characters)
{
    for (size_t lead = 0; lead < 4; lead++) {
        struct jnode node = begin("{}");
        struct buf name = BUF_NONE;

        while (name.len < lead)
            buf_putc(&name, 'n');
        while (name.len < 100)
            buf_puts(&name, "é");
        for (int i = 0; i < 4; i++) {
            node = jconf_member(&node, name.data);
            ck_assert_uint_eq(utf8_valid_length(node.path, strlen(node.path)), strlen(node.path));
        }
        node = jconf_item(&node, 7);
        ck_assert_uint_eq(utf8_valid_length(node.path, strlen(node.path)), strlen(node.path));
        buf_free(&name);
        end();
    }
}
END_TEST

START_TEST(is_object)
{
    struct jnode root = begin("{\"a\": {}, \"b\": []}");
    struct jnode a = jconf_member(&root, "a"), b = jconf_member(&root, "b");

    ck_assert(jconf_is_object(&a));
    unit_assert_no_problem(&problems);
    ck_assert(!jconf_is_object(&b));
    unit_assert_problem(&problems, "b", "must be an object { … }, not a list");
    end();
}
END_TEST

START_TEST(unknown_keys)
{
    static const char *const known[] = {"source", "watch", NULL};
    struct jnode root = begin("{\"source\": 1, \"watch\": 1, \"wacth\": 2, \"zzz\": 3}");

    jconf_known(&root, known);
    ck_assert_uint_eq(problems.count, 2);
    unit_assert_problem(&problems, "wacth", "did you mean \"watch\"?");
    unit_assert_problem(&problems, "zzz", "unknown key");
    end();
}
END_TEST

START_TEST(strings)
{
    struct jnode root = begin("{\"s\": \"é\", \"n\": 7, \"e\": \"\", \"null\": null, \"b\": true}");
    char *text = jconf_string(&root, "s", true);

    ck_assert_str_eq(text, "é");
    free(text);
    ck_assert_ptr_null(jconf_string(&root, "absent", false));
    unit_assert_no_problem(&problems);
    ck_assert_ptr_null(jconf_string(&root, "absent", true));
    unit_assert_problem(&problems, "absent", "missing");
    ck_assert_ptr_null(jconf_string(&root, "n", false));
    unit_assert_problem(&problems, "n", "must be a string, not a number");
    ck_assert_ptr_null(jconf_string(&root, "e", false));
    unit_assert_problem(&problems, "e", "empty");
    ck_assert_ptr_null(jconf_string(&root, "null", false));
    unit_assert_problem(&problems, "null", "must be a string, not null");
    ck_assert_ptr_null(jconf_string(&root, "b", false));
    unit_assert_problem(&problems, "b", "must be a string, not true or false");
    end();
}
END_TEST

START_TEST(strings_outlive_the_document)
{
    struct jnode root = begin("{\"s\": \"text\"}");
    char *text = jconf_string(&root, "s", true);

    end();
    ck_assert_str_eq(text, "text");
    free(text);
}
END_TEST

START_TEST(integers)
{
    struct jnode root =
        begin("{\"low\": -3, \"high\": 9, \"below\": -4, \"above\": 10, \"real\": 1.5, \"text\": \"5\"}");

    ck_assert_int_eq(jconf_integer(&root, "low", -3, 9, 5), -3);
    ck_assert_int_eq(jconf_integer(&root, "high", -3, 9, 5), 9);
    ck_assert_int_eq(jconf_integer(&root, "absent", -3, 9, 77), 77);
    unit_assert_no_problem(&problems);
    ck_assert_int_eq(jconf_integer(&root, "below", -3, 9, 5), 5);
    unit_assert_problem(&problems, "below", "from -3 to 9");
    ck_assert_int_eq(jconf_integer(&root, "above", -3, 9, 5), 5);
    unit_assert_problem(&problems, "above", "from -3 to 9");
    ck_assert_int_eq(jconf_integer(&root, "real", -3, 9, 5), 5);
    unit_assert_problem(&problems, "real", "whole number");
    ck_assert_int_eq(jconf_integer(&root, "text", -3, 9, 5), 5);
    unit_assert_problem(&problems, "text", "whole number, not a string");
    end();
}
END_TEST

START_TEST(bools)
{
    struct jnode root = begin("{\"yes\": true, \"no\": false, \"n\": 1}");

    ck_assert(jconf_bool(&root, "yes", false));
    ck_assert(!jconf_bool(&root, "no", true));
    ck_assert(jconf_bool(&root, "absent", true));
    unit_assert_no_problem(&problems);
    ck_assert(jconf_bool(&root, "n", true));
    unit_assert_problem(&problems, "n", "true or false, not a number");
    end();
}
END_TEST

START_TEST(durations)
{
    struct jnode root = begin("{\"d\": \"2 s\", \"n\": 5, \"wrong\": \"5 parsecs\"}");

    ck_assert_int_eq(jconf_duration_ms(&root, "d", 1), 2000);
    ck_assert_int_eq(jconf_duration_ms(&root, "absent", 1), 1);
    unit_assert_no_problem(&problems);
    ck_assert_int_eq(jconf_duration_ms(&root, "n", 1), 1);
    unit_assert_problem(&problems, "n", "duration");
    ck_assert_int_eq(jconf_duration_ms(&root, "wrong", 1), 1);
    unit_assert_problem(&problems, "wrong", "\"5 parsecs\" is no duration");
    end();
}
END_TEST

/* Reads {"l": …} as a list of strings and joins them with a bar; the caller frees. */
static char *joined_strings(const char *text)
{
    struct jnode root = begin(text), node = jconf_member(&root, "l");
    struct buf joined = BUF_NONE;
    char **list;
    size_t count = jconf_strings(&node, &list);

    for (size_t i = 0; i < count; i++) {
        buf_printf(&joined, "%s|", list[i]);
        free(list[i]);
    }
    free(list);
    return buf_take(&joined);
}

static const struct {
    const char *text;
    const char *joined;
    const char *place; /* of the problem; NULL for none */
    const char *words;
} lists[] = {
    {"{}", "", NULL, NULL},
    {"{\"l\": \"a\"}", "a|", NULL, NULL},
    {"{\"l\": [\"a\", \"b\"]}", "a|b|", NULL, NULL},
    {"{\"l\": []}", "", "l", "empty"},
    {"{\"l\": \"\"}", "", "l", "empty"},
    {"{\"l\": 7}", "", "l", "must be a string or a list of strings, not a number"},
    {"{\"l\": [\"a\", 7, \"b\"]}", "a|b|", "l[1]", "must be a string, not a number"},
    {"{\"l\": [\"a\", \"\"]}", "a|", "l[1]", "empty"},
    {"{\"l\": [[\"a\"]]}", "", "l[0]", "must be a string, not a list"},
};

START_TEST(string_lists)
{
    char *joined = joined_strings(lists[_i].text);

    ck_assert_str_eq(joined, lists[_i].joined);
    if (lists[_i].place)
        unit_assert_problem(&problems, lists[_i].place, lists[_i].words);
    else
        unit_assert_no_problem(&problems);
    free(joined);
    end();
}
END_TEST

UNIT_MAIN("jconf", UNIT_ROWS(no_json, no_documents), UNIT(no_object), UNIT(no_file),
          UNIT(nodes_know_their_paths), UNIT(paths_have_a_limit), UNIT(paths_are_cut_between_characters),
          UNIT(is_object), UNIT(unknown_keys), UNIT(strings), UNIT(strings_outlive_the_document),
          UNIT(integers), UNIT(bools), UNIT(durations), UNIT_ROWS(string_lists, lists))
