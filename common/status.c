#include "common/status.h"

#include <stdio.h>
#include <string.h>

void err_clear(struct err *err)
{
    err->status = ST_OK;
    err->text[0] = '\0';
}

void err_set(struct err *err, enum status status, const char *format, ...)
{
    va_list args;

    if (err->status != ST_OK)
        return;
    err->status = status;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
}

void err_copy(struct err *err, const struct err *from)
{
    if (err->status == ST_OK)
        *err = *from;
}

void err_context(struct err *err, const char *format, ...)
{
    char context[sizeof(err->text)];
    char joined[2 * sizeof(err->text) + 3];
    va_list args;

    if (err->status == ST_OK)
        return;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    snprintf(joined, sizeof(joined), "%s: %s", context, err->text);
    joined[sizeof(err->text) - 1] = '\0';
    strcpy(err->text, joined);
}

enum exit_code status_exit_code(enum status status)
{
    switch (status) {
    case ST_OK:
        return EX_DONE;
    case ST_AGAIN:
    case ST_LOST:
        return EX_NO_SERVICE;
    case ST_CONFIG:
        return EX_BAD_CONFIG;
    case ST_REFUSED:
        break;
    }
    return EX_NOT_SO;
}
