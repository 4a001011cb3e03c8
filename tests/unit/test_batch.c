#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "exec/batch.h"
#include "fake_worker.h"

#include <sched.h>

static struct tide_executor *executor;
static struct tide_map *map;
static _Atomic int alive; /* messages */

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

static void open_executor(uint32_t max_workers)
{
    struct tide_executor_options options = {.max_workers = max_workers};
    executor = tide_executor_new(&options);
    assert_non_null(executor);
}

static void close_executor(void)
{
    tide_object_unref(&executor->owner.object);
}

static int setup(void **state)
{
    fake_runtime_open(1, true);
    open_executor(2);
    atomic_store(&alive, 0);
    return 0;
}

static int teardown(void **state)
{
    close_executor();
    fake_runtime_close();
    return atomic_load(&alive);
}

static void open_map(struct tide_map_options options)
{
    if (!options.start)
        options.start = start_never;
    if (!options.workers)
        options.workers = 2;
    map = tide_map_new(executor, &options);
    assert_non_null(map);
}

static void close_map(void)
{
    tide_map_end(map);
    tide_object_unref(&map->object);
    for (struct tide_entry *entry; (entry = fake_pop()) != NULL;) /* dropped in the queue */
        tide_future_unref(&tide_batch_of(entry)->future);
}

static void feed(uint32_t count)
{
    assert_int_equal(tide_map_feed(map, fake_message(&alive), count), 0);
}

/* Plays the worker that takes the next batch. */
static struct tide_batch *begin_next(void)
{
    struct tide_entry *entry = fake_pop();
    assert_non_null(entry);
    struct tide_batch *batch = tide_batch_of(entry);
    assert_int_equal(tide_batch_begin(batch, fake_task()), 0);
    return batch;
}

static void finish(struct tide_batch *batch, enum tide_future_state how, uint32_t produced)
{
    struct tide_task *task = tide_future_task(&batch->future);
    tide_batch_finish(batch, how, fake_message(&alive), produced, NULL, NULL);
    tide_task_free(task);
    tide_future_unref(&batch->future);
}

/* Runs a whole batch as if it had taken `ns`. */
static void run_next(int64_t ns)
{
    struct tide_batch *batch = begin_next();
    while (tide_batch_next(batch))
        ;
    batch->began = tide_now_ns() - ns;
    finish(batch, TIDE_FUTURE_DONE, batch->count);
}

/* Takes the next batch, which has to be that of item `first`. */
static void take(uint64_t first, uint32_t count, enum tide_future_state how)
{
    struct tide_batch *batch = tide_map_take(map);
    assert_non_null(batch);
    assert_int_equal(batch->first, first);
    assert_int_equal(batch->count, count);
    assert_int_equal(tide_future_state(&batch->future), how);
    tide_future_unref(&batch->future);
}

/* ---- order ---- */

static void batches_are_taken_in_the_order_of_their_items(void **state)
{
    open_map((struct tide_map_options){.chunk = 2});
    feed(2);
    feed(2);
    struct tide_batch *first = begin_next(), *second = begin_next();
    finish(second, TIDE_FUTURE_DONE, 2);
    assert_null(tide_map_take(map));
    finish(first, TIDE_FUTURE_DONE, 2);
    take(0, 2, TIDE_FUTURE_DONE);
    take(2, 2, TIDE_FUTURE_DONE);
    assert_null(tide_map_take(map));
    close_map();
}

static void unordered_ones_are_taken_as_they_complete(void **state)
{
    open_map((struct tide_map_options){.chunk = 1, .unordered = true});
    feed(1);
    feed(1);
    struct tide_batch *first = begin_next(), *second = begin_next();
    assert_ptr_equal(tide_map_awaited(map), &first->future);
    finish(second, TIDE_FUTURE_DONE, 1);
    take(1, 1, TIDE_FUTURE_DONE);
    assert_null(tide_map_take(map));
    finish(first, TIDE_FUTURE_DONE, 1);
    take(0, 1, TIDE_FUTURE_DONE);
    close_map();
}

