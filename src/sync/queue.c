#include "sync/queue.h"

#include "base/alloc.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* ---- life ---- */

static void release(struct tide_holder *holder)
{
    struct tide_queue *queue = tide_container(holder, struct tide_queue, holder);
    assert(tide_list_empty(&queue->getters) && tide_list_empty(&queue->putters) && tide_list_empty(&queue->joiners));
    tide_ring_fini(&queue->ring);
    tide_ranking_fini(&queue->ranking);
    if (queue->name) /* else they are literals */
        for (int i = 0; i < 3; i++)
            tide_free((char *)(uintptr_t)queue->wants[i]);
    tide_free(queue->name);
    tide_free(queue);
}

static void destroy(struct tide_object *object)
{
    tide_holder_end(tide_container(object, struct tide_holder, object), release);
}

const struct tide_class tide_queue_class = {"tidemill.queue", destroy};
const struct tide_class tide_lifo_queue_class = {"tidemill.lifo_queue", destroy};
const struct tide_class tide_priority_queue_class = {"tidemill.priority_queue", destroy};

static const struct tide_class *const classes[] = {
    [TIDE_QUEUE_FIFO] = &tide_queue_class,
    [TIDE_QUEUE_LIFO] = &tide_lifo_queue_class,
    [TIDE_QUEUE_PRIORITY] = &tide_priority_queue_class,
};

bool tide_is_queue(const struct tide_object *object)
{
    return object->class == classes[0] || object->class == classes[1] || object->class == classes[2];
}

/* Takes all items out, for the caller to drop without the lock. */
static void take_all(struct tide_queue *queue, struct tide_ring *ring, struct tide_ranking *ranking)
{
    *ring = queue->ring;
    *ranking = queue->ranking;
    queue->ring = (struct tide_ring){0};
    queue->ranking = (struct tide_ranking){.pushed = ranking->pushed};
    atomic_store_explicit(&queue->count, 0, memory_order_relaxed);
}

static void empty(struct tide_holder *holder)
{
    struct tide_queue *queue = tide_container(holder, struct tide_queue, holder);
    struct tide_ring ring;
    struct tide_ranking ranking;
    tide_mutex_lock(&queue->lock);
    take_all(queue, &ring, &ranking);
    tide_mutex_unlock(&queue->lock);
    tide_ring_fini(&ring);
    tide_ranking_fini(&ranking);
}

static const char *const wants[] = {
    [TIDE_QUEUE_ITEM] = "an item from an empty queue",
    [TIDE_QUEUE_ROOM] = "room in a full queue",
    [TIDE_QUEUE_END] = "task_done for each item of a queue",
};

static int set_name(struct tide_queue *queue, const char *name)
{
    static const char *const forms[] = {
        [TIDE_QUEUE_ITEM] = "an item from the empty queue '",
        [TIDE_QUEUE_ROOM] = "room in the full queue '",
        [TIDE_QUEUE_END] = "task_done for each item of the queue '",
    };
    memcpy(queue->wants, wants, sizeof wants);
    if (!name)
        return 0;
    queue->name = tide_strdup(name);
    if (!queue->name)
        return TIDE_ENOMEM;
    memset(queue->wants, 0, sizeof queue->wants);
    for (int i = 0; i < 3; i++) {
        queue->wants[i] = tide_concat(forms[i], strlen(forms[i]), name, strlen(name), "'", 1);
        if (!queue->wants[i])
            return TIDE_ENOMEM;
    }
    return 0;
}

struct tide_queue *tide_queue_new(enum tide_queue_order order, size_t maxsize, const char *name)
{
    struct tide_queue *queue = tide_calloc(1, sizeof *queue);
    if (!queue)
        return NULL;
    queue->order = order;
    queue->maxsize = maxsize ? maxsize : SIZE_MAX;
    tide_list_init(&queue->getters);
    tide_list_init(&queue->putters);
    tide_list_init(&queue->joiners);
    tide_holder_init(&queue->holder, classes[order], empty);
    if (set_name(queue, name) != 0) {
        tide_object_unref(&queue->holder.object);
        return NULL;
    }
    return queue;
}

