/* condition.h - a queue of tasks that wait, without its lock, for something that the lock guards.
 *
 * Every function but new and leave is for the task that holds the lock, so what it sees and whom it wakes is in order with what
 * others do under that lock. Who is woken takes the lock again like anybody else, by lock.h.
 *
 *     tide_wait_begin(task); tide_condition_enqueue(c, w, task); tide_lock_release_all(c->lock, task)
 *     tide_wait_commit, park, tide_wait_end; unless it was woken: tide_condition_leave(c, w)
 *     and take the lock
 *
 * Used by   bindings/condition.c.
 * Owns      a reference to its lock.
 * Lock      the mutex of its lock, rank 30: where the lock is abandoned, its conditions are woken with it.
 */
#ifndef TIDE_SYNC_CONDITION_H
#define TIDE_SYNC_CONDITION_H

#include "sync/lock.h"

struct tide_condition {
    struct tide_object object;
    struct tide_lock *lock;     /* fixed */
    struct tide_lock_side side; /* who waits */
};

extern const struct tide_class tide_condition_class;

/* A condition with one reference, the caller's. Takes a reference to the lock of its own. NULL: out of memory. */
struct tide_condition *tide_condition_new(struct tide_lock *lock);

/* Queues a waiter of the task's open wait; the caller must leave unless it is woken. */
void tide_condition_enqueue(struct tide_condition *condition, struct tide_waiter *waiter, struct tide_task *task);

/* The wait was not won by a waker. */
void tide_condition_leave(struct tide_condition *condition, struct tide_waiter *waiter);

/* Wakes up to `most` that wait, in the order they came. Returns how many it woke; each of them was claimed, so none of
 * them has timed out or been cancelled meanwhile. */
uint64_t tide_condition_notify(struct tide_condition *condition, uint64_t most);

#endif
