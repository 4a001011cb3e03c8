/* worker.h - a worker: one thread, one Lua state, its run queues, its timers.
 *
 * Used by   sched; bindings (states, waits), exec (entries).
 * Threads   "owner" is the worker's thread. tide_worker_post and tide_worker_kick may be called from any.
 */
#ifndef TIDE_SCHED_WORKER_H
#define TIDE_SCHED_WORKER_H

#include "base/fifo.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "sched/baton.h"
#include "sched/mailbox.h"
#include "sched/task.h"

#include <pthread.h>
#include <signal.h>

struct lua_State;
struct tide_runtime;
struct tide_entry;

/* One of our own resumes that is under way, innermost first. Lives on the C stack of that resume. */
struct tide_frame {
    struct lua_State *L;        /* the coroutine that runs in it */
    struct tide_frame *outer;   /* NULL for a task's base */
    bool yieldable;             /* everything outside it lets a scheduler yield through */
    bool closing;               /* L is being closed: what runs in it are its closers */
};

enum tide_yield_reason { TIDE_YIELD_USER = 0, TIDE_YIELD_WAIT, TIDE_YIELD_SLICE };

enum tide_parked {
    TIDE_PARKED_NOT,
    TIDE_PARKED_COUNTED,   /* asleep or about to, still part of the runtime's activity: a timer will wake it */
    TIDE_PARKED_UNCOUNTED, /* asleep until somebody posts; who wakes it adds it to the activity again */
};

/* The hook that raises a due cancellation: where it stands (sched/preempt.c). */
struct tide_delivery {
    bool after_return;  /* a call returned since the last event: its result may not be in a <close> variable yet */
    int line;           /* of the last line event */
    int skips;          /* line events passed over for that reason */
};

/* A timer that is no task's: rung at home when it is due, and once more when the run ends before. */
struct tide_alarm {
    struct tide_timer timer;
    struct tide_list link;           /* in worker->alarms */
    void (*ring)(struct tide_alarm *alarm, struct tide_worker *worker);
};

struct tide_worker {
    /* fixed once started */
    struct tide_runtime *runtime;
    uint32_t index;                  /* 0: main */
    struct lua_State *L;             /* main thread of its state; replaced when the state is rebuilt */
    void *state;                     /* the bindings' record of the state (bindings/state.h) */
    pthread_t thread;                /* set by itself */
    pthread_t joinable;              /* set by who started it */
    char *stack_floor;               /* lowest usable address of the C stack, NULL unknown */

    /* owner */
    struct tide_fifo ready;          /* tasks that woke or are new */
    struct tide_entry *next;         /* what its last task left for it to start, or NULL */
    struct tide_fifo cut;            /* tasks whose slice ended, oldest first */
    struct tide_heap timers;
    struct tide_list live;           /* all its tasks */
    struct tide_list alarms;         /* those to ring when the run ends */
    struct tide_list free_tasks;
    struct tide_task *task;          /* the one that runs, NULL between tasks */
    enum tide_yield_reason yielded;  /* why the coroutine on top yields to the scheduler */
    struct tide_task *buried;        /* the innermost task that waits in a nested loop */
    uint32_t until_shared;           /* resumes left until it looks at the shared queue */
    int64_t shared_at;               /* when it last looked there while it had cut tasks */
    int64_t cut_since;               /* since when no task of `cut` has run */
    uint32_t lost_spins;             /* one after the other; see idle */
    bool user_hooks;                 /* debug.sethook was used in this state */
    struct tide_delivery delivery;
    enum tide_turn turn;             /* in a run with virtual time; whoever holds the baton reads it, and all of the above */

    /* owner, and the signal handler that interrupts it */
    _Atomic(struct tide_frame *) frame;
    volatile sig_atomic_t hook_busy; /* the handler must not touch hooks now */

