#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sync/watch.h"

#include <sched.h>

enum { COUNT = 4, THREADS = 2, EACH = 50, ROUNDS = 60 };

static struct tide_worker worker;
static struct tide_future *futures[COUNT];
static struct tide_watch *watch;

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

static int setup(void **state)
{
    fake_worker_open(&worker);
    for (int i = 0; i < COUNT; i++)
        futures[i] = tide_future_new(start_never);
    watch = NULL;
    return 0;
}

static int teardown(void **state)
{
    if (watch) {
        tide_watch_end(watch);
        tide_object_unref(&watch->object);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(atomic_load(&futures[i]->object.refs), 1);
        tide_future_unref(futures[i]);
    }
    fake_worker_close(&worker);
    return 0;
}

static void complete(int index)
{
    assert_true(tide_future_cancel(futures[index]));
}

static void watch_all(void)
{
    watch = tide_watch_new(futures, COUNT);
    assert_non_null(watch);
}

static uint32_t refs(struct tide_watch *w)
{
    return atomic_load(&w->object.refs);
}

static void they_are_taken_in_the_order_they_complete(void **state)
{
    static const int order[COUNT] = {2, 0, 3, 1};
    watch_all();
    assert_int_equal(tide_watch_take(watch), -1);
    complete(order[0]);
    assert_int_equal(tide_watch_take(watch), order[0]);
    assert_int_equal(tide_watch_take(watch), -1);
    for (int i = 1; i < COUNT; i++)
        complete(order[i]);
    for (int i = 1; i < COUNT; i++)
        assert_int_equal(tide_watch_take(watch), order[i]);
    assert_int_equal(tide_watch_take(watch), -1);
}

static void those_that_were_complete_come_first(void **state)
{
    complete(3);
    complete(1);
    watch_all();
    complete(0);
    assert_int_equal(tide_watch_take(watch), 1); /* as they stand among themselves */
    assert_int_equal(tide_watch_take(watch), 3);
    assert_int_equal(tide_watch_take(watch), 0);
    assert_int_equal(tide_watch_take(watch), -1);
}

static void each_way_to_complete_counts(void **state)
{
    struct tide_task *task = fake_task();
    watch_all();
    assert_int_equal(tide_future_begin(futures[2], task), 0);
    tide_future_finish(futures[2], TIDE_FUTURE_DONE, NULL, NULL);
    tide_task_free(task);
    assert_true(tide_future_drop(futures[1], TIDE_FUTURE_FAILED, NULL));
    complete(0);
    assert_int_equal(tide_watch_take(watch), 2);
    assert_int_equal(tide_watch_take(watch), 1);
    assert_int_equal(tide_watch_take(watch), 0);
}

static void one_future_may_be_watched_twice(void **state)
{
    struct tide_future *same[2] = {futures[0], futures[0]};
    watch = tide_watch_new(same, 2);
    complete(0);
    assert_int_equal(tide_watch_take(watch), 0);
    assert_int_equal(tide_watch_take(watch), 1);
    assert_int_equal(tide_watch_take(watch), -1);
}

static void a_watch_over_nothing_never_has_any(void **state)
{
    watch = tide_watch_new(futures, 0);
    assert_non_null(watch);
    assert_int_equal(refs(watch), 1);
    assert_int_equal(tide_watch_take(watch), -1);
}

/* ---- waiting ---- */