static void the_consumer_is_woken_by_the_batch_it_needs(void **state)
{
    struct tide_task *task = fake_task();
    open_map((struct tide_map_options){.chunk = 1});
    feed(1);
    feed(1);
    struct tide_batch *first = begin_next(), *second = begin_next();
    tide_wait_begin(task);
    assert_int_equal(tide_map_enqueue(map, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    finish(second, TIDE_FUTURE_DONE, 1);
    fake_take_mail();
    assert_null(fake_ready());
    finish(first, TIDE_FUTURE_DONE, 1);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_WOKEN);
    tide_map_leave(map, &task->waiter);
    take(0, 1, TIDE_FUTURE_DONE);
    tide_wait_begin(task);
    assert_int_equal(tide_map_enqueue(map, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    take(1, 1, TIDE_FUTURE_DONE);
    tide_wait_begin(task);
    assert_int_equal(tide_map_enqueue(map, &task->waiter, task), 1); /* nothing is afoot */
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
    close_map();
}

/* ---- sizes ---- */

static void quick_batches_grow_and_slow_ones_shrink(void **state)
{
    open_map((struct tide_map_options){0});
    uint32_t size = 1;
    uint64_t first = 0;
    for (int i = 0; i < 15; i++) {
        assert_int_equal(tide_map_room(map), size);
        feed(size);
        run_next(TIDE_US(50));
        take(first, size, TIDE_FUTURE_DONE);
        first += size;
        size = size < TIDE_MAP_MAX_CHUNK ? size * 2 : size;
    }
    assert_int_equal(size, TIDE_MAP_MAX_CHUNK);
    feed(size);
    run_next(TIDE_MS(5));
    assert_int_equal(tide_map_room(map), size / 2);
    take(first, size, TIDE_FUTURE_DONE);
    first += size;
    feed(7); /* smaller than the present size: says nothing */
    run_next(TIDE_US(1));
    assert_int_equal(tide_map_room(map), size / 2);
    take(first, 7, TIDE_FUTURE_DONE);
    close_map();
}

static void near_a_known_end_batches_are_shared_fairly(void **state)
{
    open_map((struct tide_map_options){.total = 100});
    atomic_store(&map->chunk, 64);
    assert_int_equal(tide_map_room(map), 100 / 8); /* four for each of two workers */
    feed(92);
    assert_int_equal(tide_map_room(map), 0);
    run_next(TIDE_US(1));
    take(0, 92, TIDE_FUTURE_DONE);
    assert_int_equal(tide_map_room(map), 1);
    close_map();
}

static void a_fixed_chunk_stays(void **state)
{
    open_map((struct tide_map_options){.chunk = 3, .total = 5});
    assert_int_equal(tide_map_room(map), 3);
    feed(3);
    run_next(0);
    assert_int_equal(tide_map_room(map), 3);
    close_map();
}

static void the_window_bounds_what_is_fed(void **state)
{
    open_map((struct tide_map_options){.window = 3});
    for (uint32_t fed = 0; fed < 3; fed++) {
        assert_int_equal(tide_map_room(map), 1);
        feed(1);
    }
    assert_int_equal(tide_map_room(map), 0);
    run_next(0);
    assert_int_equal(tide_map_room(map), 0); /* complete is not taken */
    take(0, 1, TIDE_FUTURE_DONE);
    assert_int_equal(tide_map_room(map), 1);
    close_map();
}

static void by_default_the_window_is_twice_the_slots(void **state)
{
    close_executor();
    open_executor(32);
    open_map((struct tide_map_options){0});
    int fed = 0;
    for (; tide_map_room(map) > 0; fed++)
        feed(1);
    assert_int_equal(fed, 64);
    close_map();
}

/* ---- splitting ---- */

static void a_wait_splits_off_what_was_not_begun(void **state)
{
    open_map((struct tide_map_options){0});
    atomic_store(&map->chunk, 8);
    feed(8);
    feed(8);
    feed(8); /* waits for a slot */
    struct tide_batch *batch = begin_next(), *second = begin_next();
    for (int i = 0; i < 3; i++)
        assert_true(tide_batch_next(batch));
    batch->offset = 30;
    assert_int_equal(tide_batch_split(batch), 0);
    assert_false(tide_batch_next(batch));
    assert_int_equal(tide_map_room(map), 0);
    assert_int_equal(atomic_load(&map->chunk), 1);
    finish(second, TIDE_FUTURE_DONE, 8);
    struct tide_batch *rest = begin_next(); /* before what was pending */
    assert_int_equal(rest->first, 3);
    assert_int_equal(rest->count, 5);
    assert_int_equal(rest->offset, 30);
    while (tide_batch_next(rest))
        ;
    assert_int_equal(tide_batch_split(rest), 0); /* nothing is left to split off */
    finish(rest, TIDE_FUTURE_DONE, 5);
    assert_null(tide_map_take(map));
    finish(batch, TIDE_FUTURE_DONE, 3);
    take(0, 3, TIDE_FUTURE_DONE);
    take(3, 5, TIDE_FUTURE_DONE);
    take(8, 8, TIDE_FUTURE_DONE);
    run_next(0);
    take(16, 8, TIDE_FUTURE_DONE);
    assert_int_equal(map->afoot, 0);
    close_map();
}

static void where_nothing_can_be_split_off_the_items_stay(void **state)
{
    open_map((struct tide_map_options){.chunk = 4});
    feed(4);
    struct tide_batch *batch = begin_next();
    assert_true(tide_batch_next(batch));
    tide_alloc_fail_after(0);
    assert_int_equal(tide_batch_split(batch), TIDE_ENOMEM);
    tide_alloc_fail_after(-1);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_PENDING);
    assert_int_equal(tide_batch_split(batch), TIDE_ESHUTDOWN);
    assert_int_equal(batch->count, 4);
    assert_true(tide_batch_next(batch));
    finish(batch, TIDE_FUTURE_CANCELLED, 1);
    take(0, 4, TIDE_FUTURE_CANCELLED);
    close_map();
}

/* ---- ends ---- */

static void a_failed_batch_keeps_what_came_before(void **state)
{
    open_map((struct tide_map_options){.chunk = 4});
    feed(4);
    struct tide_batch *batch = begin_next();
    tide_batch_next(batch);
    tide_batch_next(batch);
    tide_batch_finish(batch, TIDE_FUTURE_FAILED, fake_message(&alive), 1, fake_message(&alive), tide_strdup("trace"));
    struct tide_batch *taken = tide_map_take(map);
    assert_ptr_equal(taken, batch);
    assert_int_equal(taken->produced, 1);
    assert_non_null(taken->values);
    assert_string_equal(taken->future.error, "trace");
    assert_true(atomic_load(&taken->future.marks) & TIDE_FUTURE_OBSERVED);
    tide_future_unref(&taken->future);
    tide_future_unref(&batch->future);
    close_map();
    fake_take_mail();
    for (struct tide_list *link; (link = tide_worker_current()->live.next) != &tide_worker_current()->live;)
        tide_task_free(tide_container(link, struct tide_task, live));
}

static void an_ended_map_drops_what_is_pending(void **state)
{
    open_map((struct tide_map_options){.chunk = 2});
    for (int i = 0; i < 4; i++)
        feed(2);
    struct tide_batch *running = begin_next();
    assert_true(tide_batch_next(running));
    tide_map_end(map);
    assert_false(tide_batch_next(running));
    assert_int_equal(tide_executor_counts(executor).outstanding, 1);
    assert_int_equal(tide_batch_split(running), TIDE_ESHUTDOWN);
    finish(running, TIDE_FUTURE_FAILED, 1); /* nobody asks; it is not reported */
    assert_int_equal(tide_executor_counts(executor).outstanding, 0);
    close_map();
}

static void a_closed_executor_takes_no_feed(void **state)
{
    open_map((struct tide_map_options){.chunk = 1});
    feed(1);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_NONE);
    struct tide_message *items = fake_message(&alive);
    assert_int_equal(tide_map_feed(map, items, 1), TIDE_ESHUTDOWN);
    tide_alloc_fail_after(0);
    assert_int_equal(tide_map_feed(map, items, 1), TIDE_ENOMEM);
    tide_alloc_fail_after(-1);
    tide_message_unref(items);
    run_next(0);
    take(0, 1, TIDE_FUTURE_DONE);
    assert_null(tide_map_awaited(map));
    close_map();
}

static void a_shutdown_reaches_the_consumer(void **state)
{
    open_map((struct tide_map_options){.chunk = 1});
    feed(1);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_PENDING);
    take(0, 1, TIDE_FUTURE_CANCELLED);
    close_map();
}

