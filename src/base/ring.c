#include "base/ring.h"

#include "base/alloc.h"
#include "base/error.h"

#include <string.h>

enum { FIRST_ROOM = 8, LARGE = 1024 };

void tide_ring_fini(struct tide_ring *ring)
{
    while (ring->count) {
        struct tide_item item = tide_ring_pop(ring);
        tide_item_drop(&item);
    }
    tide_free(ring->slots);
    *ring = (struct tide_ring){0};
}

/* Copies the items into the new array, in order from its beginning; returns the old one. */
static struct tide_item *move_to(struct tide_ring *ring, struct tide_item *slots, size_t room)
{
    struct tide_item *old = ring->slots;
    size_t start = ring->room ? ring->first & (ring->room - 1) : 0;
    size_t straight = ring->room - start < ring->count ? ring->room - start : ring->count;
    if (straight)
        memcpy(slots, old + start, straight * sizeof *slots);
    if (ring->count > straight)
        memcpy(slots + straight, old, (ring->count - straight) * sizeof *slots);
    ring->slots = slots;
    ring->room = room;
    ring->first = 0;
    return old;
}

int tide_ring_grow(struct tide_ring *ring, struct tide_mutex *lock, size_t more)
{
    while (ring->room - ring->count < more) {
        size_t room = ring->room ? ring->room : FIRST_ROOM;
        while (room - ring->count < more && room <= SIZE_MAX / sizeof *ring->slots / 4)
            room *= 2;
        bool possible = room - ring->count >= more;
        tide_mutex_unlock(lock);
        struct tide_item *spare = possible ? tide_malloc(room * sizeof *spare) : NULL;
        tide_mutex_lock(lock);
        if (!spare)
            return TIDE_ENOMEM;
        if (room > ring->room) /* else somebody was faster */
            spare = move_to(ring, spare, room);
        if (spare) {
            tide_mutex_unlock(lock);
            tide_free(spare);
            tide_mutex_lock(lock);
        }
    }
    return 0;
}

struct tide_item *tide_ring_trim(struct tide_ring *ring)
{
    struct tide_item *slots = ring->slots;
    if (ring->count || ring->room <= LARGE)
        return NULL;
    *ring = (struct tide_ring){0};
    return slots;
}

void tide_ring_insert(struct tide_ring *ring, size_t index, struct tide_item item)
{
    if (index < ring->count / 2) {
        tide_ring_push_first(ring, item);
        for (size_t i = 0; i < index; i++)
            *tide_ring_at(ring, i) = *tide_ring_at(ring, i + 1);
    } else {
        tide_ring_push(ring, item);
        for (size_t i = ring->count - 1; i > index; i--)
            *tide_ring_at(ring, i) = *tide_ring_at(ring, i - 1);
    }
    *tide_ring_at(ring, index) = item;
}

struct tide_item tide_ring_remove(struct tide_ring *ring, size_t index)
{
    struct tide_item item = *tide_ring_at(ring, index);
    if (index < ring->count / 2) {
        for (size_t i = index; i > 0; i--)
            *tide_ring_at(ring, i) = *tide_ring_at(ring, i - 1);
        tide_ring_pop_first(ring);
    } else {
        for (size_t i = index; i + 1 < ring->count; i++)
            *tide_ring_at(ring, i) = *tide_ring_at(ring, i + 1);
        tide_ring_pop(ring);
    }
    return item;
}

void tide_ring_rotate(struct tide_ring *ring, size_t steps)
{
    /* a full array needs no copying; else the shorter way round */
    if (ring->count == ring->room) {
        ring->first -= steps;
    } else if (steps <= ring->count / 2) {
        for (size_t i = 0; i < steps; i++)
            tide_ring_push_first(ring, tide_ring_pop(ring));
    } else {
        for (size_t i = steps; i < ring->count; i++)
            tide_ring_push(ring, tide_ring_pop_first(ring));
    }
}
