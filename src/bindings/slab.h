/* slab.h - small blocks for one Lua state: size classes of 16 bytes, cut from large pieces, without headers.
 *
 * Lua tells the size of what it frees, so a block needs no header, and a state has one thread, so none of this needs a lock.
 * A coroutine costs a sixth less so, and a million of them need no system call each few hundred. Pieces go back to the system
 * when the state is closed; until then freed blocks wait for the next of their class.
 *
 * Used by   memory.c. Under AddressSanitizer, which has to see each block, everything goes to malloc instead.
 * Threads   the state's own.
 */
#ifndef TIDE_BINDINGS_SLAB_H
#define TIDE_BINDINGS_SLAB_H

#include <stddef.h>

enum { TIDE_SLAB_STEP = 16, TIDE_SLAB_CLASSES = 64 };

#ifdef __SANITIZE_ADDRESS__
enum { TIDE_SLAB_MAX = 0 };
#else
enum { TIDE_SLAB_MAX = TIDE_SLAB_STEP * TIDE_SLAB_CLASSES }; /* larger blocks are malloc's */
#endif

/* Whether a block of that size is the slab's. */
static inline _Bool tide_slab_fits(size_t size)
{
    return TIDE_SLAB_MAX > 0 && size <= TIDE_SLAB_MAX;
}

struct tide_slab_piece;

struct tide_slab {
    void *free[TIDE_SLAB_CLASSES];   /* each block's first word points to the next */
    char *at, *end;                  /* what is left of the newest piece */
    struct tide_slab_piece *pieces;
    size_t size;                     /* bytes of all pieces */
};

/* The class of 1..TIDE_SLAB_MAX bytes. */
static inline size_t tide_slab_class(size_t size)
{
    return (size - 1) / TIDE_SLAB_STEP;
}

/* A block of that class that is at hand, or NULL: then more is needed. */
static inline void *tide_slab_take(struct tide_slab *slab, size_t class)
{
    void *block = slab->free[class];
    size_t size = (class + 1) * TIDE_SLAB_STEP;
    if (block) {
        slab->free[class] = *(void **)block;
        return block;
    }
    if ((size_t)(slab->end - slab->at) < size)
        return NULL;
    block = slab->at;
    slab->at += size;
    return block;
}

static inline void tide_slab_give(struct tide_slab *slab, void *block, size_t class)
{
    *(void **)block = slab->free[class];
    slab->free[class] = block;
}

/* How large the next piece is. */
size_t tide_slab_next_piece(const struct tide_slab *slab);

/* Adds a piece of that size. 0 or TIDE_ENOMEM. */
int tide_slab_grow(struct tide_slab *slab, size_t size);

/* Every block becomes invalid. */
void tide_slab_fini(struct tide_slab *slab);

#endif
