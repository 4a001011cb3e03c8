/* periodic.h - when a callback runs: once after a delay, on a grid of the monotonic clock, or at the instants of a calendar.
 *
 *     armed --due--> tick --calls->run--> running ... tide_periodic_ended --> armed again
 *       |                                                     |
 *       +---- stop, max_runs, max_failures, end of the run ---+--> retired, once nothing runs
 *
 * Grid      the k-th instant is start + k * interval, computed from the start each time: no drift over any time. Jitter moves
 *           a single tick, never the grid. A calendar (calls->next) says its instants by the wall clock; as that may be set,
 *           it is looked at again every few seconds.
 * Late      a tick that comes when later instants have passed too has missed them. What then happens is the catch-up: one run
 *           for all of them (`missed` counts the others), a run for each, or none, where the next instant is awaited.
 * Overlap   a tick that finds the last run still going is skipped, queued behind it, or runs beside it.
 *
 * Used by   bindings/timer.c.
 * Threads   home: the worker that made it. stop, wait and the figures from any worker, by a caller that holds a reference.
 * Owns      a reference of itself from start until it is retired; it holds the program until then unless it is a daemon.
 * Lock      periodic->lock, rank 30, for `retired` and the waiters.
 */
#ifndef TIDE_EXEC_PERIODIC_H
#define TIDE_EXEC_PERIODIC_H

#include "base/object.h"
#include "base/thread.h"
#include "sched/wait.h"
#include "sched/worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct tide_periodic;
struct tide_stretch;

enum tide_overlap { TIDE_OVERLAP_SKIP = 0, TIDE_OVERLAP_QUEUE, TIDE_OVERLAP_CONCURRENT };
enum tide_catch_up { TIDE_CATCH_UP_NONE = 0, TIDE_CATCH_UP_ONE, TIDE_CATCH_UP_ALL };

/* What a run is told. */
struct tide_tick {
    uint64_t number; /* 1, 2, … of this timer's runs */
    uint64_t missed; /* instants since the last run that had none of their own */
    double instant;  /* which one of the grid or calendar: seconds since the epoch */
    int64_t due;     /* ns of the monotonic clock: the same, and its jitter */
    double late;     /* seconds between that and the beginning of the run, which says it */
};

/* All at home. */
struct tide_periodic_calls {
    /* Queues a run, which ends with tide_periodic_ended. 0; TIDE_ENOMEM: it counts as one that failed. */
    int (*run)(struct tide_periodic *periodic, const struct tide_tick *tick);
    /* A calendar's first instant after `after`, seconds since the epoch; a value not above `after`: there is none any more.
     * NULL for the others. */
    double (*next)(struct tide_periodic *periodic, double after);
    /* Nothing runs and nothing will, or it goes and never started: lets go of `subject`. */
    void (*retired)(struct tide_periodic *periodic);
};

struct tide_periodic_options {
    int64_t delay;         /* ns until the first instant; none for a calendar */
    int64_t interval;      /* ns; 0: the first instant is the only one */
    int64_t jitter;        /* ns; each tick comes up to so much later, at random */
    enum tide_overlap overlap;
    enum tide_catch_up catch_up;
    uint64_t max_runs;     /* 0: no limit */
    uint64_t max_failures; /* in a row; 0: no limit */
    bool daemon;           /* the program's end does not wait for it */
};

struct tide_periodic {
    struct tide_object object;
    /* fixed */
    const struct tide_periodic_calls *calls;
    void *subject;
    struct tide_periodic_options options;
    struct tide_worker *home;
    /* home */
    struct tide_alarm alarm;
    struct tide_mail mail;   /* a stop that came from elsewhere */
    int64_t start;           /* of the grid: its first instant */
    uint64_t step;           /* which instant of the grid is next */
    double instant;          /* a calendar's next; seconds since the epoch */
    double wall;             /* a calendar's: the latest time that it has seen */
    bool corrected;          /* a calendar's: what comes next does not follow what is queued */
    uint64_t jitter_state;
    int64_t shift;           /* ns by which the next tick is later than its instant */
    uint32_t running;
    struct tide_stretch *queue; /* instants that wait for the run before them */
    uint32_t stretches, room;
    uint64_t pending_missed; /* since the last run, or the last that is queued */
    uint64_t failures_in_row;
    /* any thread; written at home */
    _Atomic uint64_t runs, failures, missed;
    _Atomic bool stopped;    /* no further run; any thread sets it */
    _Atomic bool revoked;    /* tide_periodic_stop was called: what is queued does not run either */

    struct tide_mutex lock;
    /* protected by lock */
    bool retired;
    struct tide_list waiters;
};

extern const struct tide_class tide_periodic_class;

/* One that has not started, with one reference, the caller's. NULL: out of memory. */
struct tide_periodic *tide_periodic_new(const struct tide_periodic_options *options, const struct tide_periodic_calls *calls,
                                        void *subject);

/* On the worker that becomes its home. 0; TIDE_ENOMEM, TIDE_ESHUTDOWN (the run is ending): it is as before. */
int tide_periodic_start(struct tide_periodic *periodic);

/* Home: a run that calls->run queued is about to begin; tick->late is set. False: it was stopped before; it does nothing, and
 * does not count. Either way tide_periodic_ended follows. */
bool tide_periodic_begin(struct tide_periodic *periodic, struct tide_tick *tick);

/* Home: a run that calls->run queued has ended. */
void tide_periodic_ended(struct tide_periodic *periodic, bool failed);

/* Any worker: no run begins from now on, not even one that is queued; one that is going on goes on. May be called again. */
void tide_periodic_stop(struct tide_periodic *periodic);

/* As for every object (event.h): waits until it is retired. 0: queued. 1: it is, nothing was queued. */
int tide_periodic_enqueue(struct tide_periodic *periodic, struct tide_waiter *waiter, struct tide_task *task);
void tide_periodic_leave(struct tide_periodic *periodic, struct tide_waiter *waiter);

#endif
