/* What the targets share. Each fuzz_NAME.c is one target: LLVMFuzzerTestOneInput reads the bytes it is given
 * as whatever it is about, and aborts when a property does not hold. Beside libFuzzer's own main there is
 * replay.c, which needs no clang.
 *
 * What is handed to the code under test lies in memory of exactly its length, so that AddressSanitizer sees a
 * byte that is read behind it.
 */
#ifndef PGUSHER_FUZZ_H
#define PGUSHER_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- properties ---- */

#define must(condition, ...)                                                                                 \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n  ", __FILE__, __LINE__, #condition);                 \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* ---- the input ---- */

struct input {
    const uint8_t *at;
    size_t left;
};

/* 0 when there is none left. */
static inline uint8_t input_byte(struct input *input)
{
    if (!input->left)
        return 0;
    input->left--;
    return *input->at++;
}

/* Exactly `len` bytes, and no NUL; the caller frees. */
static inline char *exactly(const void *data, size_t len)
{
    char *copy = calloc(1, len ? len : 1);

    if (len)
        memcpy(copy, data, len);
    return copy;
}

/* A C string of the bytes up to the separator, or to the end; a NUL ends it, too. The caller frees. */
static inline char *input_text(struct input *input, char separator)
{
    const uint8_t *end = input->left ? memchr(input->at, separator, input->left) : NULL;
    size_t len = end ? (size_t)(end - input->at) : input->left;
    size_t used = len ? strnlen((const char *)input->at, len) : 0;
    char *text = malloc(used + 1);

    if (used)
        memcpy(text, input->at, used);
    text[used] = '\0';
    input->at += len + (end != NULL);
    input->left -= len + (end != NULL);
    return text;
}

static inline char *input_line(struct input *input)
{
    return input_text(input, '\n');
}

/* Bytes, at most `max`, behind a byte that says how many: exactly that memory. The caller frees. */
static inline char *input_bytes(struct input *input, size_t max, size_t *ret_len)
{
    size_t len = input_byte(input);
    char *bytes;

    if (len == 255) /* long ones are rare */
        len = (size_t)input_byte(input) << 8 | input_byte(input);
    len = len < max ? len : max;
    len = len < input->left ? len : input->left;
    bytes = exactly(input->at, len);
    input->at += len;
    input->left -= len;
    *ret_len = len;
    return bytes;
}

/* ---- UTF-8, by itself ---- */

/* Whether a character begins here (RFC 3629): its value, and its length in *ret_len. -1: none. */
static inline int32_t character_at(const char *text, size_t len, size_t *ret_len)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text[0];
    size_t n = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    int32_t value = n == 1 ? lead : lead & (0x7f >> n);

    if (n == 0 || n > len)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return -1;
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    }
    *ret_len = n;
    return value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000) ? -1 : value;
}

static inline bool is_utf8(const char *text, size_t len)
{
    size_t n;

    for (size_t at = 0; at < len; at += n)
        if (character_at(text + at, len - at, &n) < 0)
            return false;
    return true;
}

#endif