static void nobody_waits_where_one_can_be_taken(void **state)
{
    struct tide_task *task = fake_task();
    watch_all();
    complete(0);
    tide_wait_begin(task);
    assert_int_equal(tide_watch_enqueue(watch, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
}

static void who_waits_is_woken_by_the_next(void **state)
{
    struct tide_task *task = fake_task();
    watch_all();
    tide_wait_begin(task);
    assert_int_equal(tide_watch_enqueue(watch, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    complete(2);
    complete(1); /* wakes nobody any more */
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_null(fake_ready());
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_WOKEN);
    tide_watch_leave(watch, &task->waiter);
    assert_int_equal(tide_watch_take(watch), 2);
    assert_int_equal(tide_watch_take(watch), 1);
    tide_task_free(task);
}

static void who_left_is_not_woken(void **state)
{
    struct tide_task *task = fake_task();
    watch_all();
    tide_wait_begin(task);
    assert_int_equal(tide_watch_enqueue(watch, &task->waiter, task), 0);
    assert_int_equal(fake_wait(task, tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    tide_watch_leave(watch, &task->waiter);
    tide_watch_leave(watch, &task->waiter); /* stays so */
    complete(0);
    fake_take_mail();
    assert_null(fake_ready());
    assert_int_equal(tide_watch_take(watch), 0);
    tide_task_free(task);
}

/* ---- memory ---- */

static void it_holds_each_future_and_one_of_itself_for_each(void **state)
{
    watch_all();
    assert_int_equal(refs(watch), 1 + COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(atomic_load(&futures[i]->object.refs), 2);
    complete(0);
    assert_int_equal(refs(watch), COUNT);
}

static void end_takes_its_callbacks_back(void **state)
{
    watch_all();
    complete(1);
    tide_watch_end(watch);
    assert_int_equal(refs(watch), 1);
    complete(0);
    assert_int_equal(tide_watch_take(watch), 1); /* what completed before */
    assert_int_equal(tide_watch_take(watch), -1);
    tide_object_unref(&watch->object);
    watch = NULL;
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_watch *none = tide_watch_new(futures, COUNT);
    tide_alloc_fail_after(-1);
    assert_null(none);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(atomic_load(&futures[i]->object.refs), 1);
}

/* ---- completed by many threads ----
 * In each round every thread completes its share of fresh futures while the consumer takes them; in some it ends early. */

static struct tide_future *many[THREADS * EACH];
static pthread_barrier_t barrier;

static void *complete_mine(void *arg)
{
    int first = (int)(intptr_t)arg * EACH;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < EACH; i++) {
            tide_future_cancel(many[first + i]);
            if ((i + round) % 8 == 0)
                sched_yield();
        }
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

/* The next one, after a wait if need be. */
static int64_t take_next(struct tide_watch *w, struct tide_task *task, long *waits)
{
    int64_t index;
    while ((index = tide_watch_take(w)) < 0) {
        tide_wait_begin(task);
        if (tide_watch_enqueue(w, &task->waiter, task) == 0) {
            assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
            tide_watch_leave(w, &task->waiter);
            ++*waits;
        } else {
            assert_true(tide_wait_abandon(task));
        }
    }
    return index;
}

static void take_some(struct tide_watch *w, struct tide_task *task, int some, long *waits)
{
    int seen[THREADS * EACH] = {0}, last[THREADS];
    for (int i = 0; i < THREADS; i++)
        last[i] = -1;
    for (int i = 0; i < some; i++) {
        int index = (int)take_next(w, task, waits), thread = index / EACH;
        assert_int_equal(seen[index]++, 0);
        assert_true(tide_future_done(many[index]));
        assert_true(index > last[thread]); /* in the order that its thread completed them */
        last[thread] = index;
    }
}

static void each_is_taken_once_whoever_completes_it(void **state)
{
    pthread_t threads[THREADS];
    struct tide_task *task = fake_task();
    long waits = 0;
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "complete", complete_mine, (void *)(intptr_t)i), 0);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < THREADS * EACH; i++)
            many[i] = tide_future_new(start_never);
        struct tide_watch *w = tide_watch_new(many, THREADS * EACH);
        pthread_barrier_wait(&barrier);
        take_some(w, task, round % 3 == 0 ? EACH / 2 : THREADS * EACH, &waits);
        tide_watch_end(w);
        tide_object_unref(&w->object);
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < THREADS * EACH; i++) {
            assert_int_equal(atomic_load(&many[i]->object.refs), 1);
            tide_future_unref(many[i]);
        }
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    print_message("waited %ld times for %d futures\n", waits, ROUNDS * THREADS * EACH);
    tide_task_free(task);
}

#define WATCH_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(they_are_taken_in_the_order_they_complete),
        WATCH_TEST(those_that_were_complete_come_first),
        WATCH_TEST(each_way_to_complete_counts),
        WATCH_TEST(one_future_may_be_watched_twice),
        WATCH_TEST(a_watch_over_nothing_never_has_any),
        WATCH_TEST(nobody_waits_where_one_can_be_taken),
        WATCH_TEST(who_waits_is_woken_by_the_next),
        WATCH_TEST(who_left_is_not_woken),
        WATCH_TEST(it_holds_each_future_and_one_of_itself_for_each),
        WATCH_TEST(end_takes_its_callbacks_back),
        WATCH_TEST(new_fails_without_memory),
        WATCH_TEST(each_is_taken_once_whoever_completes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
