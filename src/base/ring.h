/* ring.h - items in a row that grows and shrinks at both ends.
 *
 * Used by   sync/queue.c, sync/deque.c.
 * Threads   none of its own: a mutex of the owner's guards it. tide_ring_reserve and tide_ring_trim let go of that mutex while
 *           they call the C heap, so that nobody waits for the system; the caller looks again at what it knew.
 * Owns      its array, and the items between being pushed and popped.
 */
#ifndef TIDE_BASE_RING_H
#define TIDE_BASE_RING_H

#include "base/item.h"
#include "base/thread.h"

#include <assert.h>

struct tide_ring {
    struct tide_item *slots; /* `room` of them, a power of two; NULL while there is no room */
    size_t room;
    size_t first;            /* where the first item is, modulo room */
    size_t count;
};

/* Drops what is in it, and the array. Accepts a zeroed one. */
void tide_ring_fini(struct tide_ring *ring);

/* With `lock` held, before and after, but not in between: room for `more` items at least. 0 or TIDE_ENOMEM. Where there is room
 * already, which is one comparison, the lock is not let go. */
int tide_ring_grow(struct tide_ring *ring, struct tide_mutex *lock, size_t more);

static inline int tide_ring_reserve(struct tide_ring *ring, struct tide_mutex *lock, size_t more)
{
    return ring->room - ring->count >= more ? 0 : tide_ring_grow(ring, lock, more);
}

/* Takes the array of an empty ring that has become large, for the caller to give to tide_free without the lock; else NULL. */
struct tide_item *tide_ring_trim(struct tide_ring *ring);

/* The item at `index`, which is less than count. */
static inline struct tide_item *tide_ring_at(struct tide_ring *ring, size_t index)
{
    return &ring->slots[(ring->first + index) & (ring->room - 1)];
}

/* There is room. The item is moved in. */
static inline void tide_ring_push(struct tide_ring *ring, struct tide_item item)
{
    assert(ring->count < ring->room);
    ring->count++;
    *tide_ring_at(ring, ring->count - 1) = item;
}

static inline void tide_ring_push_first(struct tide_ring *ring, struct tide_item item)
{
    assert(ring->count < ring->room);
    ring->first--;
    ring->count++;
    *tide_ring_at(ring, 0) = item;
}

/* It is not empty. The item is moved out. */
static inline struct tide_item tide_ring_pop_first(struct tide_ring *ring)
{
    assert(ring->count > 0);
    struct tide_item item = *tide_ring_at(ring, 0);
    ring->first++;
    ring->count--;
    return item;
}

static inline struct tide_item tide_ring_pop(struct tide_ring *ring)
{
    assert(ring->count > 0);
    ring->count--;
    return *tide_ring_at(ring, ring->count);
}

/* There is room; index <= count. Moves at most half of the items by one. */
void tide_ring_insert(struct tide_ring *ring, size_t index, struct tide_item item);

/* index < count. The item is moved out, and at most half of the others by one. */
struct tide_item tide_ring_remove(struct tide_ring *ring, size_t index);

/* The last `steps` items become the first ones, in their order; steps <= count. */
void tide_ring_rotate(struct tide_ring *ring, size_t steps);

#endif
