/* deque.h - items in a row that all tasks share; nobody waits for it.
 *
 * Used by   bindings/deque.c.
 * Threads   every function from any worker, by a caller that holds a reference. Each is atomic.
 * Owns      the items inside.
 * Lock      deque->lock, rank 30. Let go of where memory is wanted.
 */
#ifndef TIDE_SYNC_DEQUE_H
#define TIDE_SYNC_DEQUE_H

#include "base/ring.h"
#include "sync/holder.h"

enum tide_deque_end { TIDE_DEQUE_LEFT, TIDE_DEQUE_RIGHT };

struct tide_deque {
    struct tide_holder holder;
    size_t maxlen;           /* fixed; SIZE_MAX: no limit */
    struct tide_mutex lock;
    struct tide_ring ring;   /* protected by lock */
};

extern const struct tide_class tide_deque_class;

/* An empty one with one reference, the caller's. NULL: out of memory. */
struct tide_deque *tide_deque_new(size_t maxlen);

/* Adds items at one end, one after the other. Where it is full one falls out at the other end for each: items[i] becomes what
 * fell out for it, or no value, for the caller to drop. 0; or TIDE_ENOMEM: nothing changed. */
int tide_deque_extend(struct tide_deque *deque, enum tide_deque_end end, struct tide_item *items, size_t count);

/* Takes the item at one end out. False: it is empty. */
bool tide_deque_pop(struct tide_deque *deque, enum tide_deque_end end, struct tide_item *item);

/* A second reference to the item at `index`, from 1, or from -1 at the right end. False: there is none. */
bool tide_deque_get(struct tide_deque *deque, int64_t index, struct tide_item *item);

/* Puts the item before the one at `index`, which is as in get; what lies beyond an end counts as that end. 0, the item is
 * moved; TIDE_EAGAIN: it is full; TIDE_ENOMEM. */
int tide_deque_insert(struct tide_deque *deque, int64_t index, struct tide_item *item);

/* Takes the item at `index`, as in get, out. False: there is none. */
bool tide_deque_remove(struct tide_deque *deque, int64_t index, struct tide_item *item);

/* The last `steps` become the first; the other way where it is negative. */
void tide_deque_rotate(struct tide_deque *deque, int64_t steps);

size_t tide_deque_count(struct tide_deque *deque);

/* Second references to the first `room` items, in order. Returns how many there are: if more than room, nothing was written. */
size_t tide_deque_copy(struct tide_deque *deque, struct tide_item *items, size_t room);

/* Drops all items. */
void tide_deque_clear(struct tide_deque *deque);

#endif
