/* rate_limiter.h - at most so many a second, over all workers, by reservation of instants.
 *
 * The generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling): one number says when the next would be due if all
 * came evenly. Whoever comes takes the next instant with one compare-and-swap and then sleeps until it, so there is nothing
 * between a look and an update, and waiters stand in the order in which they came. An unused limiter saves up `burst` at most.
 * Instants that are given back, as by a wait that is cancelled, go to those who come next; who has one keeps it.
 * A second number of the same kind counts those that pass indeed: where many are woken late at once, those beyond the burst
 * sleep again, so that in any stretch of t seconds no more than burst + t * per_second pass.
 *
 * Used by   bindings/rate_limiter.c.
 * Threads   any worker, by a caller that holds a reference.
 * Lock      limiter->lock, rank 30, for what was given back; not taken while there is nothing of that.
 */
#ifndef TIDE_EXEC_RATE_LIMITER_H
#define TIDE_EXEC_RATE_LIMITER_H

#include "base/object.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tide_rate_gap;

struct tide_rate_limiter {
    struct tide_object object;
    int64_t period;       /* ns from one to the next */
    int64_t tolerance;    /* ns by which they may come early: (burst - 1) * period */
    _Atomic int64_t next;   /* when the next reservation is due on the even grid */
    _Atomic int64_t passed; /* when the next that passes would be due */

    struct tide_mutex lock;
    /* protected by lock; the count is read without */
    struct tide_rate_gap *gaps; /* stretches of the grid that were given back: in order, apart from each other, before next */
    _Atomic uint32_t gap_count;
    uint32_t gap_room;
};

/* A reservation, for giving it back. */
struct tide_reservation {
    int64_t at;            /* the instant that was taken: not before the present one */
    int64_t before, after; /* its stretch of the grid */
};

extern const struct tide_class tide_rate_limiter_class;

/* `burst` >= 1, 0 < per_second <= 1e9. One reference, the caller's. NULL: out of memory. */
struct tide_rate_limiter *tide_rate_limiter_new(double per_second, int64_t burst);

/* Takes the next `n` >= 1 instants if the last of them is not later than `latest`; else false, and nothing was taken. */
bool tide_rate_limiter_reserve(struct tide_rate_limiter *limiter, int64_t n, int64_t now, int64_t latest,
                               struct tide_reservation *out);

/* Who has a reservation is there at `now`. 0: it passes. Else the instant at which it may try again. */
int64_t tide_rate_limiter_pass(struct tide_rate_limiter *limiter, int64_t n, int64_t now);

/* It was not used: those who come next may have it. */
void tide_rate_limiter_give_back(struct tide_rate_limiter *limiter, const struct tide_reservation *reservation);

#endif
