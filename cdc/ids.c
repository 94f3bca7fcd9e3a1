#include "cdc/ids.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/mem.h"
#include "common/pg.h"

/* Open addressing with linear probing; a slot holds index + 1. */
struct ids {
    size_t columns;
    struct arena *arena;
    const char *const **list;
    size_t count;
    size_t capacity;
    uint32_t *slots;
    size_t nslots; /* a power of two */
};

enum { FIRST_SLOTS = 64 };

struct ids *ids_new(size_t columns)
{
    struct ids *ids = mem_zalloc(sizeof(*ids));

    ids->columns = columns;
    ids->arena = arena_new();
    ids->nslots = FIRST_SLOTS;
    ids->slots = mem_zalloc(ids->nslots * sizeof(*ids->slots));
    return ids;
}

void ids_free(struct ids *ids)
{
    if (!ids)
        return;
    arena_free(ids->arena);
    free(ids->list);
    free(ids->slots);
    free(ids);
}

void ids_clear(struct ids *ids)
{
    arena_reset(ids->arena);
    ids->count = 0;
    memset(ids->slots, 0, ids->nslots * sizeof(*ids->slots));
}

static uint64_t hash_values(const struct ids *ids, const char *const *values)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < ids->columns; i++)
        hash = values[i] ? XXH3_64bits_withSeed(values[i], strlen(values[i]), hash + 1) : hash + 1;
    return hash;
}

static bool equal(const struct ids *ids, const char *const *a, const char *const *b)
{
    for (size_t i = 0; i < ids->columns; i++)
        if (!a[i] != !b[i] || (a[i] && strcmp(a[i], b[i]) != 0))
            return false;
    return true;
}

/* The slot that holds these values, or the free one where they belong. */
static uint32_t *find_slot(const struct ids *ids, const char *const *values)
{
    size_t at = hash_values(ids, values) & (ids->nslots - 1);

    while (ids->slots[at] && !equal(ids, ids->list[ids->slots[at] - 1], values))
        at = (at + 1) & (ids->nslots - 1);
    return &ids->slots[at];
}

static void grow_slots(struct ids *ids)
{
    free(ids->slots);
    ids->nslots *= 2;
    ids->slots = mem_zalloc(ids->nslots * sizeof(*ids->slots));
    for (size_t i = 0; i < ids->count; i++)
        *find_slot(ids, ids->list[i]) = (uint32_t)i + 1;
}

static const char *const *copy_values(struct ids *ids, const char *const *values)
{
    const char **copy = arena_alloc(ids->arena, ids->columns * sizeof(*copy));

    for (size_t i = 0; i < ids->columns; i++)
        copy[i] = values[i] ? arena_copy(ids->arena, values[i], strlen(values[i]) + 1) : NULL;
    return copy;
}

void ids_add(struct ids *ids, const char *const *values)
{
    uint32_t *slot = find_slot(ids, values);

    if (*slot)
        return;
    ids->list = mem_grow(ids->list, ids->count, &ids->capacity, sizeof(*ids->list));
    ids->list[ids->count++] = copy_values(ids, values);
    *slot = (uint32_t)ids->count;
    if (ids->count * 2 > ids->nslots)
        grow_slots(ids);
}

size_t ids_count(const struct ids *ids)
{
    return ids->count;
}

const char *const *ids_get(const struct ids *ids, size_t index)
{
    return ids->list[index];
}

int64_t ids_find(const struct ids *ids, const char *const *values)
{
    return (int64_t)*find_slot(ids, values) - 1;
}

char *ids_array(const struct ids *ids, size_t first, size_t count, size_t column)
{
    struct buf out = BUF_NONE;

    buf_putc(&out, '{');
    for (size_t i = first; i < first + count; i++) {
        const char *value = ids->list[i][column];

        if (i > first)
            buf_putc(&out, ',');
        if (value)
            pg_put_array_element(&out, value, strlen(value));
        else
            buf_puts(&out, "NULL");
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}
