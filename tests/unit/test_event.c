#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "racers.h"
#include "sync/event.h"

#include <sched.h>

enum { MANY = 100000, WAITERS = 4 };

static struct tide_worker worker;
static struct tide_event *event;

static int setup(void **state)
{
    fake_worker_open(&worker);
    event = tide_event_new();
    return event ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&event->object);
    fake_worker_close(&worker);
    return 0;
}

static struct tide_task *waiting_task(void)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_event_enqueue(event, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

/* The next task that was woken, its wait closed. */
static struct tide_task *woken_task(enum tide_wait_state how)
{
    struct tide_task *task = fake_ready();
    assert_non_null(task);
    assert_int_equal(tide_wait_end(task), how);
    tide_event_leave(event, &task->waiter);
    return task;
}

static void it_is_what_it_was_set_to(void **state)
{
    assert_false(tide_event_is_set(event));
    tide_event_clear(event);
    assert_false(tide_event_is_set(event));
    tide_event_set(event);
    tide_event_set(event);
    assert_true(tide_event_is_set(event));
    tide_event_clear(event);
    assert_false(tide_event_is_set(event));
}

static void nobody_waits_for_a_set_event(void **state)
{
    struct tide_task *task = fake_task();
    tide_event_set(event);
    tide_wait_begin(task);
    assert_int_equal(tide_event_enqueue(event, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
}

static void set_wakes_all_in_the_order_they_came(void **state)
{
    struct tide_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = waiting_task();
    tide_event_set(event);
    fake_take_mail();
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(woken_task(TIDE_WAIT_WOKEN), tasks[i]);
        tide_task_free(tasks[i]);
    }
    assert_null(fake_ready());
}

static void a_clear_after_set_holds_nobody_back(void **state)
{
    struct tide_task *task = waiting_task();
    tide_event_set(event);
    tide_event_clear(event);
    fake_take_mail();
    assert_ptr_equal(woken_task(TIDE_WAIT_WOKEN), task);
    tide_task_free(task);
}

static void a_time_out_ends_the_wait(void **state)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_event_enqueue(event, &task->waiter, task), 0);
    assert_int_equal(fake_wait(task, tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    tide_event_set(event);
    tide_event_leave(event, &task->waiter);
    fake_take_mail();
    assert_null(fake_ready());
    tide_task_free(task);
}

static void set_passes_over_an_interrupted_waiter(void **state)
{
    struct tide_task *first = waiting_task(), *second = waiting_task();
    assert_true(tide_cancel_request(&first->root, TIDE_CANCEL_REQUESTED));
    tide_event_set(event);
    fake_take_mail();
    assert_ptr_equal(woken_task(TIDE_WAIT_INTERRUPTED), first);
    assert_ptr_equal(woken_task(TIDE_WAIT_WOKEN), second);
    assert_null(fake_ready());
    tide_task_free(first);
    tide_task_free(second);
}

static void a_hundred_thousand_wake_at_once(void **state)
{
    for (int i = 0; i < MANY; i++)
        waiting_task();
    int64_t start = tide_now_ns();
    tide_event_set(event);
    int64_t spent = tide_now_ns() - start;
    print_message("%d waiters woken in %.1f ms\n", MANY, (double)spent * 1e-6);
    assert_true(spent < TIDE_MS(2000)); /* 10 ms; but sanitizers and neighbours take their time */
    fake_take_mail();
    for (int i = 0; i < MANY; i++)
        tide_task_free(woken_task(TIDE_WAIT_WOKEN));
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_event *none = tide_event_new();
    tide_alloc_fail_after(-1);
    assert_null(none);
}

/* ---- wake, time-out and interruption at once ---- */

/* The last racer sets and clears, the others wait. */
static void wait_or_set(struct racer *me, struct tide_task *task)
{
    if (me->number == WAITERS) {
        tide_event_set(event);
        tide_event_clear(event);
        racer_pause(&me->seed);
        return;
    }
    tide_wait_begin(task);
    if (tide_event_enqueue(event, &task->waiter, task) == 0) {
        racer_wait(me, task, true);
    } else if (racer_skip(me, task)) {
        sched_yield();
        return;
    }
    tide_event_leave(event, &task->waiter);
}

static void each_wait_has_one_winner(void **state)
{
    race(WAITERS + 1, wait_or_set);
}

#define EVENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENT_TEST(it_is_what_it_was_set_to),
        EVENT_TEST(nobody_waits_for_a_set_event),
        EVENT_TEST(set_wakes_all_in_the_order_they_came),
        EVENT_TEST(a_clear_after_set_holds_nobody_back),
        EVENT_TEST(a_time_out_ends_the_wait),
        EVENT_TEST(set_passes_over_an_interrupted_waiter),
        EVENT_TEST(a_hundred_thousand_wake_at_once),
        EVENT_TEST(new_fails_without_memory),
        EVENT_TEST(each_wait_has_one_winner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
