/* An arena: many small allocations that die together. A batch of work owns one. */
#ifndef PGUSHER_ARENA_H
#define PGUSHER_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);                /* NULL-safe */
void arena_reset(struct arena *arena);               /* forgets everything, keeps one block */
void *arena_alloc(struct arena *arena, size_t size); /* 8-byte aligned, not zeroed, never NULL */
void *arena_copy(struct arena *arena, const void *data, size_t size);

#endif
