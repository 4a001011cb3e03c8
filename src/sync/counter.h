/* counter.h - an integer that all tasks share.
 *
 * Used by   bindings/counter.c.
 * Threads   every function from any worker, by a caller that holds a reference. None waits, none fails.
 * Rule      64 bits, two's complement; what overflows wraps around, as Lua's integers do.
 */
#ifndef TIDE_SYNC_COUNTER_H
#define TIDE_SYNC_COUNTER_H

#include "base/object.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tide_counter {
    struct tide_object object;
    _Atomic uint64_t value; /* unsigned, so that wrapping is defined */
};

extern const struct tide_class tide_counter_class;

/* A counter with one reference, the caller's. NULL: out of memory. */
struct tide_counter *tide_counter_new(int64_t value);

/* Adds n, which may be negative; the new value. */
static inline int64_t tide_counter_add(struct tide_counter *counter, int64_t n)
{
    return (int64_t)(atomic_fetch_add(&counter->value, (uint64_t)n) + (uint64_t)n);
}

static inline int64_t tide_counter_get(struct tide_counter *counter)
{
    return (int64_t)atomic_load(&counter->value);
}

/* Stores n; the value before. */
static inline int64_t tide_counter_set(struct tide_counter *counter, int64_t n)
{
    return (int64_t)atomic_exchange(&counter->value, (uint64_t)n);
}

/* Stores `to` if the value is *from: true. Else false, and *from is the value found. */
static inline bool tide_counter_compare_exchange(struct tide_counter *counter, int64_t *from, int64_t to)
{
    uint64_t seen = (uint64_t)*from;
    bool swapped = atomic_compare_exchange_strong(&counter->value, &seen, (uint64_t)to);
    *from = (int64_t)seen;
    return swapped;
}

#endif
