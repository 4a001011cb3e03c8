#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sync/queue.h"

#include <sched.h>
#include <string.h>

enum { PUTTERS = 2, GETTERS = 2, ACTORS = PUTTERS + GETTERS, EACH = 4000, BATCH = 7 };

static struct tide_worker worker;
static struct tide_queue *queue;

static void open_queue(enum tide_queue_order order, size_t maxsize)
{
    if (queue)
        tide_object_unref(&queue->holder.object);
    queue = tide_queue_new(order, maxsize, NULL);
    assert_non_null(queue);
}

static int setup(void **state)
{
    fake_worker_open(&worker);
    open_queue(TIDE_QUEUE_FIFO, 3);
    return 0;
}

static int teardown(void **state)
{
    tide_object_unref(&queue->holder.object);
    queue = NULL;
    fake_worker_close(&worker);
    return 0;
}

static struct tide_item number(int64_t n)
{
    return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = n};
}

static int put_ranked(int64_t n, double priority)
{
    struct tide_item item = number(n);
    struct tide_batch batch = {.items = &item, .priorities = &priority, .count = 1};
    return tide_queue_put(queue, &batch);
}

static int put(int64_t n)
{
    return put_ranked(n, 0);
}

/* The next number; or the error code, all of which are negative. */
static int64_t get(void)
{
    struct tide_item item;
    struct tide_batch batch = {.items = &item, .count = 1};
    int result = tide_queue_get(queue, &batch);
    return result == 0 ? item.as.integer : result;
}

static struct tide_task *getter(struct tide_batch *batch)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_queue_enqueue_get(queue, &task->waiter, task, batch), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

static struct tide_task *putter(int64_t n)
{
    struct tide_task *task = fake_task();
    struct tide_item item = number(n);
    tide_wait_begin(task);
    assert_int_equal(tide_queue_enqueue_put(queue, &task->waiter, task, NULL, &item), 0);
    assert_int_equal(item.kind, TIDE_ITEM_NONE);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

static struct tide_task *joiner(void)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_queue_enqueue_join(queue, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

/* `task` is the next that was woken; returns what its waiter carries. */
static struct tide_item woken(struct tide_task *task, enum tide_wait_state how)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), how);
    tide_queue_leave(queue, &task->waiter);
    struct tide_item item = tide_item_take(&task->waiter.item);
    tide_task_free(task);
    return item;
}

static void nobody_else(void)
{
    fake_take_mail();
    assert_null(fake_ready());
}

/* ---- order ---- */

static void first_in_first_out(void **state)
{
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(put(i), 0);
        assert_int_equal(put(3), TIDE_EAGAIN);
        assert_true(tide_queue_full(queue));
        for (int i = 0; i < 3; i++)
            assert_int_equal(get(), i);
        assert_int_equal(get(), TIDE_EAGAIN);
        assert_int_equal(tide_queue_count(queue), 0);
    }
}

