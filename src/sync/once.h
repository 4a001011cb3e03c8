/* once.h - a call that is made once, whoever comes first; the others wait for its values.
 *
 *     idle --enter--> running (the turn of one task) --finish--> done, for ever
 *       ^                |
 *       +------fail------+   or, where somebody waits: the turn goes to the first of them
 *
 *     tide_wait_begin(task)
 *     switch (tide_once_enter(o, w, task))
 *       TIDE_ONCE_WAITS    tide_wait_commit, park, tide_wait_end; woken: it is done, or tide_once_runs(o, task): the caller's
 *                          turn. Else tide_once_leave
 *       TIDE_ONCE_TURN     the caller runs its function, then tide_once_finish, or tide_once_fail
 *       TIDE_ONCE_DONE     tide_once_values
 *       TIDE_ONCE_RECURSES the caller has the turn already
 *
 * A waiter is claimed first and has the turn then, so no turn is lost where wake, time-out and cancellation meet.
 *
 * Used by   bindings/once.c.
 * Threads   every function from any worker, by a caller that holds a reference; enter, leave, finish and fail by the task's
 *           owner.
 * Owns      the values, once there: they stay as long as the object, and never change.
 * Lock      once->lock, rank 30. Under it only waits are claimed.
 */
#ifndef TIDE_SYNC_ONCE_H
#define TIDE_SYNC_ONCE_H

#include "base/message.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "sched/wait.h"
#include "sync/holder.h"

#include <stdatomic.h>
#include <stdbool.h>

enum tide_once_state { TIDE_ONCE_WAITS, TIDE_ONCE_TURN, TIDE_ONCE_DONE, TIDE_ONCE_RECURSES };

struct tide_once {
    struct tide_holder holder; /* the values may hold the object itself */
    _Atomic uint32_t done;     /* raised under the lock, read without */
    struct tide_mutex lock;
    /* protected by lock; values fixed once done */
    struct tide_message *values; /* NULL: none */
    struct tide_task *runner;    /* whose turn it is, or NULL */
    struct tide_list waiters;
};

extern const struct tide_class tide_once_class;

/* One reference, the caller's. NULL: out of memory. */
struct tide_once *tide_once_new(void);

/* One load. */
static inline bool tide_once_done(struct tide_once *once)
{
    /* acquire: pairs with the release in tide_once_finish; the values are there */
    return atomic_load_explicit(&once->done, memory_order_acquire) != 0;
}

/* The values of one that is done; they stay the object's. */
static inline struct tide_message *tide_once_values(struct tide_once *once)
{
    return once->values;
}

/* See above. The waiter is that of the task's open wait, queued for TIDE_ONCE_WAITS alone. */
enum tide_once_state tide_once_enter(struct tide_once *once, struct tide_waiter *waiter, struct tide_task *task);

/* The wait ended otherwise than by a wake: the waiter is on no list any more. */
void tide_once_leave(struct tide_once *once, struct tide_waiter *waiter);

/* Whether it is the task's turn. */
bool tide_once_runs(struct tide_once *once, struct tide_task *task);

/* The task, whose turn it is, has made the call: takes over the values, and wakes all who wait. */
void tide_once_finish(struct tide_once *once, struct tide_message *values);

/* Whoever has the turn will not complete the call: the turn goes to the first who waits. Nothing where it is done. */
void tide_once_fail(struct tide_once *once);

/* For the wait graph: whose turn it is, or NULL. */
struct tide_task *tide_once_runner(struct tide_once *once);

/* And its words: "a once, which 'load' runs". */
void tide_once_describe(struct tide_once *once, struct tide_strbuf *out);

#endif
