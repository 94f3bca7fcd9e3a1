/* Allocation for the program's own small objects. What is sized by foreign input must be capped by its caller
 * first.
 *
 * A program insists: when memory is out it says so and aborts, and "never NULL" below holds. A library may
 * not end its host: where nobody insisted, NULL is returned, which libpgusher-queue and what it is made of
 * (the Makefile lists it) must bear. */
#ifndef PGUSHER_MEM_H
#define PGUSHER_MEM_H

#include <stdarg.h>
#include <stddef.h>

void mem_insist(void);
/* Ends a program that insists, when it was somebody else's allocation that failed. */
void mem_exhausted(void);

void *mem_alloc(size_t size);                    /* never NULL */
void *mem_zalloc(size_t size);                   /* zero-filled */
void *mem_resize(void *ptr, size_t size);        /* realloc */
char *mem_strdup(const char *text);              /* NULL gives NULL */
char *mem_strndup(const char *text, size_t len); /* exactly len bytes, and a NUL */
char *mem_vprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* *field becomes a copy of text (NULL stays NULL), which may lie in what it held before; that is freed. */
void mem_replace(char **field, const char *text);

/* Makes room for one more element in an array that doubles: `mem_grow(v, n, &cap, sizeof *v)`. */
void *mem_grow(void *array, size_t count, size_t *capacity, size_t element_size);

#endif
