#include "common/status.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

void err_clear(struct err *err)
{
    err->status = ST_OK;
    err->text[0] = '\0';
}

/* A text that was cut off in the middle of a character would be refused wherever it is stored. */
static void cut_to_utf8(struct err *err)
{
    err->text[utf8_valid_length(err->text, strlen(err->text))] = '\0';
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
    cut_to_utf8(err);
}

void err_set_memory(struct err *err)
{
    err_set(err, ST_AGAIN, "out of memory");
}

void err_copy(struct err *err, const struct err *from)
{
    if (err->status == ST_OK)
        *err = *from;
}

void err_copy_graver(struct err *err, const struct err *from)
{
    if (from->status == ST_CONFIG && err->status != ST_CONFIG)
        err_clear(err);
    err_copy(err, from);
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
    memcpy(err->text, joined, strlen(joined) + 1);
    cut_to_utf8(err);
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
    case ST_UNFIT:
        return EX_BAD_CONFIG;
    case ST_REFUSED:
        break;
    }
    return EX_NOT_SO;
}
