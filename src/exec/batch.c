#include "exec/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"

#include <assert.h>

enum {
    QUICK_NS = 200 * 1000, /* a batch that takes less may be twice as long */
    SLOW_NS = 800 * 1000,  /* one that takes more should be half as long: the gap keeps sizes from swinging */
    DEPTH = 4,             /* batches that each worker should find afoot */
};

static struct tide_batch *batch_of(struct tide_list *link)
{
    return tide_container(link, struct tide_batch, link);
}

/* ---- life ---- */

static void destroy_batch(struct tide_object *object)
{
    struct tide_batch *batch = tide_container(object, struct tide_batch, future.object);
    struct tide_map *map = batch->map;
    tide_future_fini(&batch->future);
    tide_message_unref(batch->items);
    tide_message_unref(batch->values);
    tide_free(batch);
    tide_object_unref(&map->object);
}

static void destroy_map(struct tide_object *object)
{
    struct tide_map *map = tide_container(object, struct tide_map, object);
    assert(tide_list_empty(&map->flight) && tide_list_empty(&map->landed) && tide_list_empty(&map->waiters));
    tide_message_unref(map->options.code);
    tide_object_unref(&map->executor->owner.object);
    tide_free(map);
}

const struct tide_class tide_batch_class = {"tidemill.batch", destroy_batch};
const struct tide_class tide_map_class = {"tidemill.map", destroy_map};

struct tide_map *tide_map_new(struct tide_executor *executor, const struct tide_map_options *options)
{
    struct tide_map *map = tide_calloc(1, sizeof *map);
    assert(options->workers >= 1);
    if (!map)
        return NULL;
    tide_object_init(&map->object, &tide_map_class);
    map->options = *options;
    if (options->code)
        tide_message_ref(options->code);
    map->executor = executor;
    tide_object_ref(&executor->owner.object);
    atomic_store(&map->chunk, options->chunk ? options->chunk : 1);
    tide_list_init(&map->flight);
    tide_list_init(&map->landed);
    tide_list_init(&map->waiters);
    return map;
}

/* ---- landing ---- */

/* A complete batch tells how long the next ones should be. */
static uint32_t better_chunk(const struct tide_batch *batch, uint32_t chunk)
{
    if (batch->waited)
        return 1;
    if (batch->produced <
        chunk) /* from before the last change, or cut short: its time says nothing about the present size */
        return chunk;
    if (batch->spent < QUICK_NS && chunk <= TIDE_MAP_MAX_CHUNK / 2)
        return chunk * 2;
    if (batch->spent > SLOW_NS && chunk > 1)
        return chunk / 2;
    return chunk;
}

static bool next_is_complete(struct tide_map *map)
{
    if (map->options.unordered)
        return !tide_list_empty(&map->landed);
    return !tide_list_empty(&map->flight) && tide_future_done(&batch_of(map->flight.next)->future);
}

static void land(struct tide_future_callback *callback, struct tide_future *future)
{
    struct tide_batch *batch = tide_container(callback, struct tide_batch, landing);
    struct tide_map *map = batch->map; /* whoever completed the batch holds it, and so its map */
    struct tide_fifo woken = {0};
    tide_mutex_lock(&map->lock);
    if (!map->options.chunk && tide_future_state(future) == TIDE_FUTURE_DONE)
        atomic_store(&map->chunk, better_chunk(batch, atomic_load(&map->chunk)));
    if (map->options.unordered && tide_list_linked(&batch->link)) {
        tide_list_remove(&batch->link);
        tide_list_append(&map->landed, &batch->link);
    }
    if (next_is_complete(map))
        tide_wait_claim_all(&map->waiters, &woken);
    tide_mutex_unlock(&map->lock);
    tide_wait_post_all(&woken);
}

/* ---- feeding ---- */

static uint64_t at_least_one(uint64_t n)
{
    return n ? n : 1;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many batches can run at the same instant. */
static uint64_t lanes(const struct tide_map *map)
{
    return smaller(map->options.workers, map->executor->max_workers);
}

uint32_t tide_map_room(struct tide_map *map)
{
    uint64_t size = atomic_load_explicit(&map->chunk, memory_order_relaxed), window = map->options.window;
    if (!map->options.chunk && map->options.total > map->fed)
        size = smaller(size, at_least_one((map->options.total - map->fed) / (DEPTH * lanes(map))));
    if (!map->options.chunk && window)
        size = smaller(size, at_least_one(window / (2 * lanes(map))));
    if (!window) {
        window = DEPTH * lanes(map) * size;
        if (window < 2 * (uint64_t)map->executor->max_workers)
            window = 2 * (uint64_t)map->executor->max_workers;
    }
    if (map->afoot == 0)
        return (uint32_t)smaller(size, window);
    return map->afoot + size <= window ? (uint32_t)size : 0;
}

static struct tide_batch *new_batch(struct tide_map *map, struct tide_message *items, uint64_t first, uint32_t count)
{
    struct tide_batch *batch = tide_calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    tide_future_init(&batch->future, &tide_batch_class, map->options.start);
    batch->future.code = map->options.code ? tide_message_ref(map->options.code) : NULL;
    batch->future.name = map->options.name;
    batch->map = map;
    tide_object_ref(&map->object);
    batch->items = items;
    batch->first = first;
    batch->count = count;
    batch->landing.fire = land;
    tide_future_callback_add(&batch->future, &batch->landing);
    return batch;
}

/* Puts a batch into the flight, right behind another (NULL: at the end), with a reference; before it is submitted, as from then
 * on it may start, split and land. False: nobody wants results any more. */
static bool enlist(struct tide_map *map, struct tide_batch *behind, struct tide_batch *batch)
{
    tide_mutex_lock(&map->lock);
    bool wanted = !atomic_load(&map->ended);
    if (wanted) {
        tide_list_prepend(behind ? &behind->link : map->flight.prev, &batch->link);
        tide_future_ref(&batch->future);
    }
    tide_mutex_unlock(&map->lock);
    return wanted;
}

/* A batch that the executor did not take; `items` stays with the caller. */
static void forget(struct tide_map *map, struct tide_batch *batch)
{
    tide_mutex_lock(&map->lock);
    bool listed = tide_list_linked(&batch->link);
    tide_list_remove(&batch->link);
    tide_mutex_unlock(&map->lock);
    if (listed)
        tide_future_unref(&batch->future);
    tide_future_callback_remove(&batch->future, &batch->landing);
    batch->items = NULL;
    tide_future_unref(&batch->future);
}

int tide_map_feed(struct tide_map *map, struct tide_message *items, uint32_t count)
{
    assert(count >= 1 && !atomic_load(&map->ended));
    struct tide_batch *batch = new_batch(map, items, map->fed, count);
    if (!batch)
        return TIDE_ENOMEM;
    enlist(map, NULL, batch);
    int failed = tide_executor_submit(map->executor, &batch->future, false);
    if (failed) {
        forget(map, batch);
        return failed;
    }
    tide_future_unref(&batch->future);
    map->fed += count;
    map->afoot += count;
    return 0;
}

/* ---- taking ---- */

int tide_map_enqueue(struct tide_map *map, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&map->lock);
    bool nothing = tide_list_empty(&map->flight) && tide_list_empty(&map->landed);
    bool ready = nothing || next_is_complete(map);
    if (!ready)
        tide_wait_on(&map->waiters, waiter, task);
    tide_mutex_unlock(&map->lock);
    return ready;
}

