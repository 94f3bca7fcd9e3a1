/* cdc/template.h: what a template makes of a row, its inverse reads back, or the row is known not to survive;
 * what the inverse reads from any key is a row that makes this key, and no other. Lines: two templates, then
 * values. */
#include "cdc/template.h"

#include "fuzz.h"

enum { MAX_COLUMNS = 16 };

/* ---- Redis's glob, as util.c of Redis has it ---- */

static bool glob_matches(const char *pattern, const char *text)
{
    for (; *pattern; pattern++, text++) {
        if (*pattern == '*') {
            for (; !glob_matches(pattern + 1, text); text++)
                if (!*text)
                    return false;
            return true;
        }
        must(!strchr("?[]^-", *pattern), "%s holds a special character", pattern);
        pattern += *pattern == '\\' && pattern[1];
        if (*text != *pattern)
            return false;
    }
    return !*text;
}

/* ---- one template ---- */

static void free_values(char **values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(values[i]);
}

static bool same_values(char **values, const char *const *others, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(values[i], others[i]) != 0)
            return false;
    return true;
}

static int invert(const struct key_template *key, const char *text, size_t len, char **ret_values)
{
    char *exact = exactly(text, len);
    int result = template_invert(key, exact, len, ret_values);

    free(exact);
    return result;
}

static void check_pattern(const struct key_template *key, const char *text)
{
    char *pattern = template_pattern(key);

    must(glob_matches(pattern, text), "SCAN with %s does not find %s", pattern, text);
    free(pattern);
}

/* From a row to its key, and back. */
static void check_row(const struct key_template *key, const char *const *values)
{
    size_t count = template_columns(key);
    char *back[MAX_COLUMNS];
    struct buf text = BUF_NONE;
    bool survives = template_survives(key, values);

    template_render(key, values, &text);
    must(text.len >= template_literal_bytes(key), "%s is shorter than what is fixed in it", text.data);
    if (invert(key, text.data, text.len, back) == 0) {
        must(same_values(back, values, count) == survives, "%s is %s its row", text.data,
             survives ? "not turned back into" : "said not to survive, but it gives");
        free_values(back, count);
    } else {
        must(!survives, "%s cannot be turned back", text.data);
    }
    must(survives || count > 1, "one column always survives, but not in %s", text.data);
    check_pattern(key, text.data);
    buf_free(&text);
}

/* From a key to a row, and back. */
static bool check_key(const struct key_template *key, const char *text)
{
    char *values[MAX_COLUMNS];
    struct buf again = BUF_NONE;

    if (invert(key, text, strlen(text), values) != 0)
        return false;
    template_render(key, (const char *const *)values, &again);
    must(strcmp(again.data, text) == 0, "%s gives a row whose key is %s", text, again.data);
    must(template_survives(key, (const char *const *)values), "the row of %s does not survive", text);
    check_pattern(key, text);
    free_values(values, template_columns(key));
    buf_free(&again);
    return true;
}

static struct key_template *parse(const char *text)
{
    struct err err = ERR_NONE;
    struct key_template *key = template_parse(text, &err);
    size_t columns = key ? template_columns(key) : 0;

    must(key ? err.status == ST_OK : err.status == ST_CONFIG && err.text[0], "%s: %s", text, err.text);
    must(!key || columns > 0, "%s has no column", text);
    for (size_t i = 0; i < columns; i++)
        for (size_t j = 0; j < i; j++)
            must(strcmp(template_column(key, i), template_column(key, j)) != 0, "%s has %s twice", text,
                 template_column(key, i));
    if (columns <= MAX_COLUMNS)
        return key;
    template_free(key);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    char *first = input_line(&input), *second = input_line(&input), *values[MAX_COLUMNS];
    struct key_template *a = parse(first), *b = parse(second);
    bool fits_a = false, fits_b = false;

    for (size_t i = 0; i < MAX_COLUMNS; i++)
        values[i] = input_line(&input);
    if (a) {
        check_row(a, (const char *const *)values);
        fits_a = check_key(a, values[0]);
    }
    if (b) {
        check_row(b, (const char *const *)values);
        fits_b = check_key(b, values[0]);
    }
    must(!fits_a || !fits_b || (template_may_overlap(a, b) && template_may_overlap(b, a)),
         "%s is of both %s and %s", values[0], first, second);
    free_values(values, MAX_COLUMNS);
    template_free(a);
    template_free(b);
    free(first);
    free(second);
    return 0;
}