/* ---- with real workers: items that wait, in any number, come out whole and in order ---- */

enum { ITEMS = 30000, LISTS = 4 };

static _Atomic uint8_t runs[ITEMS];
static _Atomic long splits, batches;
static _Atomic uint32_t one_in; /* how many items it takes for one that waits */

static void start_batch(struct tide_entry *entry, struct tide_worker *w)
{
    struct tide_batch *batch = tide_batch_of(entry);
    struct tide_task *task = fake_task(), *outer = w->task;
    w->task = task;
    if (tide_batch_begin(batch, task) == 0) {
        uint32_t produced = 0;
        uint64_t index = batch->first;
        bool told = false;
        batches++;
        for (; tide_batch_next(batch); produced++, index++) {
            batch->offset++;
            runs[index]++;
            if (index * 2654435761u % one_in == 0 && !told) { /* it waits */
                told = true;
                splits += tide_batch_split(batch) == 0;
                sched_yield();
            }
        }
        tide_batch_finish(batch, TIDE_FUTURE_DONE, NULL, produced, NULL, NULL);
    }
    w->task = outer;
    tide_task_free(task);
    tide_future_unref(&batch->future);
}

static void feed_all_there_is_room_for(struct tide_map *m)
{
    uint32_t n;
    while (m->fed < ITEMS && (n = tide_map_room(m)) > 0) {
        if (n > ITEMS - m->fed)
            n = (uint32_t)(ITEMS - m->fed);
        assert_int_equal(tide_map_feed(m, fake_message(&alive), n), 0);
    }
}

