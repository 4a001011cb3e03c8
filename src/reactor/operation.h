/* operation.h - something that the reactor does for a task, and the task's wait for it.
 *
 * Used by   transfer.h, job.h, which embed it first; the bindings wait for it as for an event (sync/event.h).
 * Threads   start, drop, ask, enqueue, leave: any; finish and unlock_and_wake: where the operation is done.
 * Life      from start to finish the reactor holds a reference, and the operation is part of the runtime's activity: so a
 *           task that waits for it is never a deadlock. Who does not want it any more drops it: it finishes soon, without a
 *           result.
 * Lock      op->lock, rank 32. Nothing is called back while it is held.
 */
#ifndef TIDE_REACTOR_OPERATION_H
#define TIDE_REACTOR_OPERATION_H

#include "base/object.h"
#include "base/thread.h"
#include "sched/baton.h"
#include "sched/mailbox.h"
#include "sched/wait.h"

enum tide_operation_ask { TIDE_ASK_START = 1, TIDE_ASK_DROP = 2, TIDE_ASK_RESUME = 4 };

struct tide_operation {
    struct tide_object object;
    /* fixed */
    void (*act)(struct tide_operation *op, uint32_t asks); /* reactor: some of enum tide_operation_ask came in */
    /* any thread */
    struct tide_mail mail;
    _Atomic uint32_t asks;   /* not yet acted upon; the mail is under way while it is not 0 */
    _Atomic bool dropped;
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_list waiters;
    bool done;
    bool arriving;           /* with virtual time: something has come, and is not let in yet, */
    bool news;               /* and came since the last look of who waits */
    bool ending;             /* the same, and it was the last */
    struct tide_arrival arrival;
};

struct tide_runtime;

void tide_operation_init(struct tide_operation *op, const struct tide_class *class,
                         void (*act)(struct tide_operation *, uint32_t));

/* Hands it to the reactor, which is started if need be. 0, or what tide_reactor_start says: then it is as if never begun. */
int tide_operation_start(struct tide_operation *op, struct tide_runtime *runtime);

/* Asks the reactor; several asks that it has not seen yet are one piece of mail. */
void tide_operation_ask(struct tide_operation *op, uint32_t asks);

/* The result is not wanted any more. Once is enough, more do no harm; nor does one after the end. */
void tide_operation_drop(struct tide_operation *op);

static inline bool tide_operation_is_dropped(struct tide_operation *op)
{
    return atomic_load_explicit(&op->dropped, memory_order_relaxed); /* only a hint to hurry */
}

/* One look under the lock. */
bool tide_operation_is_done(struct tide_operation *op);

/* Under the lock, by a task that has found nothing: queues its waiter. */
void tide_operation_wait_on(struct tide_operation *op, struct tide_waiter *waiter, struct tide_task *task);

/* Queues a waiter of the task's open wait. 0: queued. 1: it is done, nothing was queued. */
int tide_operation_enqueue(struct tide_operation *op, struct tide_waiter *waiter, struct tide_task *task);
void tide_operation_leave(struct tide_operation *op, struct tide_waiter *waiter);

/* Something came that is waited for: unlocks, which the caller has locked to put it there, and wakes who waits. In one step,
 * so that nobody is woken for what another has taken in between. */
void tide_operation_unlock_and_wake(struct tide_operation *op);

/* It is done: wakes who waits, gives up the reference and the activity that start took. */
void tide_operation_finish(struct tide_operation *op);

/* Operations that were started and are not finished: for tests and tm.http.stats. */
uint32_t tide_operation_count(void);

#endif
