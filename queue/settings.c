#include "queue/settings.h"

#include <stdio.h>
#include <string.h>

#include "common/script.h"

static size_t put_setting(struct buf *words, const char *name, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);

    resp_put_bulk(words, name, strlen(name));
    resp_put_bulk(words, text, (size_t)len);
    return 1;
}

bool queue_settings_put(const struct queue_settings *settings, const char *meta_key, struct buf *command)
{
    struct buf words = BUF_NONE;
    size_t count = 0;

    if (settings->max_failures)
        count += put_setting(&words, "max_failures", settings->max_failures);
    if (settings->max_crashes)
        count += put_setting(&words, "max_crashes", settings->max_crashes);
    if (settings->plain_timeout_ms)
        count += put_setting(&words, "plain_timeout", settings->plain_timeout_ms);
    if (settings->coalesce)
        count += put_setting(&words, "coalesce", settings->coalesce > 0);
    if (count) {
        buf_printf(command, "*%zu\r\n", 2 + 2 * count);
        resp_put_bulk(command, "HSET", 4);
        resp_put_bulk(command, meta_key, strlen(meta_key));
        buf_add_buf(command, &words);
    }
    buf_free(&words);
    return count > 0;
}
