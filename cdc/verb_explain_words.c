/* How facts are written. See verb_explain.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cdc/snapshot.h"
#include "cdc/verb_explain.h"
#include "common/mem.h"

json_t *explain_text(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    struct buf escaped = BUF_NONE;

    if (json)
        return json;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 128)
            buf_putc(&escaped, text[i]);
        else
            buf_printf(&escaped, "\\x%02x", (unsigned char)text[i]);
    json = json_stringn(escaped.data, escaped.len);
    buf_free(&escaped);
    return json;
}

json_t *explain_date(int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[64];

    if (ms < 0 || !gmtime_r(&seconds, &tm))
        return json_null();
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
    return json_string(text);
}

json_t *explain_version(const struct story *story, int64_t version)
{
    int64_t epoch = version >> VERSION_ORDINAL_BITS;
    int64_t ordinal = version & ((INT64_C(1) << VERSION_ORDINAL_BITS) - 1);
    json_t *json = json_pack("{s:I, s:I}", "epoch", (json_int_t)epoch, "ordinal", (json_int_t)ordinal);

    if (story->session->ordinal >= ordinal && story->session->epoch == epoch)
        json_object_set_new(json, "transactions_ago", json_integer(story->session->ordinal - ordinal));
    return json;
}

char *explain_count(int64_t count)
{
    char *digits = mem_printf("%" PRId64, count);
    size_t len = strlen(digits);
    struct buf text = BUF_NONE;

    for (size_t i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            buf_putc(&text, ',');
        buf_putc(&text, digits[i]);
    }
    free(digits);
    return buf_take(&text);
}

char *explain_duration(double seconds)
{
    static const struct {
        double from;
        double unit;
        const char *name;
    } units[] = {{2 * 86400, 86400, "days"}, {2 * 3600, 3600, "h"}, {120, 60, "min"}, {10, 1, "s"}};

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (seconds >= units[i].from)
            return mem_printf("%.0f %s", seconds / units[i].unit, units[i].name);
    return mem_printf("%.1f s", seconds > 0 ? seconds : 0);
}

const char *explain_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}