static void last_in_first_out(void **state)
{
    open_queue(TIDE_QUEUE_LIFO, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(put(i), 0);
    for (int i = 100; i-- > 0;)
        assert_int_equal(get(), i);
}

static void smallest_priority_first_and_ties_in_order(void **state)
{
    open_queue(TIDE_QUEUE_PRIORITY, 0);
    for (int i = 0; i < 9; i++)
        assert_int_equal(put_ranked(i, i % 3), 0);
    static const int order[] = {0, 3, 6, 1, 4, 7, 2, 5, 8};
    for (int i = 0; i < 9; i++)
        assert_int_equal(get(), order[i]);
}

static void a_batch_goes_in_as_far_as_there_is_room(void **state)
{
    struct tide_item items[5], out[5];
    for (int i = 0; i < 5; i++)
        items[i] = number(i);
    struct tide_batch in = {.items = items, .count = 5}, places = {.items = out, .count = 5};
    assert_int_equal(tide_queue_put(queue, &in), TIDE_EAGAIN);
    assert_int_equal(in.done, 3);
    assert_int_equal(items[2].kind, TIDE_ITEM_NONE);
    assert_int_equal(items[3].as.integer, 3);
    assert_int_equal(tide_queue_get(queue, &places), 0);
    assert_int_equal(places.done, 3);
    assert_int_equal(tide_queue_put(queue, &in), 0);
    assert_int_equal(tide_queue_get(queue, &places), 0);
    assert_int_equal(places.done, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(out[i].as.integer, i);
}

/* ---- waiting ---- */

static void a_put_wakes_one_getter_with_the_item(void **state)
{
    struct tide_task *first = getter(NULL), *second = getter(NULL);
    assert_int_equal(put(7), 0);
    assert_int_equal(tide_queue_count(queue), 0);
    assert_int_equal(woken(first, TIDE_WAIT_WOKEN).as.integer, 7);
    nobody_else();
    assert_int_equal(put(8), 0);
    assert_int_equal(woken(second, TIDE_WAIT_WOKEN).as.integer, 8);
}

static void a_get_takes_the_item_of_the_first_putter_in(void **state)
{
    for (int i = 0; i < 3; i++)
        put(i);
    struct tide_task *first = putter(3), *second = putter(4);
    assert_int_equal(get(), 0);
    assert_int_equal(tide_queue_count(queue), 3);
    assert_int_equal(woken(first, TIDE_WAIT_WOKEN).kind, TIDE_ITEM_NONE);
    nobody_else();
    for (int i = 1; i <= 4; i++)
        assert_int_equal(get(), i);
    assert_int_equal(woken(second, TIDE_WAIT_WOKEN).kind, TIDE_ITEM_NONE);
}

static void a_batch_of_three_wakes_three_getters(void **state)
{
    struct tide_item items[3] = {number(1), number(2), number(3)};
    struct tide_batch batch = {.items = items, .count = 3};
    struct tide_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = getter(NULL);
    assert_int_equal(tide_queue_put(queue, &batch), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(woken(tasks[i], TIDE_WAIT_WOKEN).as.integer, i + 1);
    nobody_else();
    put(4);
    assert_int_equal(woken(tasks[3], TIDE_WAIT_WOKEN).as.integer, 4);
}

static void a_batch_goes_on_after_the_getters_that_it_serves(void **state)
{
    struct tide_item items[10], places[8];
    for (int i = 0; i < 10; i++)
        items[i] = number(i);
    struct tide_batch in = {.items = items, .count = 10}, out = {.items = places, .count = 8};
    struct tide_task *task = getter(&out);
    assert_int_equal(tide_queue_put(queue, &in), TIDE_EAGAIN);
    assert_int_equal(woken(task, TIDE_WAIT_WOKEN).kind, TIDE_ITEM_NONE);
    assert_int_equal(out.done, 3); /* who was claimed gets what is there at that moment */
    assert_int_equal(in.done, 6);
    for (int i = 0; i < 3; i++)
        assert_int_equal(places[i].as.integer, i);
    assert_int_equal(tide_queue_get(queue, &out), 0);
    assert_int_equal(out.done, 6);
    assert_int_equal(tide_queue_put(queue, &in), TIDE_EAGAIN);
    assert_int_equal(in.done, 9);
}

static void a_time_out_gives_the_item_back(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_item item = number(9);
    for (int i = 0; i < 3; i++)
        put(i);
    tide_wait_begin(task);
    assert_int_equal(tide_queue_enqueue_put(queue, &task->waiter, task, NULL, &item), 0);
    assert_int_equal(fake_wait(task, tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    assert_int_equal(get(), 0); /* passes over it */
    tide_queue_leave(queue, &task->waiter);
    assert_int_equal(task->waiter.item.as.integer, 9);
    assert_int_equal(tide_queue_count(queue), 2);
    nobody_else();
    tide_task_free(task);
}

static void interrupted_ones_are_passed_over(void **state)
{
    struct tide_task *first = getter(NULL), *second = getter(NULL);
    assert_true(tide_cancel_request(&first->root, TIDE_CANCEL_REQUESTED));
    assert_int_equal(put(5), 0);
    assert_int_equal(woken(first, TIDE_WAIT_INTERRUPTED).kind, TIDE_ITEM_NONE);
    assert_int_equal(woken(second, TIDE_WAIT_WOKEN).as.integer, 5);
    first = getter(NULL);
    assert_true(tide_cancel_request(&first->root, TIDE_CANCEL_REQUESTED));
    assert_int_equal(put(6), 0);
    woken(first, TIDE_WAIT_INTERRUPTED);
    assert_int_equal(get(), 6);
}

static void nobody_waits_where_it_need_not(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_item item = number(1);
    tide_wait_begin(task);
    assert_int_equal(tide_queue_enqueue_put(queue, &task->waiter, task, NULL, &item), 1);
    assert_int_equal(item.as.integer, 1); /* still the caller's */
    assert_int_equal(tide_queue_enqueue_join(queue, &task->waiter, task), 1);
    put(1);
    assert_int_equal(tide_queue_enqueue_get(queue, &task->waiter, task, NULL), 1);
    assert_int_equal(tide_queue_count(queue), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
}

/* ---- the end ---- */

static void join_ends_when_all_is_done(void **state)
{
    put(1);
    put(2);
    struct tide_task *task = joiner();
    assert_int_equal(tide_queue_done(queue, 1), TIDE_EINVAL); /* nothing was got yet */
    get();
    assert_int_equal(tide_queue_done(queue, 1), 0);
    assert_int_equal(tide_queue_done(queue, 1), TIDE_EINVAL);
    nobody_else();
    get();
    nobody_else();
    assert_int_equal(tide_queue_unfinished(queue), 1);
    assert_int_equal(tide_queue_done(queue, 1), 0);
    woken(task, TIDE_WAIT_WOKEN);
}

static void an_item_that_was_handed_over_is_unfinished(void **state)
{
    struct tide_task *task = getter(NULL), *end;
    put(1);
    end = joiner();
    woken(task, TIDE_WAIT_WOKEN);
    nobody_else();
    assert_int_equal(tide_queue_done(queue, 1), 0);
    woken(end, TIDE_WAIT_WOKEN);
}

static void shutdown_lets_what_is_inside_out(void **state)
{
    for (int i = 0; i < 3; i++)
        put(i);
    struct tide_task *task = putter(3);
    tide_queue_shut(queue, false);
    assert_int_equal(woken(task, TIDE_WAIT_WOKEN).as.integer, 3); /* not taken in */
    assert_int_equal(put(4), TIDE_ESHUTDOWN);
    for (int i = 0; i < 3; i++)
        assert_int_equal(get(), i);
    assert_int_equal(get(), TIDE_ESHUTDOWN);
    tide_queue_shut(queue, false);
    tide_queue_shut(queue, true);
}

static void shutdown_wakes_all_who_wait_for_an_item(void **state)
{
    struct tide_task *first = getter(NULL), *second = getter(NULL);
    tide_queue_shut(queue, false);
    assert_int_equal(woken(first, TIDE_WAIT_WOKEN).kind, TIDE_ITEM_NONE);
    assert_int_equal(woken(second, TIDE_WAIT_WOKEN).kind, TIDE_ITEM_NONE);
}

static void immediate_shutdown_counts_what_it_drops_as_done(void **state)
{
    _Atomic int alive = 0;
    struct tide_item item = {.kind = TIDE_ITEM_MESSAGE, .as.message = fake_message(&alive)};
    struct tide_batch batch = {.items = &item, .count = 1};
    assert_int_equal(tide_queue_put(queue, &batch), 0);
    struct tide_task *task = joiner();
    tide_queue_shut(queue, true);
    assert_int_equal(atomic_load(&alive), 0);
    woken(task, TIDE_WAIT_WOKEN);
    assert_int_equal(get(), TIDE_ESHUTDOWN);
    assert_int_equal(tide_queue_unfinished(queue), 0);
}

static void immediate_shutdown_waits_for_what_was_got(void **state)
{
    put(1);
    put(2);
    get();
    struct tide_task *task = joiner();
    tide_queue_shut(queue, true);
    nobody_else();
    assert_int_equal(tide_queue_done(queue, 1), 0);
    woken(task, TIDE_WAIT_WOKEN);
}

/* ---- memory ---- */

static void what_is_inside_goes_with_the_queue(void **state)
{
    _Atomic int alive = 0;
    for (int order = TIDE_QUEUE_FIFO; order <= TIDE_QUEUE_PRIORITY; order++) {
        open_queue(order, 0);
        for (int i = 0; i < 20; i++) {
            struct tide_item item = {.kind = TIDE_ITEM_MESSAGE, .as.message = fake_message(&alive)};
            struct tide_batch batch = {.items = &item, .count = 1};
            assert_int_equal(tide_queue_put(queue, &batch), 0);
        }
    }
    open_queue(TIDE_QUEUE_FIFO, 1);
    assert_int_equal(atomic_load(&alive), 0);
}

static void new_fails_without_memory(void **state)
{
    for (int i = 0; i < 5; i++) {
        tide_alloc_fail_after(i);
        struct tide_queue *none = tide_queue_new(TIDE_QUEUE_FIFO, 0, "jobs");
        tide_alloc_fail_after(-1);
        assert_null(none);
    }
    struct tide_queue *named = tide_queue_new(TIDE_QUEUE_FIFO, 0, "jobs");
    assert_string_equal(named->wants[TIDE_QUEUE_ITEM], "an item from the empty queue 'jobs'");
    tide_object_unref(&named->holder.object);
}

static void put_fails_without_memory_and_keeps_the_item(void **state)
{
    struct tide_item item = number(1);
    struct tide_batch batch = {.items = &item, .count = 1};
    tide_alloc_fail_after(0);
    int result = tide_queue_put(queue, &batch);
    tide_alloc_fail_after(-1);
    assert_int_equal(result, TIDE_ENOMEM);
    assert_int_equal(item.as.integer, 1);
    assert_int_equal(tide_queue_put(queue, &batch), 0);
}

/* ---- put, get, time-out and interruption at once ----
 * Each putter puts EACH numbers of its own, each as often as it takes; every number arrives once, and at each getter those of
 * one putter in their order. */

struct actor {
    pthread_t thread;
    uint32_t seed;
    int index;
    _Atomic(struct tide_task *) task;
    long outcome[TIDE_WAIT_INTERRUPTED + 1], left_over, disorder;
    long got[PUTTERS][EACH];
};

static struct actor actors[ACTORS];
static _Atomic int putting, running, interrupting;

/* Never, soon, or at once. */
static int64_t some_deadline(struct actor *me)
{
    uint32_t random = fake_random(&me->seed);
    return random % 4 == 0 ? TIDE_NEVER : tide_now_ns() + (int64_t)(random % 30000);
}

/* Waits until the batch may move on. In half of the cases it is the waiter that carries the item. */
static void wait_for_batch(struct actor *me, struct tide_task *task, struct tide_batch *batch, bool puts)
{
    bool single = fake_random(&me->seed) % 2 && !batch->priorities;
    struct tide_batch *waits = single ? NULL : batch;
    struct tide_item *item = &batch->items[batch->done];
    tide_wait_begin(task);
    int ready = puts ? tide_queue_enqueue_put(queue, &task->waiter, task, waits, item)
                     : tide_queue_enqueue_get(queue, &task->waiter, task, waits);
    if (ready && tide_wait_abandon(task))
        return;
    enum tide_wait_state how = fake_wait(task, ready ? TIDE_NEVER : some_deadline(me));
    if (how != TIDE_WAIT_WOKEN)
        tide_queue_leave(queue, &task->waiter);
    me->outcome[how]++;
    if (ready || !single)
        return;
    *item = tide_item_take(&task->waiter.item);
    if (puts ? item->kind == TIDE_ITEM_NONE : item->kind != TIDE_ITEM_NONE) {
        batch->done++;
        me->disorder += how != TIDE_WAIT_WOKEN;
    }
}

static void act_as_putter(struct actor *me, struct tide_task *task)
{
    struct tide_item items[BATCH];
    double priorities[BATCH] = {0};
    for (int next = 0; next < EACH;) {
        struct tide_batch batch = {.items = items, .count = 1 + fake_random(&me->seed) % BATCH};
        if (queue->order == TIDE_QUEUE_PRIORITY)
            batch.priorities = priorities;
        for (size_t i = 0; i < batch.count; i++)
            items[i] = number(me->index * EACH + next + (int)i);
        if (next + (int)batch.count > EACH)
            batch.count = (size_t)(EACH - next);
        while (tide_queue_put(queue, &batch) == TIDE_EAGAIN)
            wait_for_batch(me, task, &batch, true);
        next += (int)batch.count;
    }
}

static void act_as_getter(struct actor *me, struct tide_task *task)
{
    struct tide_item items[BATCH];
    double priorities[BATCH];
    int64_t last[PUTTERS];
    memset(last, -1, sizeof last);
    for (;;) {
        struct tide_batch batch = {.items = items, .count = 1 + fake_random(&me->seed) % BATCH};
        if (queue->order == TIDE_QUEUE_PRIORITY)
            batch.priorities = priorities;
        int result = tide_queue_get(queue, &batch);
        if (result == TIDE_ESHUTDOWN)
            return;
        if (result == TIDE_EAGAIN)
            wait_for_batch(me, task, &batch, false);
        for (size_t i = 0; i < batch.done; i++) {
            int64_t from = items[i].as.integer / EACH, n = items[i].as.integer % EACH;
            me->got[from][n]++;
            if (n <= last[from] && queue->order != TIDE_QUEUE_LIFO)
                me->disorder++;
            last[from] = n;
        }
        if (batch.done)
            tide_queue_done(queue, batch.done);
    }
}

static void *act(void *arg)
{
    struct actor *me = arg;
    struct tide_worker own;
    fake_worker_open(&own);
    struct tide_task *task = fake_task();
    atomic_store(&me->task, task);
    if (me->index < PUTTERS)
        act_as_putter(me, task);
    else
        act_as_getter(me, task);
    if (me->index < PUTTERS && atomic_fetch_sub(&putting, 1) == 1)
        tide_queue_shut(queue, false);
    atomic_fetch_sub(&running, 1);
    while (atomic_load(&interrupting)) /* it looks at this task until the end */
        sched_yield();
    fake_take_mail();
    me->left_over += fake_ready() != NULL;
    tide_task_free(task);
    fake_worker_close(&own);
    return NULL;
}

static void *interrupt_often(void *arg)
{
    uint32_t seed = fake_seed() + 77;
    long *interruptions = arg;
    while (atomic_load(&running)) {
        struct tide_task *task = atomic_load(&actors[fake_random(&seed) % ACTORS].task);
        if (task)
            *interruptions += tide_wait_interrupt(task, 0);
        int64_t until = tide_now_ns() + (int64_t)(fake_random(&seed) % 20000);
        do
            sched_yield();
        while (tide_now_ns() < until);
    }
    atomic_store(&interrupting, 0);
    return NULL;
}

static void race(enum tide_queue_order order, size_t maxsize)
{
    static long sums[PUTTERS][EACH];
    pthread_t interrupter;
    long interruptions = 0, counted = 0, outcome[TIDE_WAIT_INTERRUPTED + 1] = {0};
    open_queue(order, maxsize);
    memset(sums, 0, sizeof sums);
    atomic_store(&putting, PUTTERS);
    atomic_store(&running, ACTORS);
    atomic_store(&interrupting, 1);
    for (int i = 0; i < ACTORS; i++) {
        memset(&actors[i], 0, sizeof actors[i]);
        actors[i].seed = fake_seed() * 31 + (uint32_t)i + 1;
        actors[i].index = i;
        assert_int_equal(tide_thread_start(&actors[i].thread, 0, "act", act, &actors[i]), 0);
    }
    assert_int_equal(tide_thread_start(&interrupter, 0, "interrupt", interrupt_often, &interruptions), 0);
    pthread_join(interrupter, NULL);
    for (int i = 0; i < ACTORS; i++) {
        pthread_join(actors[i].thread, NULL);
        assert_int_equal(actors[i].left_over, 0);
        assert_int_equal(actors[i].disorder, 0);
        for (int how = 0; how <= TIDE_WAIT_INTERRUPTED; how++)
            outcome[how] += actors[i].outcome[how];
        for (int k = 0; k < PUTTERS * EACH; k++)
            sums[k / EACH][k % EACH] += actors[i].got[k / EACH][k % EACH];
    }
    for (int k = 0; k < PUTTERS * EACH; k++)
        counted += sums[k / EACH][k % EACH] == 1;
    print_message("order %d, size %zu: woken %ld, timed out %ld, interrupted %ld\n", order, maxsize, outcome[TIDE_WAIT_WOKEN],
                  outcome[TIDE_WAIT_TIMED_OUT], outcome[TIDE_WAIT_INTERRUPTED]);
    assert_int_equal(counted, PUTTERS * EACH);
    assert_int_equal(outcome[TIDE_WAIT_INTERRUPTED], interruptions);
    assert_int_equal(tide_queue_unfinished(queue), 0);
}

static void nothing_is_lost_or_doubled(void **state)
{
    race(TIDE_QUEUE_FIFO, 1);
    race(TIDE_QUEUE_FIFO, 3);
    race(TIDE_QUEUE_FIFO, 0);
    race(TIDE_QUEUE_LIFO, 2);
    race(TIDE_QUEUE_PRIORITY, 2);
}

#define QUEUE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(first_in_first_out),
        QUEUE_TEST(last_in_first_out),
        QUEUE_TEST(smallest_priority_first_and_ties_in_order),
        QUEUE_TEST(a_batch_goes_in_as_far_as_there_is_room),
        QUEUE_TEST(a_put_wakes_one_getter_with_the_item),
        QUEUE_TEST(a_get_takes_the_item_of_the_first_putter_in),
        QUEUE_TEST(a_batch_of_three_wakes_three_getters),
        QUEUE_TEST(a_batch_goes_on_after_the_getters_that_it_serves),
        QUEUE_TEST(a_time_out_gives_the_item_back),
        QUEUE_TEST(interrupted_ones_are_passed_over),
        QUEUE_TEST(nobody_waits_where_it_need_not),
        QUEUE_TEST(join_ends_when_all_is_done),
        QUEUE_TEST(an_item_that_was_handed_over_is_unfinished),
        QUEUE_TEST(shutdown_lets_what_is_inside_out),
        QUEUE_TEST(shutdown_wakes_all_who_wait_for_an_item),
        QUEUE_TEST(immediate_shutdown_counts_what_it_drops_as_done),
        QUEUE_TEST(immediate_shutdown_waits_for_what_was_got),
        QUEUE_TEST(what_is_inside_goes_with_the_queue),
        QUEUE_TEST(new_fails_without_memory),
        QUEUE_TEST(put_fails_without_memory_and_keeps_the_item),
        QUEUE_TEST(nothing_is_lost_or_doubled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
