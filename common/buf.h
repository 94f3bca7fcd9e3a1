/* A byte buffer that grows. Always NUL-terminated behind `len`, so `data` is also a C string. Where memory
 * may run out without ending the program (mem.h), `failed` says so in the end, and nobody has to look before.
 */
#ifndef PGUSHER_BUF_H
#define PGUSHER_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data; /* NULL while nothing was ever added */
    size_t len;
    size_t capacity;
    bool failed; /* memory was out: something that was added is missing */
};

#define BUF_NONE                                                                                             \
    {                                                                                                        \
        NULL, 0, 0, false                                                                                    \
    }

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_add_buf(struct buf *buf, const struct buf *other); /* one that failed makes this one fail */
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_free(struct buf *buf);
char *buf_take(struct buf *buf); /* the caller frees; never NULL (mem.h); the buffer is empty afterwards */

/* Writes the decimal digits of a number, not NUL-terminated, and gives how many: printf takes longer than all
 * else that is done with a word of a command. */
enum { DECIMAL_MAX = 20 };
size_t decimal_put(char ret_digits[DECIMAL_MAX], int64_t number);

#endif
