/* event.h - a flag that tasks can wait for.
 *
 * The pattern of every object that tasks wait on: the value and a FIFO of waiters under one small mutex, and the wait cut in
 * three, because the binding yields in the middle:
 *
 *     tide_event_is_set(e)                  yes: done, no wait
 *     tide_wait_begin(task)
 *     tide_event_enqueue(e, w, task)        1: it was set meanwhile: tide_wait_abandon
 *     tide_wait_commit, park, tide_wait_end
 *     tide_event_leave(e, w)                whoever won
 *
 * Used by   bindings/event.c.
 * Threads   every function from any worker, by a caller that holds a reference; enqueue and leave by the waiting task's owner.
 * Owns      nothing; a waiter belongs to the task that waits.
 * Lock      event->lock, rank 30. Nothing is called back while it is held.
 */
#ifndef TIDE_SYNC_EVENT_H
#define TIDE_SYNC_EVENT_H

#include "base/object.h"
#include "base/thread.h"
#include "sched/wait.h"

#include <stdatomic.h>
#include <stdbool.h>

struct tide_event {
    struct tide_object object;
    _Atomic uint32_t flag; /* raised under the lock, lowered and read without */
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_list waiters; /* empty of unclaimed ones while the flag is up */
};

extern const struct tide_class tide_event_class;

/* A cleared event with one reference, the caller's. NULL: out of memory. */
struct tide_event *tide_event_new(void);

/* Raises the flag and wakes everyone who waits, in the order they came; a clear that follows does not hold them back.
 * One load where the flag is up already. Cannot fail. */
void tide_event_set(struct tide_event *event);

/* Lowers the flag. One store. */
void tide_event_clear(struct tide_event *event);

/* One load. */
static inline bool tide_event_is_set(struct tide_event *event)
{
    return atomic_load(&event->flag) != 0;
}

/* Queues a waiter of the task's open wait. 0: queued, the caller must leave in the end. 1: the event is set, nothing was
 * queued. */
int tide_event_enqueue(struct tide_event *event, struct tide_waiter *waiter, struct tide_task *task);

/* The wait is over, whoever ended it: the waiter is on no list any more. */
void tide_event_leave(struct tide_event *event, struct tide_waiter *waiter);

#endif