/* ---- items in and out, under the lock ---- */

static size_t inside(struct tide_queue *queue)
{
    return queue->order == TIDE_QUEUE_PRIORITY ? queue->ranking.count : queue->ring.count;
}

static size_t allocated(struct tide_queue *queue)
{
    return queue->order == TIDE_QUEUE_PRIORITY ? queue->ranking.room : queue->ring.room;
}

/* Room for some of `wanted` items where the queue is not full. May let go of the lock. */
static int reserve(struct tide_queue *queue, size_t wanted)
{
    size_t count = inside(queue), room = count < queue->maxsize ? queue->maxsize - count : 0;
    if (wanted > room)
        wanted = room;
    return queue->order == TIDE_QUEUE_PRIORITY ? tide_ranking_reserve(&queue->ranking, &queue->lock, wanted)
                                               : tide_ring_reserve(&queue->ring, &queue->lock, wanted);
}

/* Moves in what there is room for, both of the queue's and of memory. */
static void move_in(struct tide_queue *queue, struct tide_batch *batch)
{
    size_t limit = allocated(queue) < queue->maxsize ? allocated(queue) : queue->maxsize, count = inside(queue);
    for (; count < limit && batch->done < batch->count; count++) {
        size_t i = batch->done++;
        if (queue->order == TIDE_QUEUE_PRIORITY)
            tide_ranking_push(&queue->ranking, tide_item_take(&batch->items[i]), batch->priorities ? batch->priorities[i] : 0);
        else
            tide_ring_push(&queue->ring, tide_item_take(&batch->items[i]));
    }
}

static void move_out(struct tide_queue *queue, struct tide_batch *batch)
{
    size_t count = inside(queue);
    for (; count > 0 && batch->done < batch->count; count--) {
        size_t i = batch->done++;
        double priority = 0;
        switch (queue->order) {
        case TIDE_QUEUE_FIFO: batch->items[i] = tide_ring_pop_first(&queue->ring); break;
        case TIDE_QUEUE_LIFO: batch->items[i] = tide_ring_pop(&queue->ring); break;
        case TIDE_QUEUE_PRIORITY: batch->items[i] = tide_ranking_pop(&queue->ranking, &priority); break;
        }
        if (batch->priorities)
            batch->priorities[i] = priority;
        queue->taken++;
    }
}

/* Moves for one who was claimed. */
static void move_for(struct tide_queue *queue, struct tide_waiter *waiter,
                     void (*move)(struct tide_queue *, struct tide_batch *), struct tide_fifo *woken)
{
    struct tide_batch one = {.items = &waiter->item, .count = 1};
    move(queue, waiter->more ? waiter->more : &one);
    tide_fifo_push(woken, &waiter->task->mail.link);
}

static bool finished(struct tide_queue *queue)
{
    return inside(queue) + queue->taken == 0;
}

/* Something went in or out: serves those who wait until what this file's header says about them holds. A claim that fails has
 * taken the waiter off its list, so each turn moves an item or shortens a list. */
static void serve(struct tide_queue *queue, struct tide_fifo *woken)
{
    struct tide_waiter *waiter;
    for (bool moved = !tide_list_empty(&queue->getters) || !tide_list_empty(&queue->putters); moved;) {
        moved = false;
        while (inside(queue) > 0 && (waiter = tide_wait_claim_first(&queue->getters)) != NULL) {
            move_for(queue, waiter, move_out, woken);
            moved = true;
        }
        while (inside(queue) < queue->maxsize && (waiter = tide_wait_claim_first(&queue->putters)) != NULL) {
            move_for(queue, waiter, move_in, woken);
            moved = true;
        }
    }
    atomic_store_explicit(&queue->count, inside(queue), memory_order_relaxed);
}

/* Unlocks, and does what was put off until then. */
static void leave(struct tide_queue *queue, struct tide_fifo *woken)
{
    void *spare = NULL;
    if (inside(queue) == 0)
        spare = queue->order == TIDE_QUEUE_PRIORITY ? (void *)tide_ranking_trim(&queue->ranking)
                                                    : (void *)tide_ring_trim(&queue->ring);
    tide_mutex_unlock(&queue->lock);
    if (spare)
        tide_free(spare);
    if (woken->first)
        tide_wait_post_all(woken);
}

