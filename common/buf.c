#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static bool reserve(struct buf *buf, size_t more)
{
    size_t need = buf->len + more + 1, capacity = buf->capacity ? buf->capacity : 64;
    char *data;

    if (buf->failed || need <= buf->capacity)
        return !buf->failed;
    while (capacity < need)
        capacity *= 2;
    data = mem_resize(buf->data, capacity);
    buf->failed = !data;
    if (!data)
        return false;
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    if (!reserve(buf, len))
        return;
    if (len)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_add_buf(struct buf *buf, const struct buf *other)
{
    if (other->len)
        buf_add(buf, other->data, other->len);
    buf->failed |= other->failed;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (!reserve(buf, (size_t)len))
        return;
    va_start(args, format);
    vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
    va_end(args);
    buf->len += (size_t)len;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_free(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf)BUF_NONE;
}

char *buf_take(struct buf *buf)
{
    char *data;

    if (!reserve(buf, 0))
        buf_free(buf);
    else
        buf->data[buf->len] = '\0';
    data = buf->data;
    *buf = (struct buf)BUF_NONE;
    return data;
}

size_t decimal_put(char ret_digits[DECIMAL_MAX], int64_t number)
{
    char digits[DECIMAL_MAX];
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    size_t at = DECIMAL_MAX;

    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        digits[--at] = '-';
    memcpy(ret_digits, digits + at, DECIMAL_MAX - at);
    return DECIMAL_MAX - at;
}
