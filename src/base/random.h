/* random.h - a small generator of random numbers that a seed decides: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
 *
 * Used by   sched/baton.c, exec/periodic.c (jitter), sync/dict_key.c (with virtual time). Not for secrets.
 * Threads   one state, one thread at a time.
 */
#ifndef TIDE_BASE_RANDOM_H
#define TIDE_BASE_RANDOM_H

#include <stdint.h>

/* The next number; any state will do as the first. */
static inline uint64_t tide_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* From 0 to n - 1; n is small, so that the lack of uniformity does not matter. */
static inline uint32_t tide_random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((tide_random(state) >> 32) * n >> 32);
}

#endif
