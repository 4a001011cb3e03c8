/* wait.h - the one-winner wait.
 *
 * A wait is decided by one compare-and-swap on task->wait: from armed to woken (a waker), timed out (the worker's timer) or
 * interrupted (a canceller). The winner posts the task, once. An object's lock guards its FIFO and its value, never this
 * decision. A waker claims a waiter before it takes the item for it, and drops those that others have claimed.
 *
 *     task's owner                            waker, any thread, under the object's lock
 *     tide_wait_begin(t)
 *     lock; value there? take it, unlock,     w = first waiter
 *       if tide_wait_abandon(t) done             if tide_wait_claim(w): take the value for it
 *     tide_wait_on(list, &t->waiter); unlock    else: it was interrupted; it is off the list now; next one
 *     tide_wait_commit(t, deadline)           unlock
 *       1: yield until resumed                tide_wait_post(task)
 *     outcome = tide_wait_end(t)
 *     lock; leave(list); unlock
 *
 * Word      number << 16 | level << 8 | state. The number counts the task's waits. The level says who may interrupt: a scope
 *           with scope->shield >= level (255: nobody, the task is closing up).
 * Proof     docs/internals/wait-protocol.md; tests/stress/test_wait_races.c makes the three come together.
 */
#ifndef TIDE_SCHED_WAIT_H
#define TIDE_SCHED_WAIT_H

#include "base/fifo.h"
#include "sched/task.h"

enum tide_wait_state {
    TIDE_WAIT_IDLE = 0,
    TIDE_WAIT_ARMED,
    TIDE_WAIT_WOKEN,
    TIDE_WAIT_TIMED_OUT,
    TIDE_WAIT_INTERRUPTED,
};

static inline enum tide_wait_state tide_wait_state(uint64_t word)
{
    return (enum tide_wait_state)(word & 0xff);
}

static inline uint64_t tide_wait_number(uint64_t word)
{
    return word >> 16;
}

/* Owner: opens a wait: armed, on no list yet. */
void tide_wait_begin(struct tide_task *task);

/* Owner, under the object's lock: queues a waiter of the open wait behind the others. */
static inline void tide_wait_on(struct tide_list *waiters, struct tide_waiter *waiter, struct tide_task *task)
{
    waiter->task = task;
    waiter->item = (struct tide_item){.kind = TIDE_ITEM_NONE};
    tide_list_append(waiters, &waiter->link);
}

/* Owner: the wait need not happen: the value was there, nothing is queued any more. True: it is closed. False: somebody won it
 * meanwhile and posts the task: park as if commit had said 1, then tide_wait_end; what was taken stays taken. */
bool tide_wait_abandon(struct tide_task *task);

/* Owner: everything is queued. 1: the task must park until it is posted. 0: it is decided already, go on. TIDE_ENOMEM: the
 * timer for `deadline` could not be armed; the wait is still open, the caller leaves what it queued on and abandons it. */
int tide_wait_commit(struct tide_task *task, int64_t deadline);

/* Owner, after the park (or at once where commit said false): closes the wait and says who won. */
enum tide_wait_state tide_wait_end(struct tide_task *task);

/* Under the object's lock: takes the waiter off its list, and tries to win its wait for the caller. */
bool tide_wait_claim(struct tide_waiter *waiter);

/* Under the object's lock: claims the first waiter that can be claimed, NULL if none can. */
struct tide_waiter *tide_wait_claim_first(struct tide_list *waiters);

/* Under the object's lock: claims all there are and chains their tasks in `woken`, in order, for tide_wait_post_all. */
void tide_wait_claim_all(struct tide_list *waiters, struct tide_fifo *woken);

/* The winner, after it has unlocked: makes the task ready on its worker. */
void tide_wait_post(struct tide_task *task);
void tide_wait_post_all(struct tide_fifo *woken);

/* Owner thread: the deadline of the task's wait passed; true if that decided the wait. */
bool tide_wait_expire(struct tide_task *task);

/* Owner thread: interrupts the wait whatever its level; true if that decided it (the caller makes the task ready). */
bool tide_wait_interrupt_own(struct tide_task *task);

/* Any thread: interrupts the wait if a scope of shield depth `shield` may; true if that decided it (the task is posted). */
bool tide_wait_interrupt(struct tide_task *task, uint8_t shield);

#endif
