/* arena.h - memory for one call: many small blocks, counted as the Lua state's, all given back at once.
 *
 * Used by   jansson.c, for the trees that libjansson builds.
 * Threads   the state's own.
 * Raises    nothing: to be out of memory is a NULL and the flag `failed`.
 */
#ifndef TIDE_BINDINGS_ARENA_H
#define TIDE_BINDINGS_ARENA_H

#include "bindings/memory.h"

#include <stdbool.h>
#include <stddef.h>

struct tide_arena_chunk;

struct tide_arena {
    struct tide_memory *memory;      /* whose budget it draws on; set by the maker, the rest zeroed */
    struct tide_arena_chunk *chunks; /* newest first */
    char *at, *end;                  /* what is left of the newest */
    bool failed;                     /* an allocation was refused */
};

/* Bytes aligned for any object; NULL without memory. Lives until tide_arena_fini. */
void *tide_arena_alloc(struct tide_arena *arena, size_t size);

/* Gives everything back; the arena is empty and may be used again. */
void tide_arena_fini(struct tide_arena *arena);

#endif
