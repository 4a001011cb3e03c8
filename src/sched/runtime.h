/* runtime.h - the process-wide whole: workers, the shared queue of what is to be started, activity, the end of the run.
 *
 * Used by   exec (pushes entries), sched, bindings, cli.
 * Threads   init, run and fini on the process's first thread; the rest as each line says.
 * Locks     queue_lock rank 40; nothing is called under it.
 */
#ifndef TIDE_SCHED_RUNTIME_H
#define TIDE_SCHED_RUNTIME_H

#include "base/fifo.h"
#include "base/thread.h"
#include "sched/baton.h"
#include "sched/worker.h"

struct lua_Debug;

/* Something that can be started on any worker. Lives in a future or the like and must stay until it was started. */
struct tide_entry {
    struct tide_link link;
    /* Owner thread of `worker`, between two tasks: makes a task of it (tide_task_new, tide_worker_ready), or finds that it
     * was cancelled meanwhile. Takes care of its failures itself. */
    void (*start)(struct tide_entry *entry, struct tide_worker *worker);
};

/* What upper parts provide. All run on the worker's own thread. */
struct tide_engine {
    int (*open)(struct tide_worker *worker);                     /* makes worker->L; 0 or an error code */
    void (*close)(struct tide_worker *worker);                   /* closes it; no task is left */
    /* The task's coroutine has ended: status is that of lua_resume. Frees the task. */
    void (*ended)(struct tide_worker *worker, struct tide_task *task, int status);
    /* Between two tasks, at times: mend the state if it ran out of memory. */
    void (*tend)(struct tide_worker *worker);
    /* In the hook, inside the task: true if the due cancellation must not be raised at this point, but later. */
    bool (*holds)(struct lua_State *L, struct tide_cancel *scope);
    /* In the hook, inside the task: raises it. Does not return. */
    void (*raise)(struct lua_State *L, struct tide_cancel *scope);
    /* In the hook: puts the script's own hook back on L. */
    void (*restore_hook)(struct lua_State *L);
    /* The hook that stands for the script's own: a cut leaves it in place, sets worker->asked, and it calls
     * tide_preempt_slice. */
    void (*script_hook)(struct lua_State *L, struct lua_Debug *ar);
    /* Activity is nil and tasks wait: report and end the run. */
    void (*deadlock)(struct tide_runtime *runtime);
    /* On main: a signal of `pending` arrived (bit n - 1 for signal n), or the time limit passed (bit 63). */
    void (*signals)(struct tide_runtime *runtime, uint64_t pending);
};

struct tide_runtime_options {
    int workers;            /* >= 1, without main */
    int64_t timeout_ns;     /* of the whole run; 0: none */
    int64_t grace_ns;
    int64_t slice_ns;       /* how long a task may run while others wait; 0: 1 ms */
    bool yield_always;      /* debug: a scheduler yield at every VM instruction */
    size_t stack;           /* bytes of C stack of a worker; 0: 2 MiB */
    bool virtual_time;      /* one worker at a time and virtual time (baton.h), */
    uint64_t seed;          /* decided by this, */
    int64_t wall_ns;        /* from this instant on, ns since the epoch */
};

struct tide_runtime {
    /* fixed after init */
    struct tide_runtime_options options;
    struct tide_engine engine;
    struct tide_worker **workers;        /* [0] main, then options.workers more; those not started are zeroed */
    int64_t started_at;                  /* real time */
    struct tide_baton *baton;            /* virtual time; NULL: real */
    bool hooks_always;                   /* a count hook stays on while tasks run */

    /* any thread */
    _Atomic uint32_t started;            /* worker threads, without main */
    _Atomic uint32_t queued;             /* entries in the shared queue */
    _Atomic uint32_t idle;               /* workers that are parked, or about to be, and would take an entry */
    _Atomic uint32_t awake;              /* workers, main included, that are not: a spin is worth while CPUs are free */
    _Atomic uint32_t helping;            /* threads that are no workers and use a CPU now: the I/O thread */
    _Atomic uint32_t spinning;           /* workers that look for entries without sleeping: no need to wake another */
    uint32_t cpus;                       /* fixed */
    _Atomic uint32_t clock_asleep;       /* 1: the clock waits for a worker to become busy */
    _Atomic int64_t active;              /* see activity below */
    _Atomic uint32_t reporting;          /* 1: engine.deadlock reads the stacks of all; who wakes meanwhile holds still */
    _Atomic int64_t holds;               /* reasons for the program not to end */
    _Atomic int64_t daemons;             /* what the program's end cancels instead of waiting for it */
    _Atomic uint32_t stopping;           /* 1: workers leave their loop once they have no task */
    _Atomic uint32_t closing;            /* 1: the run is being shut down; nothing new may start */
    _Atomic uint32_t next_task_id;
    _Atomic int64_t grace_until;         /* the clock ends the process then; TIDE_NEVER: no end in sight */
    _Atomic uint64_t signals;            /* signals not yet handed to engine.signals */
    _Atomic int exit_code;               /* what the clock exits with */

