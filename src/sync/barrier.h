/* barrier.h - a meeting point: who arrives waits until all parties are there, then all go on.
 *
 *     tide_wait_begin(task)
 *     switch (tide_barrier_arrive(b, w, task))
 *       TIDE_BARRIER_WAITS     tide_wait_commit, park, tide_wait_end; woken: tide_barrier_told(w) says what happened
 *                              else: tide_barrier_leave(b, w, how), which breaks it for the others
 *       TIDE_BARRIER_ACTS      the last one, and there is an action: it is to be run now, outside of any lock, and then
 *                              tide_barrier_pass or tide_barrier_fail, with the generation that tide_barrier_turn(w) says
 *       the rest               it is over: TIDE_BARRIER_PASSED for the last one, or why it is broken
 *
 * A generation ends when it passes, breaks or is reset. It passes only if all of its parties are still there when the last
 * one is: a waiter whose time-out or cancellation won breaks it, whoever of the two is first at the lock. While an action runs
 * its generation is complete: who comes then waits at the door (TIDE_BARRIER_AGAIN), has not arrived and so breaks nothing.
 *
 * Used by   bindings/barrier.c.
 * Threads   every function from any worker, by a caller that holds a reference; arrive and leave by the task's owner.
 * Owns      the action, an opaque message. A waiter belongs to its task.
 * Lock      barrier->lock, rank 30. Under it only waits are claimed.
 */
#ifndef TIDE_SYNC_BARRIER_H
#define TIDE_SYNC_BARRIER_H

#include "base/message.h"
#include "base/object.h"
#include "base/thread.h"
#include "sched/wait.h"

#include <stdbool.h>
#include <stdint.h>

enum tide_barrier_outcome {
    TIDE_BARRIER_WAITS,     /* queued */
    TIDE_BARRIER_ACTS,      /* the caller has to run the action */
    TIDE_BARRIER_PASSED,    /* all were there */
    TIDE_BARRIER_AGAIN,     /* the door is open: arrive anew */
    TIDE_BARRIER_RECURSES,  /* the caller runs the action of this barrier */
    /* broken: because */
    TIDE_BARRIER_TIMED_OUT, /* a waiter's time was over */
    TIDE_BARRIER_CANCELLED, /* a waiter was cancelled */
    TIDE_BARRIER_FAILED,    /* the action raised */
    TIDE_BARRIER_ABORTED,   /* somebody said so */
    TIDE_BARRIER_RESET,     /* told to who waited then; the barrier itself is whole again */
};

struct tide_barrier {
    struct tide_object object;
    /* fixed */
    uint32_t parties;
    double timeout;              /* seconds, for waits without a limit of their own; INFINITY: none. The bindings read it */
    struct tide_message *action; /* NULL: none */

    struct tide_mutex lock;
    /* protected by lock */
    enum tide_barrier_outcome broken; /* why, or TIDE_BARRIER_WAITS while it is whole */
    uint64_t generation;              /* goes up where one ends */
    uint32_t arrived;                 /* of this generation */
    struct tide_task *actor;          /* runs the action of this generation, or NULL */
    struct tide_list waiters;         /* of this generation, in order of arrival */
    struct tide_list door;            /* who came while the action ran */
};

extern const struct tide_class tide_barrier_class;

/* A barrier for `parties` >= 1, with one reference, the caller's. Takes over `action`, also on failure. NULL: out of memory. */
struct tide_barrier *tide_barrier_new(uint32_t parties, double timeout, struct tide_message *action);

/* The task arrives: see above. waiter->index becomes its number in the generation, 1 to parties, 0 at the door. */
enum tide_barrier_outcome tide_barrier_arrive(struct tide_barrier *barrier, struct tide_waiter *waiter, struct tide_task *task);

/* What a waiter was woken with: PASSED, AGAIN, or why it broke. */
static inline enum tide_barrier_outcome tide_barrier_told(const struct tide_waiter *waiter)
{
    return (enum tide_barrier_outcome)waiter->item.as.integer;
}

/* The generation whose action the one who arrived last has to run. */
static inline uint64_t tide_barrier_turn(const struct tide_waiter *waiter)
{
    return (uint64_t)waiter->item.as.integer;
}

/* A wait that was queued ended otherwise: the waiter is on no list any more, and its generation, if still there, broken. */
void tide_barrier_leave(struct tide_barrier *barrier, struct tide_waiter *waiter, enum tide_wait_state how);

/* The action of that generation has been run: PASSED, and all go on; or why it has ended otherwise meanwhile. */
enum tide_barrier_outcome tide_barrier_pass(struct tide_barrier *barrier, uint64_t generation);

/* The action of that generation will not be completed: breaks it, for FAILED or CANCELLED. Nothing where it has ended. */
void tide_barrier_fail(struct tide_barrier *barrier, uint64_t generation, enum tide_barrier_outcome why);

/* Breaks it, until it is reset. */
void tide_barrier_abort(struct tide_barrier *barrier);

/* Whole and empty again; who waits is told that it was reset. */
void tide_barrier_reset(struct tide_barrier *barrier);

/* How many have arrived and wait, and whether it is broken, at this moment. */
uint32_t tide_barrier_waiting(struct tide_barrier *barrier);
bool tide_barrier_broken(struct tide_barrier *barrier);

#endif
