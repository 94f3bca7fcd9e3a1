#include "queue/tool_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/mem.h"
#include "common/utf8.h"

static const char REPLACEMENT[] = "\xef\xbf\xbd";

enum { MAX_CHARACTER = 4 };

/* The length of the character that begins here; 0 when none does. */
static size_t character_length(const char *text, size_t len)
{
    for (size_t n = 1; n <= MAX_CHARACTER && n <= len; n++)
        if (utf8_valid_length(text, n) == n)
            return n;
    return 0;
}

/* U+0000 to U+001F, U+007F, U+0080 to U+009F */
static bool is_control(const char *character, size_t len)
{
    unsigned char first = (unsigned char)character[0];

    if (len == 1)
        return first < 0x20 || first == 0x7f;
    return first == 0xc2 && (unsigned char)character[1] < 0xa0;
}

static void escape(struct buf *buf, const char *data, size_t len, const char *as_is)
{
    for (size_t at = 0; at < len;) {
        size_t n = character_length(data + at, len - at);

        if (n && data[at] && strchr(as_is, data[at]))
            buf_putc(buf, data[at]);
        else if (n && data[at] == '\\')
            buf_puts(buf, "\\\\");
        else if (n && !is_control(data + at, n))
            buf_add(buf, data + at, n);
        else
            for (size_t i = 0; i < (n ? n : 1); i++)
                buf_printf(buf, "\\x%02x", (unsigned char)data[at + i]);
        at += n ? n : 1;
    }
}

void text_escape(struct buf *buf, const char *data, size_t len)
{
    escape(buf, data, len, "");
}

char *text_escaped(const char *data, size_t len)
{
    struct buf buf = BUF_NONE;

    text_escape(&buf, data, len);
    return buf_take(&buf);
}

char *text_shown(const char *text)
{
    struct buf buf = BUF_NONE;

    escape(&buf, text, strlen(text), "\\\n");
    return buf_take(&buf);
}

static json_t *escaped_members(const json_t *object)
{
    json_t *copy = json_object(), *value;
    const char *name;

    json_object_foreach ((json_t *)object, name, value) {
        char *escaped = text_escaped(name, strlen(name));

        json_object_set_new(copy, escaped, text_escaped_json(value));
        free(escaped);
    }
    return copy;
}

json_t *text_escaped_json(const json_t *value)
{
    json_t *copy, *element;
    char *escaped;
    size_t i;

    if (json_is_object(value))
        return escaped_members(value);
    if (json_is_string(value)) {
        escaped = text_escaped(json_string_value(value), json_string_length(value));
        copy = json_string(escaped);
        free(escaped);
        return copy;
    }
    if (!json_is_array(value))
        return json_incref((json_t *)value);
    copy = json_array();
    json_array_foreach (value, i, element)
        json_array_append_new(copy, text_escaped_json(element));
    return copy;
}

json_t *text_json(const char *data, size_t len)
{
    struct buf buf = BUF_NONE;
    json_t *value = json_stringn(data ? data : "", len);

    if (value)
        return value;
    for (size_t at = 0; at < len;) {
        size_t n = character_length(data + at, len - at);

        if (n)
            buf_add(&buf, data + at, n);
        else
            buf_puts(&buf, REPLACEMENT);
        at += n ? n : 1;
    }
    value = json_stringn(buf.data, buf.len);
    buf_free(&buf);
    return value;
}

json_t *text_parsed_json(const char *text)
{
    json_t *valid = text_json(text, strlen(text));
    json_t *value = json_loads(json_string_value(valid), 0, NULL);

    json_decref(valid);
    return value;
}

char *text_age(int64_t ms)
{
    static const struct {
        const char *name;
        double ms;
        double below; /* of this unit, the next is used from there on */
    } units[] = {{"s", 1e3, 60}, {"min", 6e4, 60}, {"h", 3.6e6, 48}, {"days", 8.64e7, 0}};
    size_t i = 0;

    if (ms < 0)
        return mem_strdup("-");
    while (units[i].below > 0 && (double)ms / units[i].ms >= units[i].below)
        i++;
    return mem_printf("%.1f %s", (double)ms / units[i].ms, units[i].name);
}

char *text_time(int64_t ms_since_1970)
{
    time_t seconds = (time_t)(ms_since_1970 / 1000);
    struct tm tm;
    char text[32];

    if (ms_since_1970 < 0 || !gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return mem_strdup("-");
    return mem_strdup(text);
}
