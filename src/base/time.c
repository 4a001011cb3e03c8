#include "base/time.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { S = 1000000000 };

static bool is_virtual;              /* changes only while there is one thread */
static int64_t virtual_wall;         /* at TIDE_VIRTUAL_START_MS; likewise */
static _Atomic int64_t virtual_now;

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * S + t.tv_nsec;
}

int64_t tide_real_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t tide_now_ns(void)
{
    if (is_virtual)
        return atomic_load_explicit(&virtual_now, memory_order_relaxed); /* the baton orders what hangs on it */
    return read_clock(CLOCK_MONOTONIC);
}

double tide_wall_seconds(void)
{
    if (is_virtual) {
        /* the sum of two may exceed the type */
        int64_t spent = atomic_load_explicit(&virtual_now, memory_order_relaxed) - TIDE_MS(TIDE_VIRTUAL_START_MS);
        int64_t seconds = virtual_wall / S + spent / S, rest = virtual_wall % S + spent % S;
        return (double)(seconds + rest / S) + (double)(rest % S) / S;
    }
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int64_t tide_deadline_after(double seconds)
{
    /* 9.2e9 s is the range of the type; a limit well inside it keeps the sum exact enough and free of overflow. */
    int64_t deadline;
    if (!(seconds < 8e9) || __builtin_add_overflow(tide_now_ns(), (int64_t)(seconds * 1e9 + 0.999), &deadline))
        return TIDE_NEVER;
    return deadline;
}

void tide_virtual_begin(int64_t wall_ns)
{
    is_virtual = true;
    virtual_wall = wall_ns;
    atomic_store(&virtual_now, TIDE_MS(TIDE_VIRTUAL_START_MS));
}

void tide_virtual_end(void)
{
    is_virtual = false;
}

void tide_virtual_set(int64_t now)
{
    atomic_store_explicit(&virtual_now, now, memory_order_relaxed);
}
