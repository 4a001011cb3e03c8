/* task.h - a task: one coroutine on one worker, and the state word of its waits.
 *
 * Used by   sched (all), sync and exec (as waiters and owners), bindings (one per coroutine).
 * Threads   "owner" below is the thread of task->worker. Fields marked atomic may be touched by any thread; everything
 *           else by the owner alone.
 * Memory    type-stable: tasks come from their worker's free list and go back to it, never to the C heap before the
 *           runtime ends. So a stale pointer still points to a task, and a number tells whether to the same wait.
 */
#ifndef TIDE_SCHED_TASK_H
#define TIDE_SCHED_TASK_H

#include "base/heap.h"
#include "base/item.h"
#include "base/list.h"
#include "base/object.h"
#include "sched/cancel.h"
#include "sched/mailbox.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lua_State;
struct tide_worker;
struct tide_task;

/* A place in the FIFO of one object. Lives in the waiting task or in memory that the wait keeps. */
struct tide_waiter {
    struct tide_list link;    /* in the object's FIFO, under the object's lock */
    struct tide_task *task;
    struct tide_item item;    /* what it offers, or what the waker took for it: the waker's from the claim to the post */
    union {                   /* what the object keeps with it; tide_wait_on leaves it alone */
        void *more;
        uint32_t index;
    };
};

enum tide_timer_kind { TIDE_TIMER_WAIT = 1, TIDE_TIMER_SCOPE, TIDE_TIMER_GRACE, TIDE_TIMER_ALARM, TIDE_TIMER_OTHER };

enum tide_task_flags {
    TIDE_TASK_BURIED = 1,     /* waits inside a nested loop, on the C stack of its worker */
    TIDE_TASK_MAIN = 2,       /* the script's main chunk */
    TIDE_TASK_DAEMON = 4,     /* the program's end does not wait for it */
    TIDE_TASK_RISEN = 8,      /* buried, and its wait is over */
    TIDE_TASK_GRACE_OVER = 16,/* the grace of its cancellation has ended: every wait and slice raises */
    TIDE_TASK_LOCALS = 32,    /* bindings keep values for it (bindings/locals.h) */
    TIDE_TASK_OUTSIDE = 64,   /* counted in baton->outside: waits for input or output, */
    TIDE_TASK_NETWORK = 128   /* and in baton->network: from other machines */
};

/* What a waiting task waits for, as the wait graph sees it (sched/graph.h). */
struct tide_edge {
    const struct tide_edge_class *class; /* NULL: no edge published */
    struct tide_object *object;
};

struct tide_task {
    /* what a stale pointer may lead others to read: goes on over reuse (tide_task_free leaves no edge) */
    _Atomic uint64_t wait;          /* state word, see sched/wait.h */
    struct tide_edge edge;          /* under the graph's lock */
    struct tide_task *above;        /* under the graph's lock: this one is buried on its C stack under that one */
    struct tide_worker *worker;     /* fixed: records go back to the worker that made them */
    /* from here on set anew for each task */
    struct tide_mail mail;          /* in a mailbox, then in a run queue; in at most one of them */
    struct lua_State *L;            /* base coroutine */
    struct lua_State *inner;        /* innermost coroutine at the last yield to the scheduler */
    struct lua_State *settles;      /* a coroutine whose slice was cut: the hook that did it comes off when it goes on */
    struct tide_waiter waiter;      /* for waits on one object */
    struct tide_waiter *claimed;    /* the one by which the last wait was won; set by the waker */
    struct tide_timer timer;        /* the wait's deadline */
    struct tide_timer grace;        /* end of the grace of a delivered cancellation */
    struct tide_cancel root;        /* the cancellation scope of the whole task */
    struct tide_cancel *scope;      /* innermost scope; &root at least */
    struct tide_cancel *unwinding;  /* the scope whose cancellation travels through the stack, or NULL */
    uint32_t deliveries;            /* cancellations raised so far: protected calls compare it */
    uint8_t shield;                 /* depth of tm.shield */
    uint8_t flags;
    _Atomic uint8_t attention;      /* some scope was cancelled: look (set by any thread) */
    struct tide_list live;          /* in worker->live */
    struct tide_list held;          /* locks that it owns (sync/lock.h); owner */
    struct tide_list keys;          /* locks on keys of dictionaries that it has (sync/dict_lock.h); owner */
    const char *waits_for;          /* of the present wait, for reports: "an event"; NULL: the edge says it */
    const void *kind;               /* bindings: what sort of call it runs, */
    void *work;                     /* and which */
    const char *(*name)(struct tide_task *); /* for reports; NULL: "main" or "task" */
    void (*on_block)(struct tide_task *);    /* told once before the task's next wait that blocks; NULL: nobody */
    int32_t slot;                   /* anchor of the coroutine in its state */
    uint32_t id;                    /* 1, 2, … over the whole run */
};

/* Owner thread, inside the worker: a fresh task with the given coroutine, live, not queued. NULL: out of memory. */
struct tide_task *tide_task_new(struct tide_worker *worker, struct lua_State *L);

/* Owner thread: the task has ended; it waits for nothing and is in no queue. Its memory goes to the free list. */
void tide_task_free(struct tide_task *task);

/* The name for messages: what task->name says, else "main" or "task N" (static buffer of the calling thread). */
const char *tide_task_name(struct tide_task *task);

#endif
