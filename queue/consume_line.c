#include "queue/consume_line.h"

#include <stdbool.h>
#include <string.h>

#include "queue/tool_text.h"

enum { MAX_DIGITS = 18 };

static int add_piece(const char *piece, size_t len, void *line)
{
    buf_add(line, piece, len);
    return 0;
}

static void put_string(struct buf *line, struct line_word word)
{
    json_t *text = text_json(word.data, word.len);

    json_dump_callback(text, add_piece, line, JSON_ENCODE_ANY);
    json_decref(text);
}

/* As JSON writes one: without leading zeros. */
static bool is_integer(struct line_word word)
{
    size_t sign = word.data && word.len && word.data[0] == '-';
    size_t digits = word.data ? word.len - sign : 0;

    if (digits == 0 || digits > MAX_DIGITS || (word.data[sign] == '0' && word.len > 1))
        return false;
    for (size_t i = sign; i < word.len; i++)
        if (word.data[i] < '0' || word.data[i] > '9')
            return false;
    return true;
}

static void put_head(struct buf *line, struct line_word key, const char *op, struct line_word version)
{
    buf_puts(line, "{\"key\":");
    put_string(line, key);
    buf_printf(line, ",\"op\":\"%s\",\"version\":", op);
    if (is_integer(version))
        buf_add(line, version.data, version.len);
    else
        buf_puts(line, "null");
}

void line_put_delete(struct buf *line, struct line_word key, struct line_word version)
{
    put_head(line, key, "delete", version);
    buf_puts(line, "}\n");
}

static bool is_word(struct line_word word, const char *text)
{
    return word.len == strlen(text) && memcmp(word.data, text, word.len) == 0;
}

static struct line_word find_version(const struct line_word *words, size_t count)
{
    for (size_t i = 0; i + 1 < count; i += 2)
        if (is_word(words[i], "_v"))
            return words[i + 1];
    return (struct line_word){NULL, 0};
}

static void put_fields(struct buf *line, const struct line_word *words, size_t count)
{
    const char *comma = "";

    for (size_t i = 0; i + 1 < count; i += 2) {
        if (is_word(words[i], "_v") || is_word(words[i], "_d"))
            continue;
        buf_puts(line, comma);
        put_string(line, words[i]);
        buf_putc(line, ':');
        put_string(line, words[i + 1]);
        comma = ",";
    }
}

void line_put_upsert(struct buf *line, struct line_word key, const struct line_word *words, size_t count)
{
    put_head(line, key, "upsert", find_version(words, count));
    buf_puts(line, ",\"doc\":{");
    put_fields(line, words, count);
    buf_puts(line, "}}\n");
}
