/* memory.h - the allocator of Lua states: counted, limited over the whole process, with a reserve for the runtime.
 *
 * Used by   bindings/state.c.
 * Threads   a struct tide_memory belongs to its state's thread; the common budget is one atomic number, drawn in blocks.
 * Reserve   while `reserve` is set an allocation may go past the limit: set around what the runtime must be able to do to
 *           fail a task in good order.
 */
#ifndef TIDE_BINDINGS_MEMORY_H
#define TIDE_BINDINGS_MEMORY_H

#include "bindings/slab.h"

#include <stdbool.h>
#include <stddef.h>

struct tide_memory {
    struct tide_slab slab; /* blocks up to TIDE_SLAB_MAX bytes */
    size_t used;      /* bytes that the state's objects take */
    size_t large;     /* those of them that are not in the slab */
    size_t drawn;     /* bytes taken from the common budget; covers slab.size + large unless the reserve was used */
    bool reserve;
    bool failed;      /* an allocation was refused since this was last cleared */
};

/* Process start: the budget of all states together, in bytes; 0: nine tenths of what machine, cgroup and ulimit allow. */
void tide_memory_set_limit(size_t bytes);
size_t tide_memory_limit(void);

/* A lua_Alloc; `ud` is the struct tide_memory. */
void *tide_memory_alloc(void *ud, void *block, size_t old_size, size_t new_size);

/* The state was closed: gives back what it had drawn. */
void tide_memory_fini(struct tide_memory *memory);

#endif
