/* dict_lock.h - a task's lock on one key of a dictionary.
 *
 * It is no mutex: who has it may wait and compute at leisure, and who wants it waits as a task. Only what changes a key needs
 * it; reading never does. Locks exist while somebody has or wants them, so a key that was locked leaves nothing behind.
 *
 *     tide_dict_lock_try(dict, key, task, hold)        0: the task has it
 *     tide_wait_begin(task)                            TIDE_EAGAIN: another task has it
 *     tide_dict_lock_queue(…)                          1: queued; 0: has it after all: tide_wait_abandon
 *     tide_wait_commit, park, tide_wait_end
 *     tide_dict_lock_decided(hold, waiter, how)        whoever won
 *     …
 *     tide_dict_lock_store(hold, value, old)           stores what comes of it, and releases
 *     tide_dict_lock_release(hold)                     or releases with the value as it was
 *
 * A release claims the first who waits, then makes it the owner. On its way it serves those who only want a value (they
 * compute one if there is none) with the value that stands now, all at once.
 *
 * Used by   bindings/dict_update.c; bindings/call.c (tasks that end).
 * Threads   a hold belongs to the worker of its task, every function by that worker; `_edge` by any.
 * Owns      a hold has a reference to its lock, and the lock one to its dictionary.
 * Lock      the shard's, rank 30. Nothing is called back while it is held.
 */
#ifndef TIDE_SYNC_DICT_LOCK_H
#define TIDE_SYNC_DICT_LOCK_H

#include "sched/graph.h"
#include "sched/wait.h"
#include "sync/dict.h"

struct tide_dict_lock;

/* Zeroed is one that holds nothing. */
struct tide_dict_hold {
    struct tide_list link;        /* in task->keys while the task has the lock */
    struct tide_dict_lock *lock;  /* had or waited for; NULL: neither */
};

/* From a waiting task to the task that has the key. */
extern const struct tide_edge_class tide_dict_lock_edge;

/* The object of that edge. */
struct tide_object *tide_dict_lock_object(const struct tide_dict_hold *hold);

/* Takes the lock if it is free. TIDE_EAGAIN: another task has it. TIDE_EDEADLK: this task has it. TIDE_ENOMEM. */
int tide_dict_lock_try(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *task,
                       struct tide_dict_hold *hold);

/* Queues a waiter of the task's open wait: 1. Or the lock became free, and the task has it: 0. Fails as _try. `value_does`: the
 * waiter wants the lock only if the key is absent. */
int tide_dict_lock_queue(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *task,
                         struct tide_waiter *waiter, bool value_does, struct tide_dict_hold *hold);

/* The wait is over. True: the task has the lock. False: it was not woken, or was given a value: waiter->item, the caller's. */
bool tide_dict_lock_decided(struct tide_dict_hold *hold, struct tide_task *task, struct tide_waiter *waiter,
                            enum tide_wait_state how);

/* True if the hold's task has the lock. */
static inline bool tide_dict_lock_held(const struct tide_dict_hold *hold)
{
    return tide_list_linked(&hold->link);
}

/* The value of the locked key, with a reference for the caller. */
struct tide_item tide_dict_lock_value(const struct tide_dict_hold *hold);

/* Stores the value (none removes the key) and releases; what was there comes back in `old`. TIDE_ENOMEM: nothing happened,
 * and the lock is still held. */
int tide_dict_lock_store(struct tide_dict_hold *hold, struct tide_item *value, struct tide_item *old);

/* Releases the lock; a hold that has none stays so. */
void tide_dict_lock_release(struct tide_dict_hold *hold);

/* The task has ended: releases what it still has. */
void tide_dict_lock_release_all(struct tide_task *task);

#endif
