/* local.h - what tm.task_local and tm.worker_local share over all states: which value is meant, and what it begins with.
 *
 * The values themselves stand in the Lua states (bindings/locals.c), by `index`; `generation` tells whether one found there is
 * this local's or that of one before it, which had the same index. So what is kept for locals that are gone is bounded by how
 * many there were at once.
 *
 * Used by   bindings/locals.c.
 * Threads   all fields are fixed once `ready`; made and destroyed from any thread.
 * Owns      its index, the initial value and the function.
 * Lock      one for the numbers, rank 50, inside new and destroy; nothing is called under it.
 */
#ifndef TIDE_SYNC_LOCAL_H
#define TIDE_SYNC_LOCAL_H

#include "base/item.h"
#include "base/message.h"
#include "base/object.h"

#include <stdbool.h>
#include <stdint.h>

struct tide_local {
    struct tide_object object;
    bool of_worker;             /* one value for each worker's state; else one for each task */
    uint32_t index;             /* >= 1, of no other local that lives */
    uint32_t generation;        /* >= 1, greater than that of any before with this index */
    struct tide_item initial;   /* the maker's to set, once */
    struct tide_message *maker; /* the function that makes the first value; NULL: `initial` is it. Likewise */
};

extern const struct tide_class tide_local_class;

/* With one reference, the caller's. NULL: out of memory. */
struct tide_local *tide_local_new(bool of_worker);

#endif
