/* watch.h - several futures, taken as they complete: the core of as_completed, wait and gather.
 *
 * Used by   bindings/watch.c.
 * Threads   one consumer makes, takes and ends it; the futures complete on any thread.
 * Owns      a reference of each future it watches, and one of itself for each that has not completed.
 * Lock      watch->lock, rank 35. Under it only waits are claimed.
 */
#ifndef TIDE_SYNC_WATCH_H
#define TIDE_SYNC_WATCH_H

#include "sync/future.h"

struct tide_watch;

struct tide_watched {
    struct tide_future_callback callback; /* first: on the future, until it fires */
    struct tide_watch *watch;
    struct tide_future *future;
    struct tide_list link;                /* in watch->complete */
};

struct tide_watch {
    struct tide_object object;
    uint32_t count;                       /* of entries; fixed */
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_list complete;            /* entries that nobody has taken, in the order they completed */
    struct tide_list waiters;
    /* fixed but for their links */
    struct tide_watched entries[];
};

extern const struct tide_class tide_watch_class;

/* A watch over `count` futures, of each of which it takes a reference; one reference, the caller's. NULL: out of memory. Those
 * that are complete already are the first to be taken. */
struct tide_watch *tide_watch_new(struct tide_future *const *futures, uint32_t count);

/* Consumer: the index (from 0) of the next future that completed; -1: none now. */
int64_t tide_watch_take(struct tide_watch *watch);

/* As for every object (event.h). 0: queued. 1: one can be taken, nothing was queued. */
int tide_watch_enqueue(struct tide_watch *watch, struct tide_waiter *waiter, struct tide_task *task);
void tide_watch_leave(struct tide_watch *watch, struct tide_waiter *waiter);

/* Consumer, before it drops its reference: watches no more. */
void tide_watch_end(struct tide_watch *watch);

#endif
