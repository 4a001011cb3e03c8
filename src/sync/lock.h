/* lock.h - locks that belong to the task that took them, plain and recursive, and the side queues of conditions.
 *
 * One word holds the owner and three marks, so that taking a free lock and releasing one that nobody waits for are one
 * compare-and-swap each. Who finds it taken queues under the lock's mutex. A release that finds waiters wakes the first, which
 * then competes with newcomers; only one such competitor is under way at a time, and one that loses goes back to the front of
 * the queue. But a waiter that has waited for a millisecond is handed the lock: the release makes it the owner as it claims its
 * wait.
 *
 *     how = tide_lock_try(lock, task)                 TAKEN: done. HELD: go on
 *     tide_wait_begin(task)
 *     how = tide_lock_enqueue(lock, w, task, sort)    TAKEN: it is ours after all: tide_wait_abandon
 *     tide_wait_commit, park, tide_wait_end
 *     woken: how = tide_lock_resume(lock, w, task)    HELD: it went to somebody else: from the second line again, as LOST; or,
 *                                                     where the time is over, tide_lock_pass_on
 *     else tide_lock_leave(lock, w)
 *
 * A task that ends with locks in its hands abandons them: all who wait are woken, and every attempt says ABANDONED until
 * tide_lock_reset. docs/internals/locks.md tells the whole story.
 *
 * Used by   bindings/lock.c, bindings/condition.c, sync/condition.c; bindings/call.c (abandoning).
 * Threads   "task" is the calling task: its worker's thread. The rest any thread with a reference.
 * Owns      a lock whose last reference goes while it is held lives on until its owner ends: counting a reference at each take
 *           would cost as much as taking it. A waiter belongs to the task that waits.
 * Lock      lock->mutex, rank 30; under it waits are claimed, nothing else is called.
 */
#ifndef TIDE_SYNC_LOCK_H
#define TIDE_SYNC_LOCK_H

#include "base/object.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "sched/graph.h"
#include "sched/wait.h"

#include <stdatomic.h>
#include <stdbool.h>

/* The name of a source file as locks remember it: in words, as other threads may read it at any time. */
enum { TIDE_LOCK_FILE_WORDS = 8 };
struct tide_lock_file {
    int count; /* of words in use, the NUL included */
    uint64_t words[TIDE_LOCK_FILE_WORDS];
};

struct tide_lock {
    struct tide_object object;
    _Atomic uintptr_t word;    /* the owning task, and marks: see lock.c */
    /* the owner's */
    struct tide_list link;     /* in task->held */
    uint64_t depth;            /* how often it was taken, at least 1 */
    struct tide_mutex mutex;
    bool recursive;            /* fixed */
    /* written by the owner, read by reports; on a cache line that stays shared while the same line takes it again and again */
    _Atomic int line;          /* where it was taken; 0: not told yet */
    _Atomic uint64_t file[TIDE_LOCK_FILE_WORDS];
    /* protected by mutex */
    struct tide_list waiters;  /* item: an integer, since when it waits */
    struct tide_list sides;    /* of struct tide_lock_side */
    char *story;               /* while abandoned: by whom; NULL: memory was short */
    char *name;                /* fixed; NULL: none */
};

/* Waiters that stand aside, and are woken where the lock is abandoned: those of a condition. */
struct tide_lock_side {
    struct tide_list link;     /* in lock->sides */
    struct tide_list waiters;  /* under the lock's mutex */
};

enum tide_lock_outcome {
    TIDE_LOCK_TAKEN = 0,
    TIDE_LOCK_HELD,            /* by another task */
    TIDE_LOCK_OWN,             /* by this one, and it is not recursive */
    TIDE_LOCK_ABANDONED,
};

/* How a waiter comes to the queue. */
enum tide_lock_waiting {
    TIDE_LOCK_NEWCOMER,
    TIDE_LOCK_LOST,            /* was woken, and somebody else was faster: to the front, with its old time */
    TIDE_LOCK_DISTURBED,       /* its wait was interrupted, and it waits again: likewise */
};

extern const struct tide_class tide_lock_class;
extern const struct tide_edge_class tide_lock_edge;

/* A free lock with one reference, the caller's. `name`, for reports, is copied and may be NULL. NULL: out of memory. */
struct tide_lock *tide_lock_new(bool recursive, const char *name);

/* The task that holds it, NULL: none. Whether it still does, only the caller's own task knows. */
struct tide_task *tide_lock_owner(const struct tide_lock *lock);

