/* queue.h - items on their way from tasks to tasks: first in first out, last in first out, or smallest priority first.
 *
 * What moves is a batch: a row of items of the caller's, of which the first `done` have been moved. A wait is cut in three, as
 * in event.h; enqueue moves nothing, so until somebody claims the waiter nothing has been moved for it:
 *
 *     tide_queue_get(q, &batch)                  0: all places filled
 *     tide_wait_begin(task)
 *     tide_queue_enqueue_get(q, w, task, …)      1: something can be had: tide_wait_abandon, and again
 *     tide_wait_commit, park, tide_wait_end
 *     tide_queue_leave(q, w)                     unless w was claimed
 *
 * Who changes the queue serves those who wait before it unlocks: it claims a getter and then moves items into its batch, claims
 * a putter and then moves items out of it, wakes those, and no others. So while anybody waits unclaimed
 *
 *     for an item    the queue is empty          for room    it is full          for the end    something is unfinished
 *
 * and a waiter that was woken has at least one item moved, or the queue was shut down.
 *
 * Used by   bindings/queue.c, bindings/select.c.
 * Threads   every function from any worker, by a caller that holds a reference; enqueue and leave by the waiting task's owner.
 * Owns      the items from the put that moved them in until the get that moves them out.
 * Lock      queue->lock, rank 30. Let go of where memory is wanted. Under it only waits are claimed.
 */
#ifndef TIDE_SYNC_QUEUE_H
#define TIDE_SYNC_QUEUE_H

#include "base/ring.h"
#include "sched/wait.h"
#include "sync/holder.h"
#include "sync/ranking.h"

#include <stdatomic.h>

enum tide_queue_order { TIDE_QUEUE_FIFO, TIDE_QUEUE_LIFO, TIDE_QUEUE_PRIORITY };

/* Items to be put, or places for items to be got. Those that are moved in or out stand for no value any more. */
struct tide_batch {
    struct tide_item *items;
    double *priorities;      /* beside them; NULL: all 0, or not asked for */
    size_t count, done;
};

struct tide_queue {
    struct tide_holder holder;
    /* fixed after init */
    enum tide_queue_order order;
    size_t maxsize;                /* SIZE_MAX: no limit */
    char *name;                    /* NULL: none */
    const char *wants[3];          /* what its waiters wait for, for reports; by enum tide_queue_want */
    struct tide_mutex lock;
    /* protected by lock; the atomic ones are read without, as hints */
    _Atomic size_t count;          /* items inside */
    _Atomic bool shut;
    size_t taken;                  /* got, and not told to be done */
    struct tide_ring ring;
    struct tide_ranking ranking;   /* instead of ring, where there are priorities */
    struct tide_list getters, putters, joiners;
};

enum tide_queue_want { TIDE_QUEUE_ITEM, TIDE_QUEUE_ROOM, TIDE_QUEUE_END };

extern const struct tide_class tide_queue_class, tide_lifo_queue_class, tide_priority_queue_class;

/* Whether the object is a queue of any order. */
bool tide_is_queue(const struct tide_object *object);

/* An empty queue with one reference, the caller's. `maxsize` 0: no limit. `name` may be NULL; it is copied. NULL: no memory. */
struct tide_queue *tide_queue_new(enum tide_queue_order order, size_t maxsize, const char *name);

/* Hints: they may be wrong by the time they are looked at. */
static inline size_t tide_queue_count(struct tide_queue *queue)
{
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

static inline bool tide_queue_full(struct tide_queue *queue)
{
    return tide_queue_count(queue) >= queue->maxsize;
}

static inline bool tide_queue_is_shut(struct tide_queue *queue)
{
    return atomic_load_explicit(&queue->shut, memory_order_relaxed);
}

/* Moves the rest of the batch in, as far as there is room. 0: all of it is in. TIDE_EAGAIN: the queue is full. TIDE_ESHUTDOWN,
 * TIDE_ENOMEM: no more goes in. What was not moved stays the caller's. */
int tide_queue_put(struct tide_queue *queue, struct tide_batch *batch);

/* Moves items out to the rest of the batch's places, as far as there are any. 0: at least one was moved by this call.
 * TIDE_EAGAIN: it is empty. TIDE_ESHUTDOWN: it is empty and remains so. */
int tide_queue_get(struct tide_queue *queue, struct tide_batch *batch);

/* Queue a waiter of the task's open wait. 0: queued, the caller must leave in the end. 1: no wait is needed: there is an item,
 * there is room, all is finished, or the queue is shut down; nothing was queued and nothing was moved. `batch` lives until the
 * wait is over, and is the wakers' until then; NULL for one place or item, which is waiter->item: enqueue_put takes the item to
 * put over from *item, and gives it back where it answers 1. After the wait it is there still if it was not moved in, and there
 * if one was moved out. */
int tide_queue_enqueue_get(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task,
                           struct tide_batch *batch);
int tide_queue_enqueue_put(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task,
                           struct tide_batch *batch, struct tide_item *item);
int tide_queue_enqueue_join(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task);

/* The wait is over: the waiter is on no list any more. Needless, and allowed, for the waiter by which the wait was won. */
void tide_queue_leave(struct tide_queue *queue, struct tide_waiter *waiter);

/* `count` items that were got are done; wakes those who wait for the end if nothing else is unfinished. TIDE_EINVAL: there are
 * not so many, nothing changed. */
int tide_queue_done(struct tide_queue *queue, size_t count);

/* Items that were put and are not done: those inside and those that were got. */
size_t tide_queue_unfinished(struct tide_queue *queue);

/* No more goes in: who waits for room, or in vain for an item, is woken. `drop`: what is inside is dropped and counts as done.
 * May be repeated. */
void tide_queue_shut(struct tide_queue *queue, bool drop);

#endif
