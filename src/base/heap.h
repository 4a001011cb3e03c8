/* heap.h - a 4-ary min-heap of timers.
 *
 * Used by   sched/worker.c: one heap a worker, touched by that worker's thread alone.
 * Owns      its array, not the timers, which live in tasks and scopes.
 * Cost      O(log n) to add, move and remove; 16 bytes an entry. The key stands in the array, so that a sift does not
 *           touch the timers' memory.
 */
#ifndef TIDE_BASE_HEAP_H
#define TIDE_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct tide_timer {
    uint32_t place;                      /* index in the heap plus one; 0: not armed */
    uint32_t kind;                       /* for the owner, who tells its timers apart by it */
};

struct tide_heap_entry {
    int64_t when;
    struct tide_timer *timer;
};

struct tide_heap {
    struct tide_heap_entry *at;
    uint32_t count, room;
};

void tide_heap_init(struct tide_heap *heap);
void tide_heap_fini(struct tide_heap *heap);

/* Arms `timer`, which is not armed. 0 or TIDE_ENOMEM; on failure nothing changed. */
int tide_heap_add(struct tide_heap *heap, struct tide_timer *timer, int64_t when);

/* Disarms; a timer that is not armed stays so. Cannot fail. */
void tide_heap_remove(struct tide_heap *heap, struct tide_timer *timer);

/* The earliest instant, TIDE_NEVER where the heap is empty. */
int64_t tide_heap_next(const struct tide_heap *heap);

/* The earliest timer if it is due at `now`, disarmed; else NULL. */
struct tide_timer *tide_heap_pop_due(struct tide_heap *heap, int64_t now);

static inline bool tide_timer_armed(const struct tide_timer *timer)
{
    return timer->place != 0;
}

#endif
