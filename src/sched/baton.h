/* baton.h - runs in which one worker runs at a time and time is virtual: the same seed, the same run (docs/virtual-time.md).
 *
 * Workers are threads as ever, but only the one that holds the baton runs. After each turn (a resume, or a look for work) it
 * draws the next holder among those that have something to do; slices end by count of instructions, at a drawn length. Where
 * nobody has anything to do input and output is let in, or else the clock moves on to the nearest timer.
 *
 * Used by   sched (worker.c, runtime.c, preempt.c), bindings (await.c: waits for I/O; virtual.c).
 * Threads   the worker that holds the baton; enter: before it does; wake: any.
 * Owns      runtime->baton, NULL in runs with real time. What lies in it needs no lock: the passing of the baton orders all.
 * Proof     docs/internals/virtual-time.md.
 */
#ifndef TIDE_SCHED_BATON_H
#define TIDE_SCHED_BATON_H

#include "base/fifo.h"
#include "base/list.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tide_runtime;
struct tide_task;
struct tide_worker;

/* Something that input or output has brought, or that is done. What waits for it does not learn of it yet. */
struct tide_arrival {
    struct tide_link link;
    uint64_t (*awaited)(struct tide_arrival *arrival); /* the number of the task that waits for it; 0: none does */
    void (*admit)(struct tide_arrival *arrival);       /* now it is there: wakes who waits. Called by the holder, once */
};

/* What a worker has to do with the baton. */
enum tide_turn {
    TIDE_TURN_NONE,   /* not started, or ended */
    TIDE_TURN_LOOP,   /* between two turns of its loop: it is given the baton if it finds something to do */
    TIDE_TURN_MIDWAY, /* in the midst of a slice, or new: it goes on whenever it is given the baton */
};

struct tide_baton {
    struct tide_runtime *runtime;
    _Atomic uint32_t holder;      /* index of the worker that has it */
    struct tide_park rest;        /* the holder sleeps here, in real time, while all wait for the outside */
    /* the holder's */
    uint64_t random;              /* decides who is next, and the lengths of slices */
    uint32_t outside;             /* tasks that wait for input or output, */
    uint32_t network;             /* and those of them that wait for other machines */
    uint32_t slow;                /* and those that the others do not wait for any more: nothing may ever come for them */
    struct tide_fifo seen;        /* of what has arrived: looked at, not let in yet */
    uint32_t manual;              /* > 0: the clock moves only by tide_baton_advance */
    int turn;                     /* instructions of this turn, */
    int64_t executed;             /* those since the clock last jumped, and what else counts as some, */
    int64_t restless;             /* and since all were last at rest */
    int64_t rested;               /* ns of real time slept since the clock last jumped, while tasks waited for I/O */
    int64_t gather_until;         /* real time: what came from outside is let in then; 0: nothing has come */
    struct tide_mutex lock;       /* rank 60, nothing is called under it */
    /* protected by lock */
    struct tide_fifo arrived;     /* and not looked at yet */
    _Atomic uint32_t arrived_count; /* both */
    /* the holder's */
    struct tide_list advances;    /* waiters of tide_baton_advance; item.as.integer: until when */
};

/* Main, before any other thread is there: time becomes virtual, main has the baton. 0 or TIDE_ENOMEM. */
int tide_baton_open(struct tide_runtime *runtime, uint64_t seed, int64_t wall_ns);

/* Main, when no worker is left. Does nothing where there is none. */
void tide_baton_close(struct tide_runtime *runtime);

/* A thread that was started with worker->turn midway, before its first step: waits for the baton. */
void tide_baton_enter(struct tide_worker *worker);

/* The holder: gives others their turn; returns when it has the baton again, at once where nobody else has anything to do. */
void tide_baton_pass(struct tide_worker *worker, enum tide_turn turn);

/* The holder, which will touch nothing that others see any more: hands the baton on for good. */
void tide_baton_leave(struct tide_worker *worker);

/* The holder executed so many instructions: moves the clock for it, if it has been many. True: let the slice end here. */
bool tide_baton_spend(struct tide_baton *baton, int instructions);

/* The holder: a random number. */
uint64_t tide_baton_draw(struct tide_baton *baton);

/* Any thread: mail came for some worker, or activity ended. */
void tide_baton_wake(struct tide_baton *baton);

/* The holder: the task is about to wait for input or output; its wait is over. */
void tide_baton_step_out(struct tide_baton *baton, struct tide_task *task, bool network);
void tide_baton_step_in(struct tide_baton *baton, struct tide_task *task);

/* Any thread: the holder lets it in, once all tasks are at rest: so nothing hangs on the moment. Until then whoever waits may
 * as well be cancelled. It is not handed over twice before it was let in. */
void tide_baton_arrive(struct tide_baton *baton, struct tide_arrival *arrival);

/* The holder: queues the task's open wait until the clock has come to `until` and everything due by then is at rest. After the
 * wait the task takes its waiter off the list. */
void tide_baton_advance(struct tide_baton *baton, struct tide_task *task, int64_t until);

#endif
