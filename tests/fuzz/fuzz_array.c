/* cdc/catalog.h, cdc/ids.h, common/pg.h: what we write as an array, a name or a literal, PostgreSQL reads as
 * exactly that: read here once more by its rules. A number of columns, then values (a NUL first: NULL). */
#include "cdc/catalog.h"
#include "cdc/ids.h"
#include "common/buf.h"
#include "common/pg.h"
#include "fuzz.h"

enum { MAX_VALUES = 12, MAX_VALUE = 300 };

/* ---- as PostgreSQL reads it (array_in; the lexer) ---- */

/* A quoted element; *text goes on behind it. */
static bool is_element(const char **text, const char *value)
{
    if (!value) {
        bool null = strncmp(*text, "NULL", 4) == 0;

        *text += null ? 4 : 0;
        return null;
    }
    if (*(*text)++ != '"')
        return false;
    for (; **text && **text != '"'; (*text)++) {
        *text += **text == '\\';
        if (**text != *value++ || !**text)
            return false;
    }
    return *(*text)++ == '"' && !*value;
}

static void check_literal(const char *literal, const char *const *values, size_t count)
{
    const char *rest = literal;

    must(*rest++ == '{', "%s", literal);
    for (size_t i = 0; i < count; i++) {
        must(i == 0 || *rest++ == ',', "%s", literal);
        must(is_element(&rest, values[i]), "element %zu of %s is not %s", i, literal,
             values[i] ? values[i] : "NULL");
    }
    must(strcmp(rest, "}") == 0, "%s", literal);
}

static void check_quoted(const char *quoted, const char *text, char quote)
{
    const char *at = quoted;

    must(*at++ == quote, "%s", quoted);
    for (; *text; text++) {
        must(*at++ == *text, "%s", quoted);
        must(*text != quote || *at++ == quote, "%s", quoted);
    }
    must(*at == quote && !at[1], "%s", quoted);
}

/* ---- */

static void check_parsed(const char *literal, const char *const *values, size_t count)
{
    char **items;

    must(array_parse(literal, &items) == count, "%s has another number of items", literal);
    for (size_t i = 0; i < count; i++) {
        must(!items[i] == !values[i] && (!items[i] || strcmp(items[i], values[i]) == 0),
             "item %zu of %s is %s", i, literal, items[i] ? items[i] : "NULL");
        free(items[i]);
    }
    free(items);
}

/* Nothing but PostgreSQL writes what is read, but nothing is read beyond the end. */
static void check_any(const char *literal)
{
    size_t room = array_room(literal), count;
    char **items;

    count = array_parse(literal, &items);
    must(count <= room, "%zu items of %s, and room for %zu", count, literal, room);
    for (size_t i = 0; i < count; i++)
        free(items[i]);
    free(items);
}

static bool same_tuple(const char *const *a, const char *const *b, size_t columns)
{
    for (size_t i = 0; i < columns; i++)
        if (!a[i] != !b[i] || (a[i] && strcmp(a[i], b[i]) != 0))
            return false;
    return true;
}

static void check_ids(const char *const *values, size_t count, size_t columns)
{
    struct ids *ids = ids_new(columns);
    const char *column[MAX_VALUES];

    for (size_t i = 0; i + columns <= count; i += columns) {
        size_t first = 0;

        while (!same_tuple(values + first, values + i, columns))
            first += columns;
        must((ids_find(ids, values + i) >= 0) == (first < i), "an id is %s",
             first < i ? "forgotten" : "known before");
        ids_add(ids, values + i);
        must(same_tuple(ids_get(ids, (size_t)ids_find(ids, values + i)), values + i, columns),
             "an id is another");
    }
    for (size_t c = 0; c < columns; c++) {
        char *literal = ids_array(ids, 0, ids_count(ids), c);

        for (size_t i = 0; i < ids_count(ids); i++)
            column[i] = ids_get(ids, i)[c];
        check_literal(literal, column, ids_count(ids));
        free(literal);
    }
    ids_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    size_t columns = input_byte(&input) % 3 + 1, count = 0;
    char *values[MAX_VALUES] = {NULL}, *literal;
    struct buf quoted = BUF_NONE;

    while (input.left && count < MAX_VALUES) {
        bool null = *input.at == 0;

        values[count] = input_text(&input, '\n');
        if (null) {
            free(values[count]);
            values[count] = NULL;
        }
        count++;
    }
    literal = array_literal((const char *const *)values, count);
    check_literal(literal, (const char *const *)values, count);
    check_parsed(literal, (const char *const *)values, count);
    free(literal);
    check_ids((const char *const *)values, count, columns);
    for (size_t i = 0; i < count; i++) {
        if (!values[i])
            continue;
        check_any(values[i]);
        buf_clear(&quoted);
        pg_put_literal(&quoted, values[i]);
        check_quoted(quoted.data, values[i], '\'');
        buf_clear(&quoted);
        pg_put_identifier(&quoted, values[i]);
        check_quoted(quoted.data, values[i], '"');
        free(values[i]);
    }
    buf_free(&quoted);
    return 0;
}
