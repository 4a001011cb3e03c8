#include "bindings/slab.h"

#include "base/error.h"

#include <stdint.h>
#include <sys/mman.h>

enum {
    FIRST_PIECE = 64 * 1024,
    LAST_PIECE = 2 * 1024 * 1024, /* and a huge page, where the system has them */
};

struct tide_slab_piece {
    struct tide_slab_piece *next;
    size_t size;
};

size_t tide_slab_next_piece(const struct tide_slab *slab)
{
    size_t size = FIRST_PIECE;
    while (size < slab->size / 2 && size < LAST_PIECE)
        size *= 2;
    return size;
}

/* Anonymous memory on a border of `size`, a power of two, so that a huge page can back it. */
static void *map_aligned(size_t size)
{
    char *raw = mmap(NULL, size * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *block = (char *)(((uintptr_t)raw + size - 1) & ~(uintptr_t)(size - 1));
    if (block > raw)
        munmap(raw, (size_t)(block - raw));
    munmap(block + size, (size_t)(raw + size - block));
    madvise(block, size, MADV_HUGEPAGE); /* only advice: nothing to do where it is not taken */
    return block;
}

static void *map_plain(size_t size)
{
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : block;
}

int tide_slab_grow(struct tide_slab *slab, size_t size)
{
    struct tide_slab_piece *piece = size == LAST_PIECE ? map_aligned(size) : map_plain(size);
    if (!piece)
        return TIDE_ENOMEM;
    while (slab->end - slab->at >= TIDE_SLAB_STEP) { /* the rest of the last piece */
        size_t rest = (size_t)(slab->end - slab->at) / TIDE_SLAB_STEP;
        size_t class = (rest > TIDE_SLAB_CLASSES ? TIDE_SLAB_CLASSES : rest) - 1;
        tide_slab_give(slab, slab->at, class);
        slab->at += (class + 1) * TIDE_SLAB_STEP;
    }
    *piece = (struct tide_slab_piece){slab->pieces, size};
    slab->pieces = piece;
    slab->size += size;
    slab->at = (char *)piece + (sizeof *piece + TIDE_SLAB_STEP - 1) / TIDE_SLAB_STEP * TIDE_SLAB_STEP;
    slab->end = (char *)piece + size;
    return 0;
}

void tide_slab_fini(struct tide_slab *slab)
{
    while (slab->pieces) {
        struct tide_slab_piece *piece = slab->pieces;
        slab->pieces = piece->next;
        munmap(piece, piece->size);
    }
    *slab = (struct tide_slab){0};
}