static struct tide_batch *next_batch(struct tide_map *m, struct tide_task *task)
{
    tide_wait_begin(task);
    if (tide_map_enqueue(m, &task->waiter, task) == 0)
        assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
    else
        assert_true(tide_wait_abandon(task));
    tide_map_leave(m, &task->waiter);
    return tide_map_take(m);
}

/* Maps over all items, or leaves off after `until`. */
static void map_items(struct tide_map_options options, uint64_t until)
{
    struct tide_task *task = fake_task();
    uint64_t seen = 0;
    options.start = start_batch;
    options.workers = 3;
    struct tide_map *m = tide_map_new(executor, &options);
    while (seen < until) {
        feed_all_there_is_room_for(m);
        struct tide_batch *batch = next_batch(m, task);
        assert_non_null(batch);
        assert_int_equal(tide_future_state(&batch->future), TIDE_FUTURE_DONE);
        assert_int_equal(batch->produced, batch->count);
        if (!options.unordered)
            assert_int_equal(batch->first, seen);
        seen += batch->count;
        tide_future_unref(&batch->future);
    }
    if (until == ITEMS)
        assert_int_equal(seen, ITEMS);
    tide_map_end(m);
    tide_object_unref(&m->object);
    tide_task_free(task);
}

static void wait_until_idle(void)
{
    while (tide_executor_counts(executor).outstanding || atomic_load(&alive))
        sched_yield();
}

static void every_item_runs_once(void **state)
{
    static const uint32_t rates[] = {1, 7, 1000, ITEMS};
    fake_runtime_open(3, false);
    atomic_store(&alive, 0);
    for (int i = 0; i < 2 * LISTS; i++) {
        open_executor(i % 3 == 0 ? 1 : 4);
        one_in = rates[i / 2];
        batches = splits = 0;
        for (int k = 0; k < ITEMS; k++)
            runs[k] = 0;
        map_items((struct tide_map_options){.total = i % 3 ? ITEMS : 0, .unordered = i % 2 == 1}, ITEMS);
        for (int k = 0; k < ITEMS; k++)
            assert_int_equal(runs[k], 1);
        wait_until_idle();
        print_message("one item in %u waits: %ld batches, %ld split\n", one_in, batches, splits);
        close_executor();
    }
    fake_runtime_close();
}

static void an_abandoned_map_leaves_nothing_behind(void **state)
{
    fake_runtime_open(3, false);
    open_executor(4);
    for (int i = 0; i < 200; i++) {
        one_in = i % 2 ? 3 : ITEMS;
        map_items((struct tide_map_options){.unordered = i % 4 >= 2}, 50 + 17 * (uint64_t)i);
    }
    wait_until_idle();
    close_executor();
    fake_runtime_close();
}

#define BY_HAND(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BY_HAND(batches_are_taken_in_the_order_of_their_items),
        BY_HAND(unordered_ones_are_taken_as_they_complete),
        BY_HAND(the_consumer_is_woken_by_the_batch_it_needs),
        BY_HAND(quick_batches_grow_and_slow_ones_shrink),
        BY_HAND(near_a_known_end_batches_are_shared_fairly),
        BY_HAND(a_fixed_chunk_stays),
        BY_HAND(the_window_bounds_what_is_fed),
        BY_HAND(by_default_the_window_is_twice_the_slots),
        BY_HAND(a_wait_splits_off_what_was_not_begun),
        BY_HAND(where_nothing_can_be_split_off_the_items_stay),
        BY_HAND(a_failed_batch_keeps_what_came_before),
        BY_HAND(an_ended_map_drops_what_is_pending),
        BY_HAND(a_closed_executor_takes_no_feed),
        BY_HAND(a_shutdown_reaches_the_consumer),
        cmocka_unit_test(every_item_runs_once),
        cmocka_unit_test(an_abandoned_map_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
