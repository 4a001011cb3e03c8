#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "racers.h"
#include "sync/once.h"

enum { RACERS = 4, OBJECTS = 5000 };

static struct tide_worker worker;
static struct tide_once *once;
static _Atomic int values_alive;

static int setup(void **state)
{
    fake_worker_open(&worker);
    once = tide_once_new();
    return once ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&once->holder.object);
    fake_worker_close(&worker);
    return atomic_load(&values_alive);
}

/* A task that enters: it waits, or its wait is closed. */
static struct tide_task *enter(enum tide_once_state expected)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_once_enter(once, &task->waiter, task), expected);
    if (expected == TIDE_ONCE_WAITS)
        assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    else
        assert_true(tide_wait_abandon(task));
    return task;
}

static void expect(struct tide_task *task, enum tide_wait_state how)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), how);
    if (how != TIDE_WAIT_WOKEN)
        tide_once_leave(once, &task->waiter);
}

static void the_first_runs_and_the_others_wait(void **state)
{
    assert_false(tide_once_done(once));
    struct tide_task *runner = enter(TIDE_ONCE_TURN), *a = enter(TIDE_ONCE_WAITS), *b = enter(TIDE_ONCE_WAITS);
    assert_ptr_equal(tide_once_runner(once), runner);
    struct tide_message *values = fake_message(&values_alive);
    tide_once_finish(once, values);
    assert_true(tide_once_done(once));
    assert_ptr_equal(tide_once_values(once), values);
    assert_null(tide_once_runner(once));
    expect(a, TIDE_WAIT_WOKEN);
    expect(b, TIDE_WAIT_WOKEN);
    struct tide_task *late = enter(TIDE_ONCE_DONE);
    tide_once_fail(once); /* too late for that */
    assert_true(tide_once_done(once));
    tide_task_free(runner);
    tide_task_free(a);
    tide_task_free(b);
    tide_task_free(late);
}

static void a_failure_passes_the_turn_on(void **state)
{
    struct tide_task *runner = enter(TIDE_ONCE_TURN), *a = enter(TIDE_ONCE_WAITS), *b = enter(TIDE_ONCE_WAITS);
    assert_true(tide_wait_interrupt(a, 0));
    tide_once_fail(once);
    assert_true(tide_once_runs(once, b));
    expect(a, TIDE_WAIT_INTERRUPTED);
    expect(b, TIDE_WAIT_WOKEN);
    tide_once_fail(once);
    assert_null(tide_once_runner(once));
    tide_task_free(runner);
    tide_task_free(a);
    tide_task_free(b);
    struct tide_task *again = enter(TIDE_ONCE_TURN);
    tide_once_finish(once, NULL);
    tide_task_free(again);
}

static void a_runner_that_enters_again_is_told(void **state)
{
    struct tide_task *task = enter(TIDE_ONCE_TURN);
    tide_wait_begin(task);
    assert_int_equal(tide_once_enter(once, &task->waiter, task), TIDE_ONCE_RECURSES);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
}

static void the_end_takes_the_values(void **state)
{
    tide_task_free(enter(TIDE_ONCE_TURN));
    tide_once_finish(once, fake_message(&values_alive));
    tide_holders_empty();
    assert_int_equal(values_alive, 0);
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_once *none = tide_once_new();
    tide_alloc_fail_after(-1);
    assert_null(none);
}

/* ---- wake, time-out and interruption at once ---- */

static struct tide_once *objects[OBJECTS];
static _Atomic int inside[OBJECTS], finished[OBJECTS];
static _Atomic int current;

/* The caller has the turn: completes the call, or fails. */
static void take_turn(struct racer *me, int i)
{
    me->wrong += atomic_fetch_add(&inside[i], 1) != 0;
    racer_pause(&me->seed);
    atomic_fetch_sub(&inside[i], 1);
    if (fake_random(&me->seed) % 8) {
        tide_once_fail(objects[i]);
        return;
    }
    atomic_fetch_add(&finished[i], 1);
    int expected = i;
    tide_once_finish(objects[i], NULL);
    atomic_compare_exchange_strong(&current, &expected, i + 1);
}

static void run_once(struct racer *me, struct tide_task *task)
{
    int i = atomic_load(&current);
    if (i == OBJECTS)
        return;
    tide_wait_begin(task);
    enum tide_once_state state = tide_once_enter(objects[i], &task->waiter, task);
    if (state != TIDE_ONCE_WAITS) {
        me->wrong += state == TIDE_ONCE_RECURSES;
        bool whole = racer_skip(me, task);
        if (state == TIDE_ONCE_TURN && whole)
            take_turn(me, i);
        else if (state == TIDE_ONCE_TURN)
            tide_once_fail(objects[i]);
        return;
    }
    if (racer_wait(me, task, true) != TIDE_WAIT_WOKEN)
        tide_once_leave(objects[i], &task->waiter);
    else if (tide_once_runs(objects[i], task))
        take_turn(me, i);
    else
        me->wrong += !tide_once_done(objects[i]);
}

static void no_turn_is_lost(void **state)
{
    for (int i = 0; i < OBJECTS; i++)
        objects[i] = tide_once_new();
    race(RACERS, run_once);
    print_message("%d were done\n", current);
    assert_true(current > 0);
    for (int i = 0; i < OBJECTS; i++) {
        assert_int_equal(finished[i], i < current);
        assert_null(tide_once_runner(objects[i]));
        tide_object_unref(&objects[i]->holder.object);
    }
}

#define ONCE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONCE_TEST(the_first_runs_and_the_others_wait),
        ONCE_TEST(a_failure_passes_the_turn_on),
        ONCE_TEST(a_runner_that_enters_again_is_told),
        ONCE_TEST(the_end_takes_the_values),
        ONCE_TEST(new_fails_without_memory),
        ONCE_TEST(no_turn_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
