/* queue/consume_line.h, queue/tool_text.h: whatever bytes Redis holds, a line of --docs is one line, JSON,
 * and says what the hash says; what is shown on a terminal moves no cursor, and can be read back. A key, then
 * names and values by turns. */
#include "queue/consume_line.h"

#include "fuzz.h"
#include "queue/tool_text.h"

enum { MAX_WORDS = 12, MAX_WORD = 600 };

/* ---- JSON ---- */

static bool is_text(const json_t *json, struct line_word word)
{
    const char *text = json_string_value(json);
    size_t at = 0, len = json_string_length(json), n;

    must(text && is_utf8(text, len), "no text");
    for (size_t from = 0; from < word.len;) {
        bool good = character_at(word.data + from, word.len - from, &n) >= 0;
        const char *wanted = good ? word.data + from : "\xef\xbf\xbd";

        n = good ? n : 1;
        if (len - at < (good ? n : 3) || memcmp(text + at, wanted, good ? n : 3) != 0)
            return false;
        at += good ? n : 3;
        from += n;
    }
    return at == len;
}

static void check_version(const json_t *json, struct line_word word)
{
    char text[24];

    must(json_is_integer(json) || json_is_null(json), "the version is neither a number nor null");
    if (!json_is_integer(json))
        return;
    snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(json));
    must(word.data && word.len == strlen(text) && memcmp(text, word.data, word.len) == 0, "the version is %s",
         text);
}

static json_t *read_line(const struct buf *line)
{
    json_error_t error;
    json_t *json = json_loadb(line->data, line->len, JSON_ALLOW_NUL, &error);

    must(line->len && memchr(line->data, '\n', line->len) == line->data + line->len - 1, "no line: %s",
         line->data);
    must(json, "%s: %s", error.text, line->data);
    return json;
}

/* A name of an object that holds a NUL is JSON, but nothing that this reader takes. */
static bool has_nul(const struct line_word *words, size_t count)
{
    for (size_t i = 0; i < count; i += 2)
        if (memchr(words[i].data, '\0', words[i].len))
            return true;
    return false;
}

static bool is_word(struct line_word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

/* Of names that are the same once they are text, the last one counts for this reader. */
static void check_document(const json_t *document, const struct line_word *words, size_t count)
{
    const char *name;
    const json_t *value;
    size_t fields = 0;

    must(json_is_object(document), "no document");
    json_object_foreach ((json_t *)document, name, value) {
        json_t *text = json_string(name);
        bool found = false;

        for (size_t i = 0; i + 1 < count && !found; i += 2)
            found = is_text(text, words[i]) && is_text(value, words[i + 1]);
        must(found, "%s is no field of the hash", name);
        json_decref(text);
        fields++;
    }
    for (size_t i = 0; i + 1 < count; i += 2) {
        json_t *text = text_json(words[i].data, words[i].len);

        if (!is_word(words[i], "_v") && !is_word(words[i], "_d"))
            must(json_object_get(document, json_string_value(text)), "%s is missing",
                 json_string_value(text));
        json_decref(text);
    }
    must(fields <= count / 2, "%zu fields of %zu words", fields, count);
}

static struct line_word version_of(const struct line_word *words, size_t count)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        if (is_word(words[i], "_v"))
            return words[i + 1];
    return (struct line_word){NULL, 0};
}

static void check_lines(struct line_word key, const struct line_word *words, size_t count)
{
    struct buf line = BUF_NONE;
    json_t *json;

    if (!has_nul(words, count)) {
        line_put_upsert(&line, key, words, count);
        json = read_line(&line);
        must(is_text(json_object_get(json, "key"), key), "another key: %s", line.data);
        check_version(json_object_get(json, "version"), version_of(words, count));
        check_document(json_object_get(json, "doc"), words, count);
        json_decref(json);
        buf_clear(&line);
    }
    line_put_delete(&line, key, count ? words[0] : (struct line_word){NULL, 0});
    json = read_line(&line);
    must(is_text(json_object_get(json, "key"), key), "another key: %s", line.data);
    check_version(json_object_get(json, "version"), count ? words[0] : (struct line_word){NULL, 0});
    json_decref(json);
    buf_free(&line);
}

/* ---- on a terminal ---- */

/* One byte of what was escaped. */
static unsigned char unescape(const char **text)
{
    unsigned value = (unsigned char)*(*text)++;

    if (value != '\\')
        return (unsigned char)value;
    if (*(*text)++ == '\\')
        return '\\';
    must(sscanf(*text, "%2x", &value) == 1, "no escape: %s", *text);
    *text += 2;
    return (unsigned char)value;
}

static void check_escaped(struct line_word word)
{
    char *text = text_escaped(word.data, word.len);
    const char *rest = text;
    size_t n;

    for (const char *at = text; *at; at += n) {
        int32_t character = character_at(at, strlen(at), &n);

        must(character >= 0x20 && (character < 0x7f || character >= 0xa0), "%s", text);
    }
    for (size_t i = 0; i < word.len; i++)
        must(unescape(&rest) == (unsigned char)word.data[i], "%s is something else", text);
    must(!*rest, "%s says more than there is", text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct line_word words[MAX_WORDS + 1];
    size_t count = 0;

    do {
        words[count].data = input_bytes(&input, MAX_WORD, &words[count].len);
        check_escaped(words[count++]);
    } while (input.left && count <= MAX_WORDS);
    check_lines(words[0], words + 1, (count - 1) / 2 * 2);
    for (size_t i = 0; i < count; i++)
        free((char *)words[i].data);
    return 0;
}
