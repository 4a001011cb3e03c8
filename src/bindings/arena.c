#include "bindings/arena.h"

#include <stdint.h>

enum {
    ALIGNMENT = 16,
    CHUNK_FIRST = 1024,      /* a short document fits, and the slab has such blocks at hand */
    CHUNK_MOST = 256 * 1024,
};

struct tide_arena_chunk {
    struct tide_arena_chunk *next;
    size_t size; /* with this header */
};

_Static_assert(sizeof(struct tide_arena_chunk) % ALIGNMENT == 0, "blocks begin behind the header");

static bool add_chunk(struct tide_arena *arena, size_t least)
{
    size_t size = !arena->chunks ? CHUNK_FIRST : arena->chunks->size < CHUNK_MOST ? arena->chunks->size * 2 : CHUNK_MOST;
    if (size < least + sizeof(struct tide_arena_chunk))
        size = least + sizeof(struct tide_arena_chunk);
    struct tide_arena_chunk *chunk = tide_memory_alloc(arena->memory, NULL, 0, size);
    if (!chunk)
        return false;
    *chunk = (struct tide_arena_chunk){.next = arena->chunks, .size = size};
    arena->chunks = chunk;
    arena->at = (char *)(chunk + 1);
    arena->end = (char *)chunk + size;
    return true;
}

void *tide_arena_alloc(struct tide_arena *arena, size_t size)
{
    size_t need = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > SIZE_MAX / 4 || ((size_t)(arena->end - arena->at) < need && !add_chunk(arena, need))) {
        arena->failed = true;
        return NULL;
    }
    void *block = arena->at;
    arena->at += need;
    return block;
}

void tide_arena_fini(struct tide_arena *arena)
{
    while (arena->chunks) {
        struct tide_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        tide_memory_alloc(arena->memory, chunk, chunk->size, 0);
    }
    *arena = (struct tide_arena){.memory = arena->memory};
}
