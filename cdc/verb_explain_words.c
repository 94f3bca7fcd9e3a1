/* How facts are written. See verb_explain.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cdc/snapshot.h"
#include "cdc/verb_explain.h"

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

const char *explain_member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}