void tide_map_leave(struct tide_map *map, struct tide_waiter *waiter)
{
    tide_mutex_lock(&map->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&map->lock);
}

struct tide_batch *tide_map_take(struct tide_map *map)
{
    struct tide_batch *batch = NULL;
    tide_mutex_lock(&map->lock);
    if (next_is_complete(map))
        batch = batch_of(tide_list_pop(map->options.unordered ? &map->landed : &map->flight));
    tide_mutex_unlock(&map->lock);
    if (batch) {
        map->afoot -= batch->count;
        tide_future_mark(&batch->future, TIDE_FUTURE_OBSERVED);
    }
    return batch;
}

struct tide_future *tide_map_awaited(struct tide_map *map)
{
    struct tide_future *future = NULL;
    tide_mutex_lock(&map->lock);
    if (!tide_list_empty(&map->flight))
        future = &batch_of(map->flight.next)->future;
    tide_mutex_unlock(&map->lock);
    return future;
}

void tide_map_end(struct tide_map *map)
{
    struct tide_list *link;
    tide_mutex_lock(&map->lock);
    atomic_store(&map->ended, 1);
    while ((link = tide_list_pop(&map->flight)) != NULL || (link = tide_list_pop(&map->landed)) != NULL) {
        struct tide_batch *batch = batch_of(link);
        bool fresh = batch->fresh;
        tide_mutex_unlock(&map->lock);
        tide_future_mark(&batch->future, TIDE_FUTURE_IGNORED);
        if (!fresh)
            tide_future_drop(&batch->future, TIDE_FUTURE_CANCELLED, NULL);
        tide_future_unref(&batch->future);
        tide_mutex_lock(&map->lock);
    }
    tide_mutex_unlock(&map->lock);
    map->afoot = 0;
}

/* ---- running ---- */

int tide_batch_begin(struct tide_batch *batch, struct tide_task *task)
{
    int refused = tide_future_begin(&batch->future, task);
    if (!refused)
        batch->began = tide_now_ns();
    return refused;
}

bool tide_batch_next(struct tide_batch *batch)
{
    if (batch->begun == batch->count || atomic_load_explicit(&batch->map->ended, memory_order_relaxed))
        return false;
    batch->begun++;
    return true;
}

/* The executor has it: from now on the one who ends the map drops it. If that was before, this does. */
static void submitted(struct tide_map *map, struct tide_batch *rest)
{
    tide_mutex_lock(&map->lock);
    rest->fresh = false;
    bool ended = atomic_load(&map->ended);
    tide_mutex_unlock(&map->lock);
    if (ended)
        tide_future_drop(&rest->future, TIDE_FUTURE_CANCELLED, NULL);
    tide_future_unref(&rest->future);
}

int tide_batch_split(struct tide_batch *batch)
{
    struct tide_map *map = batch->map;
    uint32_t left = batch->count - batch->begun;
    batch->waited = true;
    if (!map->options.chunk)
        atomic_store(&map->chunk, 1); /* now, not when this batch lands: its wait may be long */
    if (left == 0)
        return 0;
    struct tide_batch *rest = new_batch(map, batch->items, batch->first + batch->begun, left);
    if (!rest)
        return TIDE_ENOMEM;
    rest->offset = batch->offset;
    rest->fresh = true;
    int failed = TIDE_ESHUTDOWN;
    tide_message_ref(batch->items);
    /* right behind its batch: the order of the items stays that of the list */
    if (enlist(map, batch, rest))
        failed = tide_executor_extend(map->executor, &rest->future);
    if (failed) {
        forget(map, rest);
        tide_message_unref(batch->items);
        return failed;
    }
    batch->count = batch->begun;
    submitted(map, rest);
    return 0;
}

void tide_batch_finish(struct tide_batch *batch, enum tide_future_state state, struct tide_message *values,
                       uint32_t produced, struct tide_message *error_value, char *error)
{
    batch->spent = tide_now_ns() - batch->began;
    batch->values = values;
    batch->produced = produced;
    tide_future_finish(&batch->future, state, error_value, error);
}
