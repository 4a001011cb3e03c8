/* semaphore.h - a number of permits that tasks take and give back, handed out in the order in which they were asked for.
 *
 * One word holds the permits left and whether somebody waits. While nobody does, taking and giving back are one
 * compare-and-swap each. While somebody does, no permit is left, and what is given back goes to who waits: a waiter is
 * claimed first and then has its permit, so none is lost where wake, time-out and cancellation meet, and nobody overtakes.
 *
 *     tide_semaphore_try(s)                       yes: taken, no wait
 *     tide_wait_begin(task)
 *     tide_semaphore_enqueue(s, w, task)          1: taken meanwhile: tide_wait_abandon; where that fails, give it back
 *     tide_wait_commit, park, tide_wait_end       woken: a permit is taken
 *     tide_semaphore_leave(s, w)                  if not woken
 *
 * Used by   bindings/semaphore.c.
 * Threads   every function from any worker, by a caller that holds a reference; enqueue and leave by the waiting task's owner.
 * Owns      nothing. A permit belongs to no task: any may give it back.
 * Lock      semaphore->lock, rank 30, for the list of waiters. Nothing is called back while it is held.
 */
#ifndef TIDE_SYNC_SEMAPHORE_H
#define TIDE_SYNC_SEMAPHORE_H

#include "base/object.h"
#include "base/thread.h"
#include "sched/wait.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TIDE_SEMAPHORE_MAX (INT64_MAX / 2)

struct tide_semaphore {
    struct tide_object object;
    int64_t bound;         /* permits that there may be at most; TIDE_SEMAPHORE_MAX where nobody set one. Fixed */
    _Atomic uint64_t word; /* permits left << 1 | somebody waits: then none is left, and it changes under the lock alone */
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_list waiters; /* in order of arrival */
};

extern const struct tide_class tide_semaphore_class;

/* A semaphore with `permits` of them left, 0 <= permits <= bound <= TIDE_SEMAPHORE_MAX, and one reference, the caller's.
 * NULL: out of memory. */
struct tide_semaphore *tide_semaphore_new(int64_t permits, int64_t bound);

/* Permits left. One load. */
static inline int64_t tide_semaphore_value(struct tide_semaphore *semaphore)
{
    return (int64_t)(atomic_load(&semaphore->word) >> 1);
}

static inline bool tide_semaphore_bounded(const struct tide_semaphore *semaphore)
{
    return semaphore->bound < TIDE_SEMAPHORE_MAX;
}

/* Takes a permit if one is left. */
bool tide_semaphore_try(struct tide_semaphore *semaphore);

/* Gives n >= 1 permits back and wakes as many as wait, up to n. TIDE_EINVAL: there would be more than its bound; nothing was
 * changed. */
int tide_semaphore_release(struct tide_semaphore *semaphore, int64_t n);

/* Queues a waiter of the task's open wait. 0: queued. 1: a permit was there and is taken, nothing was queued. */
int tide_semaphore_enqueue(struct tide_semaphore *semaphore, struct tide_waiter *waiter, struct tide_task *task);

/* The wait ended otherwise than by a permit: the waiter is on no list any more. */
void tide_semaphore_leave(struct tide_semaphore *semaphore, struct tide_waiter *waiter);

#endif
