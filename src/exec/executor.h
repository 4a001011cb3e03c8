/* executor.h - runs futures, at most max_workers of them at once, in the order they were submitted.
 *
 * What may start is pushed to the runtime's shared queue and holds a slot from then on (`running`); the rest waits here
 * (`pending`). A task that waits for other tasks lends its slot (tide_future_lend): running goes down and the next may start.
 * It goes on at once, so running may exceed max_workers for a while; nothing starts until it is below again. As whoever waits
 * for a future holds no slot, some pending one can always start: nested submit-and-wait ends, to any depth, with one worker
 * and one slot.
 *
 * Used by   bindings/executor.c, exec/batch.c.
 * Threads   every function from any worker, by a caller that holds a reference; enqueue and leave by the waiting task's owner.
 * Owns      the run's reference of each pending future. While anything is outstanding it holds one reference on itself and
 *           holds the runtime, so the program waits for it.
 * Lock      executor->lock, rank 20. Under it only waits are claimed and the runtime is held.
 */
#ifndef TIDE_EXEC_EXECUTOR_H
#define TIDE_EXEC_EXECUTOR_H

#include "sync/future.h"

#include <stdbool.h>
#include <stdint.h>

enum tide_executor_cancel { TIDE_EXECUTOR_CANCEL_NONE, TIDE_EXECUTOR_CANCEL_PENDING, TIDE_EXECUTOR_CANCEL_ALL };

struct tide_executor_options {
    uint32_t max_workers;             /* >= 1 */
    uint32_t queue_size;              /* how many may be pending; 0: no bound */
    const char *name;                 /* copied; NULL: none */
    struct tide_message *initializer; /* referenced; NULL: none */
};

struct tide_executor {
    struct tide_future_owner owner; /* the object, first */
    /* fixed after new */
    uint32_t max_workers, queue_size;
    char *name;                       /* may be NULL */
    struct tide_message *initializer; /* run once in each state that starts a task of this executor. May be NULL */
    uint64_t epoch; /* never 0, of no other executor: by it a state knows that it ran the initializer */

    struct tide_mutex lock;
    /* protected by lock */
    bool closed;               /* accepts nothing more */
    _Atomic uint8_t withdrawn; /* enum tide_executor_cancel; but for NONE nothing starts. Written under the lock */
    char *error;               /* why it broke; fixed once set, NULL while it is whole */
    uint32_t running;          /* slots taken */
    uint64_t waiting;          /* length of `pending` */
    uint64_t outstanding;      /* accepted and neither finished nor dropped */
    struct tide_list pending;  /* futures, place WAITS */
    struct tide_list launched; /* futures, place LAUNCHED */
    struct tide_list room;     /* waiters of submits, each with its future as value */
    struct tide_list idle;     /* waiters for outstanding == 0 */
};

extern const struct tide_class tide_executor_class;

/* An executor with one reference, the caller's. NULL: out of memory. No thread is started. */
struct tide_executor *tide_executor_new(const struct tide_executor_options *options);

/* ---- submitting ---- */

/* Accepts a fresh future. It starts as soon as a slot is free; if the system starts no worker it fails, with a text.
 * 0: accepted. TIDE_EAGAIN: `bounded`, and queue_size futures are pending. TIDE_ESHUTDOWN: closed, see tide_executor_error.
 * On failure the future is as it was. */
int tide_executor_submit(struct tide_executor *executor, struct tide_future *future, bool bounded);

/* The same, for a task that waits for room. 1: accepted, nothing was queued. 0: queued behind other submits, the caller must
 * leave in the end. TIDE_ESHUTDOWN as above, nothing was queued. Whoever makes room hands it over: a waiter that is woken has
 * submitted, unless tide_executor_admitted says no; one whose wait ended otherwise has not. */
int tide_executor_enqueue(struct tide_executor *executor, struct tide_waiter *waiter, struct tide_task *task,
                          struct tide_future *future);

/* After a wake: true if the future was accepted, false if the executor was closed meanwhile. */
static inline bool tide_executor_admitted(const struct tide_waiter *waiter)
{
    return waiter->item.as.pointer != NULL;
}

/* More of the work of a task that runs: accepted after a close too, without a bound, and before all that is pending.
 * 0; TIDE_ESHUTDOWN: what is pending has been dropped, the future is as it was. */
int tide_executor_extend(struct tide_executor *executor, struct tide_future *future);

/* ---- waiting until nothing is outstanding ---- */

/* 0: queued. 1: it is idle, nothing was queued. */
int tide_executor_enqueue_idle(struct tide_executor *executor, struct tide_waiter *waiter, struct tide_task *task);

/* After either enqueue: the waiter is on no list any more. */
void tide_executor_leave(struct tide_executor *executor, struct tide_waiter *waiter);

/* ---- ending ---- */

/* Accepts nothing more; submits that wait for room are refused. With PENDING what has not begun is cancelled, with ALL running
 * tasks are asked as well. May be called again, with more. Waits for nothing. */
void tide_executor_shutdown(struct tide_executor *executor, enum tide_executor_cancel cancel);

/* Its initializer failed: as a shutdown where all that has not begun fails with `error` (copied). The first text stays. */
void tide_executor_break(struct tide_executor *executor, const char *error);

/* The text of a broken executor, NULL while it is whole; lives as long as the executor. */
const char *tide_executor_error(struct tide_executor *executor);

/* Whether it takes no more: it was shut down, or is broken. */
bool tide_executor_closed(struct tide_executor *executor);

/* ---- for reports and tests ---- */

struct tide_executor_counts {
    uint32_t running;
    uint64_t pending, outstanding;
};
struct tide_executor_counts tide_executor_counts(struct tide_executor *executor);

#endif
