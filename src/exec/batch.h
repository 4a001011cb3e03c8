/* batch.h - a map over many items: batches of them run as one task each, fed lazily, taken in the order of the items.
 *
 * Sizes. A batch costs a task, an item should cost next to nothing. So batches begin with one item and double as long as a
 * whole one takes less than 200 us and none of its items waited, up to 4,096; near a known end they shrink, so that every
 * worker still has four to take. An item that waits must not hold up its neighbours: when the task of a batch is about to wait
 * for the first time (task->on_block), the items it has not begun are split off into a batch of their own, which the executor
 * starts before its other pending work; and new batches have one item again.
 *
 * Window. The consumer feeds while there is room: a fixed number of items where the script asked for one, else twice
 * max_workers items, or four batches for each worker, whichever is more.
 *
 *     consumer                                         runner, in entry.start and the task
 *     n = tide_map_room(map)                           tide_batch_begin(batch, task)
 *     encode at most n items; tide_map_feed            for each item: tide_batch_next, run it, collect what it returns
 *     tide_map_enqueue, wait, tide_map_leave             on_block: tide_batch_split
 *     batch = tide_map_take(map): decode its values    tide_batch_finish; tide_future_unref(&batch->future)
 *     in the end, always: tide_map_end                 (begin refused: tide_future_unref alone)
 *
 * Used by   bindings/map.c.
 * Threads   "consumer": the one task that iterates, one call at a time. "runner": the owner thread of the batch's task.
 * Owns      the map has a reference of each batch until it is taken or the map ends; each batch has one of its map. So a
 *           consumer that is done, or is collected, must call tide_map_end before it drops its reference.
 * Lock      map->lock, rank 24. Under it only waits are claimed.
 */
#ifndef TIDE_EXEC_BATCH_H
#define TIDE_EXEC_BATCH_H

#include "exec/executor.h"
#include "sync/future.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIDE_MAP_MAX_CHUNK = 4096 };

struct tide_map_options {
    struct tide_message *code;                                           /* the function, encoded once; referenced */
    const char *name;                                                    /* inside `code`; may be NULL */
    void (*start)(struct tide_entry *entry, struct tide_worker *worker); /* of each batch's entry */
    uint64_t total;                                                      /* how many items there are, 0: unknown */
    uint32_t chunk;                                                      /* items a batch, fixed; 0: chosen here */
    uint32_t window;  /* items fed and not yet taken; 0: chosen here */
    uint32_t workers; /* worker threads of the runtime, >= 1 */
    bool unordered;   /* take batches as they complete */
};

struct tide_batch {
    struct tide_future future; /* the object, first. Failed: its result is the error of item first + produced */
    struct tide_future_callback landing; /* tells the map */
    struct tide_map *map;                /* with a reference */
    /* fixed once fed */
    struct tide_message *items; /* several batches may share it after a split */
    uint64_t first;             /* index of its first item, from 0 */
    /* the runner's; the consumer's once complete */
    uint32_t count;              /* items; a split makes it smaller */
    uint32_t begun;              /* items that were begun */
    uint32_t produced;           /* items whose values are in `values` */
    bool waited;                 /* one of its items waited */
    uint64_t offset;             /* where in `items` the next item begins: the runner's own measure, 0 in a fed batch */
    int64_t began, spent;        /* ns */
    struct tide_message *values; /* what the items returned, in order; NULL: nothing */

    /* under map->lock */
    struct tide_list link; /* in map->flight or map->landed */
    bool fresh;            /* split off, and the executor does not have it yet */
};

struct tide_map {
    struct tide_object object;
    /* fixed after new */
    struct tide_map_options options;
    struct tide_executor *executor; /* with a reference */
    /* the consumer's */
    uint64_t fed;   /* items fed so far */
    uint64_t afoot; /* items fed and not yet taken */
    /* any thread */
    _Atomic uint32_t chunk; /* items that the next batch should have; an estimate, so a lost update does no harm */
    _Atomic uint32_t ended; /* nobody wants results any more; written under the lock */

    struct tide_mutex lock;
    /* protected by lock */
    struct tide_list flight;  /* batches in the order of their items; unordered: those not complete */
    struct tide_list landed;  /* unordered: complete ones in the order they came */
    struct tide_list waiters; /* the consumer */
};

extern const struct tide_class tide_map_class, tide_batch_class;

/* A map with one reference, the caller's. NULL: out of memory. */
struct tide_map *tide_map_new(struct tide_executor *executor, const struct tide_map_options *options);

/* ---- consumer ---- */

/* How many items the next batch should have, at most; 0: the window is full, take first. Never 0 while nothing is afoot. */
uint32_t tide_map_room(struct tide_map *map);

/* Submits the next `count` >= 1 items; the executor's bound on pending work does not count here, the window does. Takes
 * `items` where it returns 0; TIDE_ENOMEM, or TIDE_ESHUTDOWN (see tide_executor_error): nothing was fed. */
int tide_map_feed(struct tide_map *map, struct tide_message *items, uint32_t count);

/* 0: queued until the next batch is complete. 1: it is, or nothing is afoot; nothing was queued. */
int tide_map_enqueue(struct tide_map *map, struct tide_waiter *waiter, struct tide_task *task);
void tide_map_leave(struct tide_map *map, struct tide_waiter *waiter);

/* The next batch, complete, with the map's reference and marked as observed; NULL while it is not complete, or nothing is
 * afoot. A batch may be cancelled (its executor was shut down) or failed: what it produced comes before. */
struct tide_batch *tide_map_take(struct tide_map *map);

/* The future that the consumer waits for, to hurry it or for the wait graph: that of the first batch not taken (unordered: not
 * complete), NULL where there is none. Belongs to the map; good until the next take or end. */
struct tide_future *tide_map_awaited(struct tide_map *map);

/* Nobody wants the rest: pending batches are cancelled, running ones stop before their next item, failures count as observed.
 * May be called again, and from a finalizer. */
void tide_map_end(struct tide_map *map);

/* ---- runner ---- */

static inline struct tide_batch *tide_batch_of(struct tide_entry *entry)
{
    return tide_container(entry, struct tide_batch, future.entry);
}

/* As tide_future_begin. */
int tide_batch_begin(struct tide_batch *batch, struct tide_task *task);

/* Begins the next item; false: there is none, or nobody wants it. */
bool tide_batch_next(struct tide_batch *batch);

/* From task->on_block, inside an item: hands the items not yet begun to another task. 0 also where there are none. TIDE_ENOMEM,
 * TIDE_ESHUTDOWN: they stay in this batch and run after the wait. */
int tide_batch_split(struct tide_batch *batch);

/* As tide_future_finish, with the values of the `produced` items that returned. Takes all three messages. */
void tide_batch_finish(struct tide_batch *batch, enum tide_future_state state, struct tide_message *values,
                       uint32_t produced, struct tide_message *error_value, char *error);

#endif