    struct tide_mutex queue_lock;
    /* protected by queue_lock */
    struct tide_fifo entries;

    struct tide_mail signal_mail;        /* posts main; in the mailbox while signal_posted is 1 */
    _Atomic uint32_t signal_posted;
    struct tide_mail wake_mail;          /* posts main for nothing but to look; likewise */
    _Atomic uint32_t wake_posted;
    struct tide_mutex start_lock;        /* rank 10: starting of threads */
    _Atomic bool no_more_threads;        /* the system refused one; set under start_lock */
    pthread_t clock_thread;
    bool clock_started;
    struct tide_park clock_park;
    _Atomic uint32_t clock_ends;
    void *clock_views;                   /* the clock's, as is */
    bool timed_out;                      /* the clock's */
};

/* The one runtime of the process, NULL before init. Async-signal-safe. */
struct tide_runtime *tide_runtime_get(void);

/* Makes main the calling thread's worker and starts the clock. 0, TIDE_ENOMEM or TIDE_ETHREAD. */
int tide_runtime_init(struct tide_runtime *runtime, const struct tide_runtime_options *options,
                      const struct tide_engine *engine);

/* Any worker: begins the end of the run: nothing new starts, every task is cancelled, the grace begins; after it the clock ends
 * the process with `code`. The first call counts. */
void tide_runtime_shutdown(struct tide_runtime *runtime, int code);

/* Main: has every worker end once it has no task, and joins them. */
void tide_runtime_stop_workers(struct tide_runtime *runtime);

/* Main: stops and joins all workers and the clock, closes every state. No task is left. */
void tide_runtime_fini(struct tide_runtime *runtime);

/* Any worker: queues an entry for any worker but main, wakes or starts one. 0; TIDE_ETHREAD if no worker could be started at
 * all (nothing is queued then), with errno set. */
int tide_runtime_push(struct tide_runtime *runtime, struct tide_entry *entry);

/* As above, but before everything that is queued: somebody waits for it. */
int tide_runtime_push_front(struct tide_runtime *runtime, struct tide_entry *entry);

/* As tide_runtime_push, at the end of a task that made room for this entry: if the calling worker has nothing else to run it
 * keeps the entry for itself, so that a chain of short tasks costs neither lock nor wake-up. */
int tide_runtime_push_next(struct tide_runtime *runtime, struct tide_entry *entry);

/* Owner of `worker`: takes the next entry if the rule of placement lets it; NULL if not. */
struct tide_entry *tide_runtime_take(struct tide_runtime *runtime, struct tide_worker *worker);

/* Owner of `worker`: true if take would find an entry. */
bool tide_runtime_may_take(struct tide_runtime *runtime, struct tide_worker *worker);

/* Any worker: true if a worker that is not started or parked would take what is queued. */
bool tide_runtime_other_takes(struct tide_runtime *runtime);

/* With virtual time: true if the worker would take an entry, had it the baton: unless it is nested and others would. */
bool tide_runtime_takes_in_turn(struct tide_runtime *runtime, struct tide_worker *worker);

/* Any thread: wakes one worker that could take an entry, or starts one. */
void tide_runtime_wake_one(struct tide_runtime *runtime);

/* Any worker: something is queued; wakes one if that would help: nobody is looking already, and a CPU is free or all workers
 * sleep. Where it was wrong (an awake thread sits in a C call) the clock wakes one at its next look. */
void tide_runtime_nudge(struct tide_runtime *runtime);

/* Any thread: one reason more, or less, for the program to stay. The last one wakes main. */
void tide_runtime_hold(struct tide_runtime *runtime);
void tide_runtime_release(struct tide_runtime *runtime);

/* Whether some worker, main's apart, has a live task. */
bool tide_runtime_has_live(struct tide_runtime *runtime);

/* Any thread: one daemon more, or less. Main is woken, as it waits for those that it has cancelled. */
void tide_runtime_daemon_add(struct tide_runtime *runtime);
void tide_runtime_daemon_drop(struct tide_runtime *runtime);

/* ---- activity: the proof that nobody waits for ever ----
 * `active` counts what can still make something happen: each worker that is not parked, each parked one with a timer armed,
 * jobs, children, signal handlers. Who wakes a worker adds one for it before it gives up its own; so zero means that nothing
 * can ever happen again, and the one that took the last away reports. */
void tide_runtime_active_add(struct tide_runtime *runtime);
void tide_runtime_active_drop(struct tide_runtime *runtime);

/* A worker that has woken, before it touches its state: returns once no report is being made. */
void tide_runtime_hold_still(struct tide_runtime *runtime);

#endif
