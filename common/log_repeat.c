#include "common/log_repeat.h"

#include <stdio.h>
#include <string.h>

enum { AGAIN_MS = 60000, LINES = 20 };

bool log_repeat_is_news(struct log_repeat *repeat, const char *text, int64_t now_ms, int64_t *ret_unsaid)
{
    bool same = strncmp(repeat->text, text, sizeof(repeat->text) - 1) == 0;

    if (same && now_ms - repeat->said_ms < AGAIN_MS) {
        repeat->unsaid++;
        return false;
    }
    *ret_unsaid = same ? repeat->unsaid : 0;
    snprintf(repeat->text, sizeof(repeat->text), "%s", text);
    repeat->said_ms = now_ms;
    repeat->unsaid = 0;
    return true;
}

void log_repeat_clear(struct log_repeat *repeat)
{
    memset(repeat, 0, sizeof(*repeat));
}

enum log_say log_quota_take(struct log_quota *quota, int64_t now_ms)
{
    if (!quota->said || now_ms - quota->began_ms >= AGAIN_MS) {
        quota->began_ms = now_ms;
        quota->said = 0;
    }
    if (quota->said >= LINES)
        return LOG_SAY_NOT;
    return ++quota->said < LINES ? LOG_SAY : LOG_SAY_AS_LAST;
}
