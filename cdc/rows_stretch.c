#include "cdc/rows_stretch.h"

#include <stdlib.h>
#include <string.h>

#include "cdc/rows_index.h"
#include "common/mem.h"

struct stretch *stretch_new(void)
{
    struct stretch *stretch = mem_zalloc(sizeof(*stretch));

    stretch->arena = arena_new();
    return stretch;
}

void stretch_clear(struct stretch *stretch)
{
    for (size_t i = 0; i < stretch_count(stretch); i++) {
        free(stretch->subjects[i].index_key);
        free(stretch->subjects[i].keys);
    }
    ids_free(stretch->ids);
    stretch->ids = NULL;
    arena_reset(stretch->arena);
}

void stretch_free(struct stretch *stretch)
{
    stretch_clear(stretch);
    free(stretch->subjects);
    arena_free(stretch->arena);
    free(stretch);
}

void stretch_use(struct stretch *stretch, const struct plan_projection *projection)
{
    stretch->projection = projection;
    if (!stretch->ids)
        stretch->ids = ids_new(projection->config->nid);
}

size_t stretch_count(const struct stretch *stretch)
{
    return stretch->ids ? ids_count(stretch->ids) : 0;
}

static char *index_key(const struct plan_projection *projection, const char *const *id)
{
    struct buf key = BUF_NONE;

    buf_puts(&key, ROWS_INDEX_HEAD);
    plan_render_key(projection, id, &key);
    return buf_take(&key);
}

size_t stretch_subject(struct stretch *stretch, const char *const *id)
{
    int64_t found = ids_find(stretch->ids, id);
    size_t number = ids_count(stretch->ids);

    if (found >= 0)
        return (size_t)found;
    ids_add(stretch->ids, id);
    stretch->subjects = mem_grow(stretch->subjects, number, &stretch->capacity, sizeof(*stretch->subjects));
    stretch->subjects[number] = (struct subject){.index_key = index_key(stretch->projection, id),
                                                 .ambiguous = !plan_key_survives(stretch->projection, id)};
    return number;
}

int64_t stretch_subject_of_key(struct stretch *stretch, const char *key)
{
    char *id[MAX_ID_COLUMNS];
    size_t number;

    if (plan_invert_key(stretch->projection, key, strlen(key), id) != 0)
        return -1;
    number = stretch_subject(stretch, (const char *const *)id);
    for (size_t i = 0; i < stretch->projection->config->nid; i++)
        free(id[i]);
    return (int64_t)number;
}

const char *stretch_yield(struct stretch *stretch, size_t number, const char *key, int64_t expire_ms)
{
    struct subject *subject = &stretch->subjects[number];
    const char *copy = arena_copy(stretch->arena, key, strlen(key) + 1);

    subject->keys = mem_grow(subject->keys, subject->count, &subject->capacity, sizeof(*subject->keys));
    subject->keys[subject->count++] = copy;
    if (expire_ms < 0 || (subject->expire_ms >= 0 && expire_ms > subject->expire_ms))
        subject->expire_ms = expire_ms;
    return copy;
}
