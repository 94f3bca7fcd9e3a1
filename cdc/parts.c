#include "cdc/parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"

/* Where `part` stands or would stand. */
static size_t place_of(const struct parts *parts, int part)
{
    size_t i = 0;

    while (i < parts->count && parts->list[i] < part)
        i++;
    return i;
}

bool parts_has(const struct parts *parts, int part)
{
    size_t i = place_of(parts, part);

    return i < parts->count && parts->list[i] == part;
}

void parts_add(struct parts *parts, int part)
{
    size_t i = place_of(parts, part);

    if (part < 0 || part >= MAX_PARTITIONS || parts_has(parts, part))
        return;
    memmove(&parts->list[i + 1], &parts->list[i], (parts->count - i) * sizeof(parts->list[0]));
    parts->list[i] = (short)part;
    parts->count++;
}

void parts_add_all(struct parts *parts, const struct parts *more)
{
    for (size_t i = 0; i < more->count; i++)
        parts_add(parts, more->list[i]);
}

struct parts parts_filter(const struct parts *parts, const struct parts *among, bool keep)
{
    struct parts result = {0};

    for (size_t i = 0; i < parts->count; i++)
        if (parts_has(among, parts->list[i]) == keep)
            parts_add(&result, parts->list[i]);
    return result;
}

struct parts parts_parse(const char *array)
{
    struct parts parts = {0};

    while (array && *array) {
        if (isdigit((unsigned char)*array))
            parts_add(&parts, (int)strtol(array, (char **)&array, 10));
        else
            array++;
    }
    return parts;
}

char *parts_array(const struct parts *parts)
{
    struct buf text = BUF_NONE;

    buf_putc(&text, '{');
    for (size_t i = 0; i < parts->count; i++)
        buf_printf(&text, "%s%d", i ? "," : "", parts->list[i]);
    buf_putc(&text, '}');
    return buf_take(&text);
}
