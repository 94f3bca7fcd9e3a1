#include "common/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

enum { BLOCK_BYTES = 32 * 1024, ALIGN = 8 };

struct block {
    struct block *next;
    size_t used;
    size_t size;
    alignas(ALIGN) char data[];
};

struct arena {
    struct block *head;
};

static struct block *block_new(size_t size, struct block *next)
{
    struct block *block = mem_alloc(sizeof(*block) + size);

    block->next = next;
    block->used = 0;
    block->size = size;
    return block;
}

struct arena *arena_new(void)
{
    struct arena *arena = mem_alloc(sizeof(*arena));

    arena->head = block_new(BLOCK_BYTES, NULL);
    return arena;
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;

        free(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->head);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    free_blocks(arena->head->next);
    arena->head->next = NULL;
    arena->head->used = 0;
    if (arena->head->size > BLOCK_BYTES) {
        free(arena->head);
        arena->head = block_new(BLOCK_BYTES, NULL);
    }
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *ptr;

    if (arena->head->size - arena->head->used < need)
        arena->head = block_new(need > BLOCK_BYTES ? need : BLOCK_BYTES, arena->head);
    ptr = arena->head->data + arena->head->used;
    arena->head->used += need;
    return ptr;
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *copy = arena_alloc(arena, size);

    memcpy(copy, data, size);
    return copy;
}