/* ---- put, get ---- */

int tide_queue_put(struct tide_queue *queue, struct tide_batch *batch)
{
    struct tide_fifo woken = {0};
    int result = 0;
    tide_mutex_lock(&queue->lock);
    while (batch->done < batch->count) {
        result = reserve(queue, batch->count - batch->done);
        if (result == 0 && tide_queue_is_shut(queue)) /* after reserve, which may let go of the lock */
            result = TIDE_ESHUTDOWN;
        else if (result == 0 && inside(queue) >= queue->maxsize)
            result = TIDE_EAGAIN;
        if (result != 0)
            break;
        move_in(queue, batch);
        serve(queue, &woken);
    }
    leave(queue, &woken);
    return result;
}

int tide_queue_get(struct tide_queue *queue, struct tide_batch *batch)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&queue->lock);
    if (inside(queue) == 0) {
        int result = tide_queue_is_shut(queue) ? TIDE_ESHUTDOWN : TIDE_EAGAIN;
        tide_mutex_unlock(&queue->lock);
        return result;
    }
    move_out(queue, batch);
    serve(queue, &woken);
    leave(queue, &woken);
    return 0;
}

/* ---- waiting ---- */

int tide_queue_enqueue_get(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task,
                           struct tide_batch *batch)
{
    tide_mutex_lock(&queue->lock);
    bool ready = inside(queue) > 0 || tide_queue_is_shut(queue);
    if (!ready) {
        tide_wait_on(&queue->getters, waiter, task);
        waiter->more = batch;
    }
    tide_mutex_unlock(&queue->lock);
    return ready;
}

int tide_queue_enqueue_put(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task,
                           struct tide_batch *batch, struct tide_item *item)
{
    tide_mutex_lock(&queue->lock);
    bool ready = inside(queue) < queue->maxsize || tide_queue_is_shut(queue);
    if (!ready) {
        tide_wait_on(&queue->putters, waiter, task);
        waiter->more = batch;
        if (!batch)
            waiter->item = tide_item_take(item);
    }
    tide_mutex_unlock(&queue->lock);
    return ready;
}

int tide_queue_enqueue_join(struct tide_queue *queue, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&queue->lock);
    bool ready = finished(queue);
    if (!ready)
        tide_wait_on(&queue->joiners, waiter, task);
    tide_mutex_unlock(&queue->lock);
    return ready;
}

void tide_queue_leave(struct tide_queue *queue, struct tide_waiter *waiter)
{
    tide_mutex_lock(&queue->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&queue->lock);
}

/* ---- the end ---- */

int tide_queue_done(struct tide_queue *queue, size_t count)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&queue->lock);
    bool enough = count <= queue->taken;
    if (enough) {
        queue->taken -= count;
        if (finished(queue))
            tide_wait_claim_all(&queue->joiners, &woken);
    }
    tide_mutex_unlock(&queue->lock);
    tide_wait_post_all(&woken);
    return enough ? 0 : TIDE_EINVAL;
}

size_t tide_queue_unfinished(struct tide_queue *queue)
{
    tide_mutex_lock(&queue->lock);
    size_t unfinished = inside(queue) + queue->taken;
    tide_mutex_unlock(&queue->lock);
    return unfinished;
}

void tide_queue_shut(struct tide_queue *queue, bool drop)
{
    struct tide_fifo woken = {0};
    struct tide_ring ring = {0};
    struct tide_ranking ranking = {0};
    tide_mutex_lock(&queue->lock);
    atomic_store_explicit(&queue->shut, true, memory_order_relaxed);
    tide_wait_claim_all(&queue->putters, &woken);
    if (drop)
        take_all(queue, &ring, &ranking);
    if (inside(queue) == 0)
        tide_wait_claim_all(&queue->getters, &woken);
    if (finished(queue))
        tide_wait_claim_all(&queue->joiners, &woken);
    tide_mutex_unlock(&queue->lock);
    tide_wait_post_all(&woken);
    tide_ring_fini(&ring);
    tide_ranking_fini(&ranking);
}
