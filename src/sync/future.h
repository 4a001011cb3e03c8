/* future.h - the completion of one call: its state, its result, and all who want to know.
 *
 *     pending --begin--> running --finish--> done | failed | cancelled
 *        |
 *        +------cancel, drop---------------> cancelled | failed      and its entry, if queued, starts nothing
 *
 * An owner (an executor, a group) has it from its acceptance until one of two calls, exactly once: `dropped`, where it left
 * pending without running, or `finished`. The future counts on its owner to live so long, and forgets it then.
 *
 * References: the run has one, taken by the owner on acceptance. It travels with the entry: entry.start receives it and must
 * drop it, after tide_future_finish or where tide_future_begin refused. Handles have theirs.
 *
 * Used by   exec (owners), bindings (start, finish, handles), sync/watch.c.
 * Threads   any worker, by a caller that holds a reference, unless a function says "runner": the owner thread of the task that
 *           runs the future.
 * Owns      call, code, result and error, from the moment they are handed in. The result stays until the future is destroyed,
 *           and never changes once there: who has seen the future done may read it without a lock.
 * Lock      future->lock, rank 30. Under it only waits are claimed and a task's cancellation is requested.
 */
#ifndef TIDE_SYNC_FUTURE_H
#define TIDE_SYNC_FUTURE_H

#include "base/message.h"
#include "base/object.h"
#include "base/thread.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <stdatomic.h>
#include <stdbool.h>

struct tide_future;

enum tide_future_state {
    TIDE_FUTURE_PENDING = 0,
    TIDE_FUTURE_RUNNING,
    TIDE_FUTURE_DONE,
    TIDE_FUTURE_FAILED,
    TIDE_FUTURE_CANCELLED,
};

enum tide_future_marks {
    TIDE_FUTURE_OBSERVED = 1, /* somebody asked for the outcome, or was told */
    TIDE_FUTURE_IGNORED = 2,  /* nobody wants to be told of a failure */
    TIDE_FUTURE_ASKED = 4,    /* cancelling was asked for while it ran */
    TIDE_FUTURE_KEPT = 8,     /* some state keeps the decoded values, which have identity */
};

/* Where the future stands with its owner. */
enum tide_future_place { TIDE_FUTURE_NOWHERE = 0, TIDE_FUTURE_WAITS, TIDE_FUTURE_LAUNCHED };

struct tide_future_owner;

/* What an owner is told. All outside the future's lock, on the thread that caused it. */
struct tide_future_owner_calls {
    /* It was cancelled or failed while pending. An owner that had not launched it drops the run's reference. */
    void (*dropped)(struct tide_future_owner *owner, struct tide_future *future);
    /* Runner: it is about to complete; result and error are there, `state` is what it will be. Nobody was woken yet. May be
     * NULL. */
    void (*ending)(struct tide_future_owner *owner, struct tide_future *future, enum tide_future_state state);
    /* It ran and is complete. */
    void (*finished)(struct tide_future_owner *owner, struct tide_future *future);
    /* Somebody waits for it and it is pending: start it before others; `at_once`: even where no slot is free. May be NULL. */
    void (*hurry)(struct tide_future_owner *owner, struct tide_future *future, bool at_once);
    /* A task that the owner runs waits for others, and goes on. May be NULL, both. */
    void (*lend)(struct tide_future_owner *owner);
    void (*resume)(struct tide_future_owner *owner);
};

/* The beginning of an executor or a group. */
struct tide_future_owner {
    struct tide_object object;
    const struct tide_future_owner_calls *calls;
};

/* Fired once, when the future is complete, outside every lock, on the thread that completed it; or by the one that adds it to
 * a complete future. `fire` owns the callback's memory from then on. It may not block and runs no Lua. */
struct tide_future_callback {
    struct tide_list link;
    void (*fire)(struct tide_future_callback *callback, struct tide_future *future);
};

struct tide_future {
    struct tide_object object;
    struct tide_entry entry; /* queued for a start */
    /* fixed once submitted */
    struct tide_message *code; /* the function; keeps `name` alive. May be NULL */
    const char *name;          /* for messages, inside `code` or static. May be NULL */
    /* the submitter's, then the runner's, then nobody's */
    struct tide_message *call; /* what to call it with; see tide_future_take_call */

    struct tide_mutex lock;
    _Atomic uint8_t state; /* enum tide_future_state; changed under the lock, read without */
    _Atomic uint8_t marks; /* enum tide_future_marks; any thread */
    uint8_t place;         /* enum tide_future_place; under the owner's lock */
    /* protected by lock; result and error fixed once complete */
    struct tide_future_owner *owner; /* NULL: not accepted yet, or dropped, or finished */
    struct tide_task *task;          /* while running */
    struct tide_message *result;     /* the values, or the error value; may be NULL */
    char *error;                     /* a traceback, or the whole text where a failure has no value. May be NULL */
    struct tide_list waiters;
    struct tide_list callbacks;

    struct tide_list link; /* in a list of the owner, under the owner's lock */
};

extern const struct tide_class tide_future_class;

/* Told of each failed future that nobody asked, at the latest at its destruction; set once at the start, may be NULL. Called on
 * any worker, outside locks; must not keep the future. */
extern void (*tide_future_unobserved)(struct tide_future *future);

/* ---- life ---- */

