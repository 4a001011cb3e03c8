/* cancel.h - cancellation scopes: who may interrupt a task, how far the error travels.
 *
 * A scope is a stretch of a task's stack: the whole task (task->root), a tm.timeout, a tm.scope. Cancelling it marks it and
 * interrupts the task where it waits or computes; the task then raises one error in its innermost coroutine, which closes
 * what it passes and ends at the scope's frame. While it travels (task->unwinding) no second one is delivered, until the
 * grace has ended. The outermost cancelled scope wins. docs/internals/cancellation.md tells the whole story.
 *
 * Threads   scopes are linked and unlinked by the task's owner alone. tide_cancel_request may come from any thread that can
 *           prove that the scope lives: the future's lock for a task's root, the scope object's lock for a tm.scope, the
 *           owner thread for a deadline.
 */
#ifndef TIDE_SCHED_CANCEL_H
#define TIDE_SCHED_CANCEL_H

#include "base/heap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tide_task;
struct tide_worker;

enum tide_cancel_reason {
    TIDE_CANCEL_NONE = 0,
    TIDE_CANCEL_REQUESTED, /* somebody asked */
    TIDE_CANCEL_TIMEOUT,   /* the scope's deadline passed */
    TIDE_CANCEL_SIBLING,   /* another task of the same tm.scope failed */
    TIDE_CANCEL_SHUTDOWN,  /* the program ends */
    TIDE_CANCEL_MEMORY,    /* the state is rebuilt */
};

struct tide_cancel {
    struct tide_task *task;
    struct tide_cancel *outer;     /* NULL for a task's root */
    struct tide_timer timer;       /* its deadline */
    int64_t deadline;              /* TIDE_NEVER: none */
    _Atomic uint8_t reason;        /* enum tide_cancel_reason; set once, the first wins */
    bool delivered;                /* its error was raised; owner */
    uint8_t shield;                /* the task's shield depth where it began */
    uint32_t opened;               /* task->deliveries where it began */
    uint32_t number;               /* task->deliveries when it was delivered: what has a lower one lies on its way out */
    const void *home;              /* bindings: the coroutine whose stack has its frame */
    const void *mark;              /* bindings: the first value of that frame */
    int64_t held_since;            /* when a closer first held its delivery back; 0: none has */
    struct tide_cancel *suspended; /* what travelled when this one was delivered, resumed when it has arrived */
};

/* Owner: opens a scope inside the task's innermost one. With a deadline (else TIDE_NEVER) a timer is armed.
 * 0 or TIDE_ENOMEM (nothing was opened). */
int tide_cancel_open(struct tide_cancel *scope, struct tide_task *task, int64_t deadline);

/* Owner: closes a scope, in general the innermost; if its error was travelling it has arrived. One that is closed already, or
 * whose task has ended, stays so. */
void tide_cancel_close(struct tide_cancel *scope);

/* Owner: the task has ended; closes what it left open. */
void tide_cancel_close_all(struct tide_task *task);

/* Any thread (see above): asks. False if the scope was cancelled before. */
bool tide_cancel_request(struct tide_cancel *scope, enum tide_cancel_reason reason);

/* Owner: the scope whose cancellation is to be raised now, or NULL. */
struct tide_cancel *tide_cancel_due(struct tide_task *task);

/* Owner: marks `scope` as raised and starts its grace; the caller raises the error. */
void tide_cancel_deliver(struct tide_cancel *scope);

/* Owner: the earliest deadline of the open scopes, TIDE_NEVER: none. A wait under one is no edge of the wait graph. */
int64_t tide_cancel_deadline(const struct tide_task *task);

/* Owner: one of the task's timers for scopes or grace fired. */
void tide_cancel_expired(struct tide_cancel *scope);
void tide_cancel_grace_over(struct tide_task *task);

#endif
