#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sync/condition.h"

static struct tide_worker worker;
static struct tide_lock *lock;
static struct tide_condition *condition;
static struct tide_task *tasks[4];

static int setup(void **state)
{
    fake_worker_open(&worker);
    lock = tide_lock_new(true, NULL);
    condition = tide_condition_new(lock);
    for (int i = 0; i < 4; i++)
        tasks[i] = fake_task();
    return condition ? 0 : -1;
}

static int teardown(void **state)
{
    for (int i = 0; i < 4; i++)
        tide_task_free(tasks[i]);
    tide_object_unref(&condition->object);
    assert_int_equal(atomic_load(&lock->object.refs), 1);
    assert_true(tide_list_empty(&lock->sides));
    tide_object_unref(&lock->object);
    fake_worker_close(&worker);
    return 0;
}

static void start_waiting(struct tide_task *task)
{
    assert_int_equal(tide_lock_try(lock, task), TIDE_LOCK_TAKEN);
    tide_wait_begin(task);
    tide_condition_enqueue(condition, &task->waiter, task);
    assert_int_equal(tide_lock_release_all(lock, task), 1);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
}

static void woken(struct tide_task *task, enum tide_wait_state how)
{
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), how);
    if (how != TIDE_WAIT_WOKEN)
        tide_condition_leave(condition, &task->waiter);
}

static void notify_wakes_as_many_as_it_is_told_in_order(void **state)
{
    for (int i = 0; i < 4; i++)
        start_waiting(tasks[i]);
    assert_int_equal(tide_condition_notify(condition, 0), 0);
    assert_int_equal(tide_condition_notify(condition, 1), 1);
    assert_int_equal(tide_condition_notify(condition, 2), 2);
    fake_take_mail();
    for (int i = 0; i < 3; i++)
        woken(tasks[i], TIDE_WAIT_WOKEN);
    assert_null(fake_ready());
    assert_int_equal(tide_condition_notify(condition, UINT64_MAX), 1);
    fake_take_mail();
    woken(tasks[3], TIDE_WAIT_WOKEN);
    assert_int_equal(tide_condition_notify(condition, UINT64_MAX), 0);
}

static void a_notification_goes_to_one_who_still_waits(void **state)
{
    for (int i = 0; i < 3; i++)
        start_waiting(tasks[i]);
    assert_true(tide_cancel_request(&tasks[0]->root, TIDE_CANCEL_REQUESTED));
    assert_true(tide_wait_expire(tasks[1]));
    assert_int_equal(tide_condition_notify(condition, 1), 1);
    fake_take_mail();
    woken(tasks[0], TIDE_WAIT_INTERRUPTED);
    woken(tasks[2], TIDE_WAIT_WOKEN);
    assert_int_equal(tide_wait_end(tasks[1]), TIDE_WAIT_TIMED_OUT);
    tide_condition_leave(condition, &tasks[1]->waiter);
}

static void an_abandoned_lock_wakes_its_conditions(void **state)
{
    struct tide_condition *other = tide_condition_new(lock);
    start_waiting(tasks[0]);
    assert_int_equal(tide_lock_try(lock, tasks[1]), TIDE_LOCK_TAKEN);
    tide_wait_begin(tasks[1]);
    tide_condition_enqueue(other, &tasks[1]->waiter, tasks[1]);
    tide_lock_release_all(lock, tasks[1]);
    assert_int_equal(tide_lock_try(lock, tasks[2]), TIDE_LOCK_TAKEN);
    tide_lock_abandon_all(tasks[2]);
    fake_take_mail();
    woken(tasks[0], TIDE_WAIT_WOKEN);
    woken(tasks[1], TIDE_WAIT_WOKEN);
    assert_int_equal(tide_lock_try(lock, tasks[0]), TIDE_LOCK_ABANDONED);
    tide_object_unref(&other->object);
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_condition *none = tide_condition_new(lock);
    tide_alloc_fail_after(-1);
    assert_null(none);
    assert_int_equal(atomic_load(&lock->object.refs), 2);
}

#define CONDITION_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONDITION_TEST(notify_wakes_as_many_as_it_is_told_in_order),
        CONDITION_TEST(a_notification_goes_to_one_who_still_waits),
        CONDITION_TEST(an_abandoned_lock_wakes_its_conditions),
        CONDITION_TEST(new_fails_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