/* A pending future with one reference, the caller's; `start` becomes that of its entry. NULL: out of memory. */
struct tide_future *tide_future_new(void (*start)(struct tide_entry *entry, struct tide_worker *worker));

/* The same for a future that is the first member of something larger, with a class of its own whose destroy calls fini. */
void tide_future_init(struct tide_future *future, const struct tide_class *class,
                      void (*start)(struct tide_entry *entry, struct tide_worker *worker));
void tide_future_fini(struct tide_future *future);

static inline struct tide_future *tide_future_ref(struct tide_future *future)
{
    tide_object_ref(&future->object);
    return future;
}

static inline void tide_future_unref(struct tide_future *future)
{
    if (future)
        tide_object_unref(&future->object);
}

/* ---- asking: one load each ---- */

static inline enum tide_future_state tide_future_state(struct tide_future *future)
{
    /* acquire: pairs with the release in future.c that completes it; the result is there */
    return (enum tide_future_state)atomic_load_explicit(&future->state, memory_order_acquire);
}

static inline bool tide_future_done(struct tide_future *future)
{
    return tide_future_state(future) >= TIDE_FUTURE_DONE;
}

/* Marks it: no failure of it needs to be reported. Asking for result or error observes, `ignore` ignores. */
void tide_future_mark(struct tide_future *future, enum tide_future_marks mark);

/* If it failed and nobody asked, tells tide_future_unobserved, once. */
void tide_future_report(struct tide_future *future);

/* ---- running it ---- */

/* Runner: pending becomes running, `task` runs it. TIDE_ECANCELED: it is complete already; the caller drops the run's
 * reference and starts nothing. */
int tide_future_begin(struct tide_future *future, struct tide_task *task);

/* Runner, after begin: hands the call's message over to the caller, so that it can go as soon as it is decoded. */
struct tide_message *tide_future_take_call(struct tide_future *future);

/* Runner, the task ended: completes it as done, failed or cancelled; wakes all who wait, fires the callbacks in the order they
 * were added, tells the owner. Takes result and error (tide_free), either may be NULL. `task` is forgotten when it returns.
 * One lock of its own. Cannot fail. */
void tide_future_finish(struct tide_future *future, enum tide_future_state state, struct tide_message *result,
                        char *error);

/* Completes a pending future without running it, as cancelled or failed, and tells its owner. False: it was not pending.
 * Takes `error` (tide_free, may be NULL) either way. */
bool tide_future_drop(struct tide_future *future, enum tide_future_state state, char *error);

/* ---- waiting for it ---- */

/* As for every object (event.h). 0: queued. 1: it is complete, nothing was queued. */
int tide_future_enqueue(struct tide_future *future, struct tide_waiter *waiter, struct tide_task *task);
void tide_future_leave(struct tide_future *future, struct tide_waiter *waiter);

/* The caller is about to wait for it: if it is pending its owner starts it before its other work; with `at_once` now, also
 * beyond the owner's number of slots. */
void tide_future_hurry(struct tide_future *future, bool at_once);

/* Runner of `future`: its task waits for another future, a thread or an executor, and so does not need its slot; and has it
 * again, at once. In pairs. Nothing happens where the owner has no slots. */
void tide_future_lend(struct tide_future *future);
void tide_future_resume(struct tide_future *future);

/* Adds a callback; where the future is complete it is fired before this returns. */
void tide_future_callback_add(struct tide_future *future, struct tide_future_callback *callback);

/* Takes back a callback that was added. True: it will not fire and is the caller's again. False: it has fired, or will. */
bool tide_future_callback_remove(struct tide_future *future, struct tide_future_callback *callback);

/* For the wait graph: the task that runs it, NULL where none does. Whether it still does, a second look must tell. */
struct tide_task *tide_future_task(struct tide_future *future);

/* ---- cancelling ---- */

/* Pending: cancelled and complete at once, it never starts: true. Running: its task is interrupted and the future is complete
 * when that has unwound, whichever way it ends: true, requested. Complete: true if it was cancelled, else false. */
bool tide_future_cancel(struct tide_future *future);

/* The same for shutdowns and siblings, who give another reason to a running task. */
bool tide_future_cancel_for(struct tide_future *future, enum tide_cancel_reason reason);

/* ---- for owners ---- */

/* Before it launches or lists a fresh future: makes `owner` the one that is told. Takes the run's reference. */
void tide_future_adopt(struct tide_future *future, struct tide_future_owner *owner);

/* Undoes adopt for a future that was not launched; the run's reference is dropped. */
void tide_future_disown(struct tide_future *future);

enum tide_future_launch {
    TIDE_LAUNCH_LAST,  /* behind what is queued */
    TIDE_LAUNCH_FIRST, /* before it: somebody waits */
    TIDE_LAUNCH_NEXT,  /* by the calling worker if it is free: its task ends and made room */
};

/* Outside locks: queues its entry for any worker. Hands the run's reference to the entry. Where the
 * system starts no worker the future is dropped as failed, with a text that says why. */
void tide_future_launch(struct tide_future *future, enum tide_future_launch where);

/* Calls act for each future whose link is in `list`, which `lock` guards; the lock is not held meanwhile, each future is.
 * Futures may leave the list at any time; those that come in are not visited. */
void tide_future_each(struct tide_mutex *lock, struct tide_list *list, void (*act)(struct tide_future *, void *),
                      void *arg);

#endif
