#include "cdc/template.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* literal[0] column[0] literal[1] column[1] … literal[n] */
struct key_template {
    char **columns;
    char **literals;
    size_t count;
    size_t capacity;
};

static void end_part(struct key_template *key, struct buf *literal, char *column)
{
    if (key->count + 1 >= key->capacity) {
        key->capacity = key->capacity ? key->capacity * 2 : 4;
        key->columns = mem_resize(key->columns, key->capacity * sizeof(char *));
        key->literals = mem_resize(key->literals, key->capacity * sizeof(char *));
    }
    key->literals[key->count] = buf_take(literal);
    if (column)
        key->columns[key->count++] = column;
}

/* Reads "{column}" at *text and moves behind it; NULL with err set. */
static char *read_column(const char **text, struct err *err)
{
    const char *start = *text + 1;
    const char *end = strpbrk(start, "{}");

    if (!end || *end == '{' || end == start) {
        err_set(err, ST_CONFIG, "%s in the key template: write {column}",
                end && end == start && *end == '}' ? "an empty {}" : "a { without its }");
        return NULL;
    }
    *text = end + 1;
    return mem_strndup(start, (size_t)(end - start));
}

static int parse_parts(struct key_template *key, const char *text, struct buf *literal, struct err *err)
{
    while (*text) {
        if ((text[0] == '{' || text[0] == '}') && text[1] == text[0]) {
            buf_putc(literal, *text);
            text += 2;
        } else if (*text == '{') {
            char *column = read_column(&text, err);

            if (!column)
                return -1;
            end_part(key, literal, column);
        } else if (*text == '}') {
            err_set(err, ST_CONFIG, "a } without its { in the key template; a literal one is written }}");
            return -1;
        } else {
            buf_putc(literal, *text++);
        }
    }
    end_part(key, literal, NULL);
    return 0;
}

static int check_invertible(const struct key_template *key, struct err *err)
{
    if (key->count == 0) {
        err_set(err, ST_CONFIG, "the key template names no column, so all documents would share one key");
        return -1;
    }
    for (size_t i = 1; i < key->count; i++) {
        if (key->literals[i][0] == '\0') {
            err_set(
                err, ST_CONFIG,
                "the key template cannot be turned back into its columns: nothing separates {%s} from {%s}",
                key->columns[i - 1], key->columns[i]);
            return -1;
        }
        for (size_t j = 0; j < i; j++)
            if (strcmp(key->columns[i], key->columns[j]) == 0) {
                err_set(err, ST_CONFIG, "the key template names {%s} twice", key->columns[i]);
                return -1;
            }
    }
    return 0;
}

struct key_template *template_parse(const char *text, struct err *err)
{
    struct key_template *key = mem_zalloc(sizeof(*key));
    struct buf literal = BUF_NONE;

    if (parse_parts(key, text, &literal, err) != 0) {
        buf_free(&literal);
        key->literals = mem_resize(key->literals, (key->count + 1) * sizeof(char *));
        key->literals[key->count] = NULL;
        template_free(key);
        return NULL;
    }
    if (check_invertible(key, err) != 0) {
        template_free(key);
        return NULL;
    }
    return key;
}

void template_free(struct key_template *key)
{
    if (!key)
        return;
    for (size_t i = 0; i < key->count; i++)
        free(key->columns[i]);
    for (size_t i = 0; i <= key->count; i++)
        free(key->literals[i]);
    free(key->columns);
    free(key->literals);
    free(key);
}

size_t template_columns(const struct key_template *key)
{
    return key->count;
}

const char *template_column(const struct key_template *key, size_t index)
{
    return key->columns[index];
}

void template_render(const struct key_template *key, const char *const *values, struct buf *out)
{
    for (size_t i = 0; i < key->count; i++) {
        buf_puts(out, key->literals[i]);
        buf_puts(out, values[i]);
    }
    buf_puts(out, key->literals[key->count]);
}

static bool ends_with(const char *text, size_t len, const char *tail)
{
    size_t tail_len = strlen(tail);

    return len >= tail_len && memcmp(text + len - tail_len, tail, tail_len) == 0;
}

int template_invert(const struct key_template *key, const char *text, size_t len, char **ret_values)
{
    size_t head = strlen(key->literals[0]);
    const char *last = key->literals[key->count];
    const char *end;
    size_t i;

    if (memchr(text, '\0', len) || len < head || memcmp(text, key->literals[0], head) != 0 ||
        !ends_with(text + head, len - head, last))
        return -1;
    end = text + len - strlen(last);
    text += head;
    for (i = 0; i + 1 < key->count; i++) {
        const char *separator = key->literals[i + 1];
        const char *stop = memmem(text, (size_t)(end - text), separator, strlen(separator));

        if (!stop) {
            while (i > 0)
                free(ret_values[--i]);
            return -1;
        }
        ret_values[i] = mem_strndup(text, (size_t)(stop - text));
        text = stop + strlen(separator);
    }
    ret_values[i] = mem_strndup(text, (size_t)(end - text));
    return 0;
}

bool template_survives(const struct key_template *key, const char *const *values)
{
    struct buf text = BUF_NONE;
    char **back;
    bool same = true;

    if (key->count == 1)
        return true;
    back = mem_zalloc(key->count * sizeof(*back));
    template_render(key, values, &text);
    if (template_invert(key, text.data, text.len, back) != 0) {
        same = false;
        memset(back, 0, key->count * sizeof(*back));
    }
    for (size_t i = 0; i < key->count; i++) {
        same = same && strcmp(back[i], values[i]) == 0;
        free(back[i]);
    }
    free(back);
    buf_free(&text);
    return same;
}

static void put_glob_literal(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("*?[]\\^-", *text))
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
}

char *template_pattern(const struct key_template *key)
{
    struct buf out = BUF_NONE;

    for (size_t i = 0; i < key->count; i++) {
        put_glob_literal(&out, key->literals[i]);
        buf_putc(&out, '*');
    }
    put_glob_literal(&out, key->literals[key->count]);
    return buf_take(&out);
}

static bool is_prefix(const char *a, const char *b)
{
    size_t len = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return memcmp(a, b, len) == 0;
}

bool template_may_overlap(const struct key_template *a, const struct key_template *b)
{
    const char *a_end = a->literals[a->count], *b_end = b->literals[b->count];

    return is_prefix(a->literals[0], b->literals[0]) &&
           (ends_with(a_end, strlen(a_end), b_end) || ends_with(b_end, strlen(b_end), a_end));
}

bool template_literal_has(const struct key_template *key, char c)
{
    for (size_t i = 0; i <= key->count; i++)
        if (strchr(key->literals[i], c))
            return true;
    return false;
}

size_t template_literal_bytes(const struct key_template *key)
{
    size_t bytes = 0;

    for (size_t i = 0; i <= key->count; i++)
        bytes += strlen(key->literals[i]);
    return bytes;
}
