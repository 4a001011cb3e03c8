#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "racers.h"
#include "sync/semaphore.h"

enum { RACERS = 5, PERMITS = 2 };

static struct tide_worker worker;
static struct tide_semaphore *semaphore;

static int setup(void **state)
{
    fake_worker_open(&worker);
    semaphore = tide_semaphore_new(PERMITS, PERMITS);
    return semaphore ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&semaphore->object);
    fake_worker_close(&worker);
    return 0;
}

static void take_all(void)
{
    while (tide_semaphore_try(semaphore))
        continue;
}

static struct tide_task *waiting_task(void)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_semaphore_enqueue(semaphore, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

/* The next task that was made ready must be that one, for that reason. */
static void expect(struct tide_task *task, enum tide_wait_state how)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), how);
    if (how != TIDE_WAIT_WOKEN)
        tide_semaphore_leave(semaphore, &task->waiter);
    tide_task_free(task);
}

static void expect_nobody(void)
{
    fake_take_mail();
    assert_null(fake_ready());
}

static void permits_are_taken_and_given_back(void **state)
{
    assert_int_equal(tide_semaphore_value(semaphore), 2);
    assert_true(tide_semaphore_try(semaphore));
    assert_true(tide_semaphore_try(semaphore));
    assert_false(tide_semaphore_try(semaphore));
    assert_int_equal(tide_semaphore_value(semaphore), 0);
    assert_int_equal(tide_semaphore_release(semaphore, 2), 0);
    assert_int_equal(tide_semaphore_value(semaphore), 2);
}

static void a_bound_is_not_passed(void **state)
{
    assert_true(tide_semaphore_bounded(semaphore));
    assert_int_equal(tide_semaphore_release(semaphore, 1), TIDE_EINVAL);
    assert_true(tide_semaphore_try(semaphore));
    assert_int_equal(tide_semaphore_release(semaphore, 2), TIDE_EINVAL);
    assert_int_equal(tide_semaphore_value(semaphore), 1);
    assert_true(tide_semaphore_try(semaphore));
    struct tide_task *task = waiting_task();
    assert_int_equal(tide_semaphore_release(semaphore, 3), TIDE_EINVAL);
    assert_int_equal(tide_semaphore_release(semaphore, INT64_MAX), TIDE_EINVAL);
    expect_nobody();
    assert_int_equal(tide_semaphore_release(semaphore, 2), 0);
    expect(task, TIDE_WAIT_WOKEN);
    assert_int_equal(tide_semaphore_value(semaphore), 1);
}

static void the_largest_number_is_not_passed(void **state)
{
    struct tide_semaphore *large = tide_semaphore_new(TIDE_SEMAPHORE_MAX - 1, TIDE_SEMAPHORE_MAX);
    assert_false(tide_semaphore_bounded(large));
    assert_int_equal(tide_semaphore_release(large, INT64_MAX), TIDE_EINVAL);
    assert_int_equal(tide_semaphore_release(large, 1), 0);
    assert_int_equal(tide_semaphore_release(large, 1), TIDE_EINVAL);
    assert_true(tide_semaphore_value(large) == TIDE_SEMAPHORE_MAX);
    tide_object_unref(&large->object);
}

static void waiters_are_served_in_the_order_they_came(void **state)
{
    struct tide_task *tasks[3];
    take_all();
    for (int i = 0; i < 3; i++)
        tasks[i] = waiting_task();
    assert_int_equal(tide_semaphore_release(semaphore, 1), 0);
    assert_false(tide_semaphore_try(semaphore)); /* nobody overtakes */
    expect(tasks[0], TIDE_WAIT_WOKEN);
    expect_nobody();
    assert_int_equal(tide_semaphore_release(semaphore, 2), 0);
    expect(tasks[1], TIDE_WAIT_WOKEN);
    expect(tasks[2], TIDE_WAIT_WOKEN);
    assert_int_equal(tide_semaphore_value(semaphore), 0);
}

static void a_permit_that_is_there_is_not_waited_for(void **state)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_semaphore_enqueue(semaphore, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    assert_int_equal(tide_semaphore_value(semaphore), 1);
    tide_task_free(task);
}

static void who_was_interrupted_is_passed_over(void **state)
{
    take_all();
    struct tide_task *first = waiting_task(), *second = waiting_task();
    assert_true(tide_wait_interrupt(first, 0));
    assert_int_equal(tide_semaphore_release(semaphore, 1), 0);
    expect(first, TIDE_WAIT_INTERRUPTED);
    expect(second, TIDE_WAIT_WOKEN);
}

static void a_permit_that_nobody_is_left_for_stays(void **state)
{
    take_all();
    struct tide_task *task = waiting_task();
    assert_true(tide_wait_interrupt(task, 0));
    assert_int_equal(tide_semaphore_release(semaphore, 1), 0);
    assert_int_equal(tide_semaphore_value(semaphore), 1);
    expect(task, TIDE_WAIT_INTERRUPTED);
    assert_int_equal(tide_semaphore_value(semaphore), 1);
}

static void the_last_who_leaves_clears_the_way(void **state)
{
    take_all();
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_semaphore_enqueue(semaphore, &task->waiter, task), 0);
    assert_int_equal(fake_wait(task, tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    tide_semaphore_leave(semaphore, &task->waiter);
    assert_int_equal(atomic_load(&semaphore->word), 0);
    tide_task_free(task);
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_semaphore *none = tide_semaphore_new(1, 1);
    tide_alloc_fail_after(-1);
    assert_null(none);
}

/* ---- wake, time-out and interruption at once ---- */

static _Atomic int inside;

static void use_permit(struct racer *me)
{
    me->wrong += atomic_fetch_add(&inside, 1) >= PERMITS;
    if (fake_random(&me->seed) % 4)
        racer_pause(&me->seed);
    atomic_fetch_sub(&inside, 1);
    me->wrong += tide_semaphore_release(semaphore, 1) != 0;
}

static void take_once(struct racer *me, struct tide_task *task)
{
    if (fake_random(&me->seed) % 8 == 0 && tide_semaphore_try(semaphore)) {
        use_permit(me);
        return;
    }
    tide_wait_begin(task);
    if (tide_semaphore_enqueue(semaphore, &task->waiter, task)) {
        if (racer_skip(me, task))
            use_permit(me);
        else
            me->wrong += tide_semaphore_release(semaphore, 1) != 0;
        return;
    }
    if (racer_wait(me, task, true) == TIDE_WAIT_WOKEN)
        use_permit(me);
    else
        tide_semaphore_leave(semaphore, &task->waiter);
}

static void no_permit_is_lost(void **state)
{
    race(RACERS, take_once);
    assert_int_equal(atomic_load(&semaphore->word), PERMITS * 2); /* and no mark of a waiter */
}

#define SEMAPHORE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEMAPHORE_TEST(permits_are_taken_and_given_back),
        SEMAPHORE_TEST(a_bound_is_not_passed),
        SEMAPHORE_TEST(the_largest_number_is_not_passed),
        SEMAPHORE_TEST(waiters_are_served_in_the_order_they_came),
        SEMAPHORE_TEST(a_permit_that_is_there_is_not_waited_for),
        SEMAPHORE_TEST(who_was_interrupted_is_passed_over),
        SEMAPHORE_TEST(a_permit_that_nobody_is_left_for_stays),
        SEMAPHORE_TEST(the_last_who_leaves_clears_the_way),
        SEMAPHORE_TEST(new_fails_without_memory),
        SEMAPHORE_TEST(no_permit_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