/* True if it could not be taken now: held or abandoned. */
static inline bool tide_lock_locked(struct tide_lock *lock)
{
    /* above the two marks that say nothing of it: see lock.c */
    return atomic_load_explicit(&lock->word, memory_order_relaxed) > 3;
}

/* ---- taking ---- */

/* The word says that it is the task's, which runs: for this header and lock.c. */
static inline void tide_lock_own(struct tide_lock *lock, struct tide_task *task)
{
    lock->depth = 1;
    tide_list_append(&task->held, &lock->link);
}

/* One compare-and-swap. Never waits. */
enum tide_lock_outcome tide_lock_try_taken(struct tide_lock *lock, struct tide_task *task);
static inline enum tide_lock_outcome tide_lock_try(struct tide_lock *lock, struct tide_task *task)
{
    uintptr_t word = 0;
    /* acquire: pairs with the release by which the last owner let go; release: with the look at the owner in spin */
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &word, (uintptr_t)task, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return tide_lock_try_taken(lock, task);
    tide_lock_own(lock, task);
    return TIDE_LOCK_TAKEN;
}

/* The same for a lock that was HELD: tries for some microseconds, as long as the owner runs on another CPU. */
enum tide_lock_outcome tide_lock_spin(struct tide_lock *lock, struct tide_task *task);

/* The task's wait is open. TAKEN, ABANDONED: nothing was queued. HELD: it was queued, the caller must resume or leave. Not for
 * a plain lock that the task itself holds. */
enum tide_lock_outcome tide_lock_enqueue(struct tide_lock *lock, struct tide_waiter *waiter, struct tide_task *task,
                                         enum tide_lock_waiting how);

/* The wait was won by a waker. HELD: the caller must wait again as LOST, or pass on. */
enum tide_lock_outcome tide_lock_resume(struct tide_lock *lock, struct tide_task *task);

/* After HELD: it will not wait again; the next release wakes another. */
void tide_lock_pass_on(struct tide_lock *lock);

/* The wait was not won by a waker. */
void tide_lock_leave(struct tide_lock *lock, struct tide_waiter *waiter);

void tide_lock_file_set(struct tide_lock_file *file, const char *name);

/* Owner: remembers where it took it, for reports. */
static inline void tide_lock_note(struct tide_lock *lock, const struct tide_lock_file *file, int line)
{
    for (int i = 0; i < file->count; i++)
        if (atomic_load_explicit(&lock->file[i], memory_order_relaxed) != file->words[i])
            atomic_store_explicit(&lock->file[i], file->words[i], memory_order_relaxed);
    if (atomic_load_explicit(&lock->line, memory_order_relaxed) != line)
        atomic_store_explicit(&lock->line, line, memory_order_relaxed);
}

/* ---- letting go ---- */

/* Once. False, and nothing happened: the task does not hold it. Cannot fail otherwise. */
bool tide_lock_release(struct tide_lock *lock, struct tide_task *task);

/* Owner: however often it was taken; returns how often, for restore. */
uint64_t tide_lock_release_all(struct tide_lock *lock, struct tide_task *task);

/* Owner, who has taken it once: as if `depth` times. */
static inline void tide_lock_restore(struct tide_lock *lock, uint64_t depth)
{
    lock->depth = depth;
}

/* The task has ended, or what it was called for has: what it still holds is abandoned, and who waits for it is woken. */
void tide_lock_abandon_held(struct tide_task *task);
static inline void tide_lock_abandon_all(struct tide_task *task)
{
    if (!tide_list_empty(&task->held))
        tide_lock_abandon_held(task);
}

/* An abandoned lock becomes free: true. Any other stays as it is: false. */
bool tide_lock_reset(struct tide_lock *lock);

/* ---- for conditions ---- */

void tide_lock_side_add(struct tide_lock *lock, struct tide_lock_side *side);
void tide_lock_side_remove(struct tide_lock *lock, struct tide_lock_side *side);

/* ---- for reports ---- */

/* Appends "lock 'jobs'", or "lock" where it has no name. */
void tide_lock_describe_name(struct tide_lock *lock, struct tide_strbuf *out);

/* Appends how it stands: "free", "held by 'fetch (x.lua:3)', taken at x.lua:7", "abandoned: …". */
void tide_lock_describe(struct tide_lock *lock, struct tide_strbuf *out);

#endif