    /* written by the owner, read by the clock and by other workers */
    _Atomic uint64_t turns;          /* resumes so far: unchanged between two looks means one long slice */
    _Atomic uint32_t busy;           /* 1 while a task runs */
    _Atomic(struct tide_task *) running; /* that task: is it worth to spin until it lets go of a lock? (sync/lock.c) */
    _Atomic uint32_t ready_count, cut_count;
    uint32_t daemon_runs;          /* of the live tasks: runs of timers that the program's end does not wait for */
    _Atomic uint32_t live_count;
    _Atomic uint32_t depth;          /* nested loops on its C stack: it takes no new tasks while others can */
    _Atomic int64_t next_due;        /* nearest timer */

    /* any thread */
    struct tide_mail shutdown;       /* posted once, when the run is shut down */
    struct tide_mailbox mail;
    struct tide_park park;
    _Atomic uint32_t parked;         /* enum tide_parked */
    _Atomic uint32_t takes;          /* 1: it is parked, or about to be, as one that would take an entry; set by itself */
    _Atomic uint32_t asked;          /* the running slice is to be cut: for hooks that look at it */
    _Atomic uint32_t attention;      /* some task of it has to be interrupted: the clock sees to it */
};

/* Owner: the calling thread's worker, NULL elsewhere. Async-signal-safe. */
struct tide_worker *tide_worker_current(void);
static inline bool tide_on_worker(const struct tide_worker *w)
{
    return tide_worker_current() == w;
}

/* Any thread: hands over mail and wakes the worker if it sleeps. Never fails. */
void tide_worker_post(struct tide_worker *worker, struct tide_mail *mail);

/* Any thread: cuts the running slice soon (a signal), so that a task on it sees what was asked of it. */
void tide_worker_kick(struct tide_worker *worker);

/* Owner: queues a task that can run; one that is buried rises instead, once the loops above it have ended. */
void tide_worker_ready(struct tide_worker *worker, struct tide_task *task);

/* Owner: arms and disarms timers of this worker. */
int tide_worker_timer_add(struct tide_worker *worker, struct tide_timer *timer, int64_t when);
void tide_worker_timer_remove(struct tide_worker *worker, struct tide_timer *timer);

static inline void tide_alarm_init(struct tide_alarm *alarm, void (*ring)(struct tide_alarm *, struct tide_worker *))
{
    *alarm = (struct tide_alarm){.timer.kind = TIDE_TIMER_ALARM, .ring = ring};
}

/* Owner: it is rung when the run ends; until it is closed. */
void tide_alarm_open(struct tide_alarm *alarm, struct tide_worker *worker);

/* Owner: rings once at `when`, TIDE_NEVER: not; instead of when it was set to before. 0 or TIDE_ENOMEM: it is not set. */
int tide_alarm_set(struct tide_alarm *alarm, struct tide_worker *worker, int64_t when);

/* Owner: rings no more. May be called again. */
void tide_alarm_close(struct tide_alarm *alarm, struct tide_worker *worker);

/* Owner: the run ends: rings all there are. */
void tide_worker_ring_all(struct tide_worker *worker);

/* Owner: runs tasks until done(arg) is true; the loop of a worker's thread and of main. */
void tide_worker_loop(struct tide_worker *worker, bool (*done)(void *arg), void *arg);

/* Owner, inside a task whose coroutines cannot yield and whose committed wait is open: serves the worker's other tasks until
 * that wait is decided and its mail has come. 0; TIDE_EAGAIN if the nesting or the C stack is exhausted, TIDE_EDEADLK if the
 * task buried below waits for this one (`cycle` tells how): then the wait is still open. */
int tide_worker_nest(struct tide_worker *worker, struct tide_strbuf *cycle);

/* Owner, likewise, where the wait was decided while nest refused: takes the mail, runs nothing, until the task's has come. */
void tide_worker_absorb(struct tide_worker *worker);

/* Owner: true if a scheduler yield from the running coroutine would pass through the whole chain. */
bool tide_worker_can_yield(struct tide_worker *worker);

/* ---- for runtime.c and tests that play a worker ---- */

void tide_worker_init(struct tide_worker *worker, struct tide_runtime *runtime, uint32_t index);
void tide_worker_fini(struct tide_worker *worker);

/* Makes `worker` the calling thread's. */
void tide_worker_bind(struct tide_worker *worker);

/* Any thread: wakes it if it is parked; false if it was not. */
bool tide_worker_unpark(struct tide_worker *worker);

#endif
