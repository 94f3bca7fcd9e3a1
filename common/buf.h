/* A byte buffer that grows. Always NUL-terminated behind `len`, so `data` is also a C string. */
#ifndef PGUSHER_BUF_H
#define PGUSHER_BUF_H

#include <stddef.h>

struct buf {
    char *data; /* NULL while nothing was ever added */
    size_t len;
    size_t capacity;
};

#define BUF_NONE                                                                                             \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_free(struct buf *buf);
char *buf_take(struct buf *buf); /* the caller frees; never NULL; the buffer is empty afterwards */

#endif
