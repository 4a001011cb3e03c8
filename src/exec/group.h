/* group.h - tasks that end before their scope does: the core of tm.scope.
 *
 * Children are futures without a limit on how many run. One that ended well is forgotten at once, so a million cost no more
 * than those alive. The first that fails is the root cause: its siblings are cancelled, and the owner too while it is inside
 * the scope. Failures stay, in the order they came, for the report. Cancelled children are no failures.
 *
 *     open     the owner's cancellation scope begins
 *     add ...  by the owner or by its children
 *     close    the owner's function has returned or raised; siblings no longer interrupt it
 *     wait     enqueue/leave until all children have ended, under whatever scope is outside
 *     cause    raise it, and the others with it
 *
 * Used by   bindings/scope.c.
 * Threads   open and close by the task inside the scope; the rest from any worker, by a caller that holds a reference.
 * Owns      one reference of each failed child, until its destruction. While children are outstanding it holds one on itself.
 * Lock      group->lock, rank 22. Under it waits are claimed and the owner's cancellation is requested.
 */
#ifndef TIDE_EXEC_GROUP_H
#define TIDE_EXEC_GROUP_H

#include "sync/future.h"

#include <stdbool.h>
#include <stdint.h>

struct tide_group {
    struct tide_future_owner owner; /* the object, first */
    struct tide_cancel scope;       /* the owner's; linked between open and close */

    struct tide_mutex lock;
    /* protected by lock */
    bool inside;          /* between open and close */
    bool cancelled;       /* takes no more children */
    uint64_t outstanding; /* children that have not ended */
    uint64_t failure_count;
    struct tide_list children; /* futures, place LAUNCHED */
    struct tide_list failures; /* futures, complete; the first is the root cause */
    struct tide_list waiters;  /* for outstanding == 0 */
};

extern const struct tide_class tide_group_class;

/* A group with one reference, the caller's. NULL: out of memory. */
struct tide_group *tide_group_new(void);

/* Owner: opens the cancellation scope in `task`, with a deadline or TIDE_NEVER. 0 or TIDE_ENOMEM (nothing was opened). If a
 * child has failed already the scope is cancelled at once. */
int tide_group_open(struct tide_group *group, struct tide_task *task, int64_t deadline);

/* Owner: closes it again; every open is followed by one close. */
void tide_group_close(struct tide_group *group);

/* Starts a fresh future as a child. 0; TIDE_ESHUTDOWN: the group was cancelled, the future is as it was. If the system starts
 * no worker the child fails, with a text. */
int tide_group_add(struct tide_group *group, struct tide_future *future);

/* Takes no more children and cancels those there are. Waits for nothing; may be called again. */
void tide_group_cancel(struct tide_group *group);

/* 0: queued. 1: no child is outstanding, nothing was queued. */
int tide_group_enqueue(struct tide_group *group, struct tide_waiter *waiter, struct tide_task *task);
void tide_group_leave(struct tide_group *group, struct tide_waiter *waiter);

/* The children that failed, oldest first: the one after `previous` (NULL: the root cause), NULL behind the last. Belongs to
 * the group. Failed children count as observed: who closes a scope raises them. */
struct tide_future *tide_group_failure(struct tide_group *group, struct tide_future *previous);

/* How many children have not ended. */
uint64_t tide_group_outstanding(struct tide_group *group);

#endif
