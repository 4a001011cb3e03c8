/* thread.h - tasks with a name, and the registry of those that run: the core of tm.thread.
 *
 * A thread is a future with a name, an id and the choice whether the program waits for it. It needs no slot: started, it is
 * queued for any worker at once. Its owner is the one registry of the process, which knows it until it ends.
 *
 *     new --start--> started --> as its future goes: running, then done | failed | cancelled
 *      |
 *      +---cancel--> withdrawn, its future cancelled; never starts
 *
 * What runs without a thread of its own (the main chunk, a task of an executor or a scope, a callback) is told of by a thread
 * that stands for it: it has a name and an id, lives as long as that task, and its future is nobody's.
 *
 * Failures  one that nobody asks for is told to tide_thread_failed, once: before those who join are woken, so that they come
 *           after it; or, where somebody asked and then went away, at once when that one leaves.
 * Used by   bindings/thread.c, excepthook.c, program.c.
 * Threads   any worker, by a caller that holds a reference, unless a function says otherwise.
 * Owns      its names. While started it has the run's reference (future.h); one that is no daemon holds the runtime.
 * Lock      that of the registry, rank 23. Under it the runtime is held, and nothing is called.
 */
#ifndef TIDE_EXEC_THREAD_H
#define TIDE_EXEC_THREAD_H

#include "sync/future.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tide_thread_phase {
    TIDE_THREAD_NEW = 0,
    TIDE_THREAD_STARTED,
    TIDE_THREAD_WITHDRAWN, /* cancelled before its start */
    TIDE_THREAD_STANDS,    /* for a task that is no thread's, and runs */
    TIDE_THREAD_STOOD,     /* that task has ended */
};

struct tide_thread_name; /* one that it has or had: a reader without a lock may still look at it */

struct tide_thread {
    struct tide_future future; /* first; its class is tide_thread_class */
    _Atomic(struct tide_thread_name *) name;
    _Atomic uint32_t askers;   /* tasks that wait for the outcome, and so will be told of a failure */
    _Atomic uint32_t id;       /* that of its task; 0 before it is started */
    _Atomic uint8_t phase;     /* enum tide_thread_phase; leaves NEW under the lock */
    _Atomic bool daemon;       /* fixed once started */
    bool collected;            /* bindings: fields were written back; the maker's */
};

extern const struct tide_class tide_thread_class;

/* Told of a failure that nobody asked for, on any worker, outside locks, with a reference that the caller keeps. The future's
 * result and error are there; it may be about to complete. Set once at the start, may be NULL. */
extern void (*tide_thread_failed)(struct tide_thread *thread);

/* ---- life ---- */

/* One that is not started, without call and name; one reference, the caller's. NULL: out of memory. */
struct tide_thread *tide_thread_new(void (*start)(struct tide_entry *entry, struct tide_worker *worker), bool daemon);

/* One that stands for a task that runs, under its name and id. */
struct tide_thread *tide_thread_stand(const char *name, uint32_t id);

/* The task has ended. */
void tide_thread_stood(struct tide_thread *thread);

static inline void tide_thread_ref(struct tide_thread *thread)
{
    tide_object_ref(&thread->future.object);
}

static inline void tide_thread_unref(struct tide_thread *thread)
{
    if (thread)
        tide_object_unref(&thread->future.object);
}

/* The thread that a future is the beginning of, NULL: it is another's. */
static inline struct tide_thread *tide_thread_of(struct tide_future *future)
{
    return future && future->object.class == &tide_thread_class ? (struct tide_thread *)(void *)future : NULL;
}

/* ---- before the start ---- */

/* Copies the name. 0; TIDE_EAGAIN: it is not new any more; TIDE_ENOMEM. */
int tide_thread_set_name(struct tide_thread *thread, const char *name);

/* "Thread-7 (fetch)", with the next number and the name of a function for reports. The same results. */
int tide_thread_name_after(struct tide_thread *thread, const char *function);

/* 0; TIDE_EAGAIN: it is not new any more. */
int tide_thread_set_daemon(struct tide_thread *thread, bool daemon);

/* Registers and queues it, with the run's reference. 0; TIDE_EAGAIN: it was started before; TIDE_ECANCELED: withdrawn. If the
 * system starts no worker it fails, with a text. */
int tide_thread_launch(struct tide_thread *thread);

/* ---- asking ---- */

/* Lives as long as the thread; "?" where none was given. */
const char *tide_thread_name(struct tide_thread *thread);

static inline enum tide_thread_phase tide_thread_phase(struct tide_thread *thread)
{
    return (enum tide_thread_phase)atomic_load(&thread->phase);
}

/* Started and not ended, or standing for a task that runs. */
bool tide_thread_is_alive(struct tide_thread *thread);

/* ---- its end ---- */

/* New: withdraws it. Started: as tide_future_cancel. False where it stands for another's task. */
bool tide_thread_cancel(struct tide_thread *thread);

/* Around a wait for the outcome: whoever asks will have the failure. After a leave without an answer a failure that came
 * meanwhile is told. */
void tide_thread_ask(struct tide_thread *thread);
void tide_thread_answered(struct tide_thread *thread);
void tide_thread_gave_up(struct tide_thread *thread);

/* ---- the registry ---- */

/* Started and unfinished ones. */
size_t tide_threads_count(void);

/* Writes at most `room` of them, oldest first, each with a reference, the caller's; returns how many there are. */
size_t tide_threads_list(struct tide_thread **out, size_t room);

#endif
