#include "common/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool insists;

void mem_insist(void)
{
    insists = true;
}

void mem_exhausted(void)
{
    if (!insists)
        return;
    fputs("pgusher: out of memory\n", stderr);
    abort();
}

static void *checked(void *ptr)
{
    if (!ptr)
        mem_exhausted();
    return ptr;
}

void *mem_alloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return checked(calloc(1, size ? size : 1));
}

void *mem_resize(void *ptr, size_t size)
{
    return checked(realloc(ptr, size ? size : 1));
}

char *mem_strdup(const char *text)
{
    return text ? checked(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);

    if (!copy)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

char *mem_vprintf(const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);

    return checked(len < 0 ? NULL : text);
}

char *mem_printf(const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = mem_vprintf(format, args);
    va_end(args);
    return text;
}

void mem_replace(char **field, const char *text)
{
    char *copy = mem_strdup(text);

    free(*field);
    *field = copy;
}

void *mem_grow(void *array, size_t count, size_t *capacity, size_t element_size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 8;
    return mem_resize(array, *capacity * element_size);
}
