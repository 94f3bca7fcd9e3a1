#include "queue/consume_bisect.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* A part of `order` that is to be run. */
struct segment {
    size_t first;
    size_t count;
};

struct bisect {
    size_t *order;
    struct segment current;
    struct segment *pending; /* a stack */
    size_t npending;
    size_t capacity;
};

static void push(struct bisect *bisect, size_t first, size_t count)
{
    bisect->pending =
        mem_grow(bisect->pending, bisect->npending, &bisect->capacity, sizeof(*bisect->pending));
    bisect->pending[bisect->npending++] = (struct segment){first, count};
}

struct bisect *bisect_new(const size_t *items, size_t count)
{
    struct bisect *bisect = mem_zalloc(sizeof(*bisect));

    if (count == 0)
        return bisect;
    bisect->order = mem_alloc(count * sizeof(*items));
    memcpy(bisect->order, items, count * sizeof(*items));
    push(bisect, 0, count);
    return bisect;
}

void bisect_free(struct bisect *bisect)
{
    if (!bisect)
        return;
    free(bisect->order);
    free(bisect->pending);
    free(bisect);
}

const size_t *bisect_next(struct bisect *bisect, size_t *ret_count)
{
    if (bisect->npending == 0)
        return NULL;
    bisect->current = bisect->pending[--bisect->npending];
    *ret_count = bisect->current.count;
    return bisect->order + bisect->current.first;
}

void bisect_split(struct bisect *bisect, const size_t *rest, size_t count)
{
    size_t first = bisect->current.first;
    size_t half = count / 2;

    memmove(bisect->order + first, rest, count * sizeof(*rest));
    push(bisect, first + half, count - half);
    push(bisect, first, half);
}

void bisect_clear(struct bisect *bisect)
{
    bisect->npending = 0;
}
