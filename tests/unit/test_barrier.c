#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "racers.h"
#include "sync/barrier.h"

enum { RACERS = 4 };

static struct tide_worker worker;
static struct tide_barrier *barrier;
static _Atomic int actions_alive;

static int setup(void **state)
{
    fake_worker_open(&worker);
    barrier = tide_barrier_new(2, 0, NULL);
    return barrier ? 0 : -1;
}

static int setup_acting(void **state)
{
    fake_worker_open(&worker);
    barrier = tide_barrier_new(2, 0, fake_message(&actions_alive));
    return barrier ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&barrier->object);
    fake_worker_close(&worker);
    return atomic_load(&actions_alive);
}

/* A task that arrives: it waits, or the outcome is as told and its wait is closed. */
static struct tide_task *arrive(enum tide_barrier_outcome outcome)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_barrier_arrive(barrier, &task->waiter, task), outcome);
    if (outcome == TIDE_BARRIER_WAITS)
        assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    else
        assert_true(tide_wait_abandon(task));
    return task;
}

/* The next task that was made ready must be that one, woken and told that. */
static void expect(struct tide_task *task, enum tide_barrier_outcome told)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_WOKEN);
    assert_int_equal(tide_barrier_told(&task->waiter), told);
    tide_task_free(task);
}

/* The task stops waiting. */
static void interrupt(struct tide_task *task)
{
    assert_true(tide_wait_interrupt(task, 0));
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    tide_barrier_leave(barrier, &task->waiter, tide_wait_end(task));
    tide_task_free(task);
}

static void all_go_on_when_the_last_arrives(void **state)
{
    for (int round = 0; round < 3; round++) {
        struct tide_task *first = arrive(TIDE_BARRIER_WAITS);
        assert_int_equal(first->waiter.index, 1);
        assert_int_equal(tide_barrier_waiting(barrier), 1);
        struct tide_task *last = arrive(TIDE_BARRIER_PASSED);
        assert_int_equal(last->waiter.index, 2);
        assert_int_equal(tide_barrier_waiting(barrier), 0);
        expect(first, TIDE_BARRIER_PASSED);
        tide_task_free(last);
    }
}

static void who_leaves_breaks_it(void **state)
{
    interrupt(arrive(TIDE_BARRIER_WAITS));
    assert_true(tide_barrier_broken(barrier));
    tide_task_free(arrive(TIDE_BARRIER_CANCELLED));
    tide_barrier_reset(barrier);
    assert_false(tide_barrier_broken(barrier));
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_barrier_arrive(barrier, &task->waiter, task), TIDE_BARRIER_WAITS);
    assert_int_equal(fake_wait(task, tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    tide_barrier_leave(barrier, &task->waiter, TIDE_WAIT_TIMED_OUT);
    tide_task_free(task);
    tide_task_free(arrive(TIDE_BARRIER_TIMED_OUT));
}

static void it_passes_for_nobody_who_is_on_the_way_out(void **state)
{
    struct tide_task *first = arrive(TIDE_BARRIER_WAITS);
    assert_true(tide_wait_interrupt(first, 0));
    tide_task_free(arrive(TIDE_BARRIER_TIMED_OUT)); /* not PASSED */
    fake_take_mail();
    assert_ptr_equal(fake_ready(), first);
    tide_barrier_reset(barrier);
    tide_barrier_leave(barrier, &first->waiter, tide_wait_end(first)); /* too late to break anything */
    tide_task_free(first);
    assert_false(tide_barrier_broken(barrier));
}

static void abort_breaks_and_reset_mends(void **state)
{
    struct tide_task *task = arrive(TIDE_BARRIER_WAITS);
    tide_barrier_abort(barrier);
    tide_barrier_abort(barrier);
    expect(task, TIDE_BARRIER_ABORTED);
    tide_task_free(arrive(TIDE_BARRIER_ABORTED));
    tide_barrier_reset(barrier);
    task = arrive(TIDE_BARRIER_WAITS);
    tide_barrier_reset(barrier);
    expect(task, TIDE_BARRIER_RESET);
    assert_false(tide_barrier_broken(barrier));
    assert_int_equal(tide_barrier_waiting(barrier), 0);
}

static void others_wait_while_the_action_runs(void **state)
{
    struct tide_task *first = arrive(TIDE_BARRIER_WAITS), *actor = arrive(TIDE_BARRIER_ACTS);
    uint64_t generation = tide_barrier_turn(&actor->waiter);
    struct tide_task *late = arrive(TIDE_BARRIER_WAITS);
    assert_int_equal(late->waiter.index, 0);
    assert_int_equal(tide_barrier_waiting(barrier), 1);
    tide_wait_begin(actor);
    assert_int_equal(tide_barrier_arrive(barrier, &actor->waiter, actor), TIDE_BARRIER_RECURSES);
    assert_true(tide_wait_abandon(actor));
    interrupt(arrive(TIDE_BARRIER_WAITS)); /* at the door: it has not arrived */
    assert_int_equal(tide_barrier_pass(barrier, generation), TIDE_BARRIER_PASSED);
    expect(first, TIDE_BARRIER_PASSED);
    expect(late, TIDE_BARRIER_AGAIN);
    tide_task_free(actor);
    tide_barrier_fail(barrier, generation, TIDE_BARRIER_FAILED); /* it has ended */
    assert_false(tide_barrier_broken(barrier));
}

static void a_failed_action_breaks_it(void **state)
{
    struct tide_task *first = arrive(TIDE_BARRIER_WAITS), *actor = arrive(TIDE_BARRIER_ACTS);
    tide_barrier_fail(barrier, tide_barrier_turn(&actor->waiter), TIDE_BARRIER_FAILED);
    expect(first, TIDE_BARRIER_FAILED);
    tide_task_free(actor);
    assert_true(tide_barrier_broken(barrier));
}

static void an_action_does_not_pass_what_broke_meanwhile(void **state)
{
    struct tide_task *first = arrive(TIDE_BARRIER_WAITS), *actor = arrive(TIDE_BARRIER_ACTS);
    uint64_t generation = tide_barrier_turn(&actor->waiter);
    interrupt(first);
    assert_int_equal(tide_barrier_pass(barrier, generation), TIDE_BARRIER_CANCELLED);
    tide_barrier_reset(barrier);
    assert_int_equal(tide_barrier_pass(barrier, generation), TIDE_BARRIER_RESET);
    tide_task_free(actor);
}

static void new_fails_without_memory(void **state)
{
    struct tide_message *action = fake_message(&actions_alive);
    tide_alloc_fail_after(0);
    struct tide_barrier *none = tide_barrier_new(1, 0, action);
    tide_alloc_fail_after(-1);
    assert_null(none);
    assert_int_equal(actions_alive, 0);
}

/* ---- wake, time-out and interruption at once ---- */

static _Atomic long passed[3], acted; /* by index */

static void count(struct racer *me, enum tide_barrier_outcome outcome, uint32_t index)
{
    if (outcome == TIDE_BARRIER_PASSED && (index == 1 || index == 2))
        atomic_fetch_add(&passed[index], 1);
    else if (outcome <= TIDE_BARRIER_RECURSES)
        me->wrong += outcome != TIDE_BARRIER_AGAIN;
    else if (fake_random(&me->seed) % 2)
        tide_barrier_reset(barrier);
}

static void meet(struct racer *me, struct tide_task *task)
{
    tide_wait_begin(task);
    enum tide_barrier_outcome outcome = tide_barrier_arrive(barrier, &task->waiter, task);
    if (outcome != TIDE_BARRIER_WAITS) {
        uint64_t generation = tide_barrier_turn(&task->waiter);
        bool whole = racer_skip(me, task);
        if (outcome == TIDE_BARRIER_ACTS && !whole) {
            tide_barrier_fail(barrier, generation, TIDE_BARRIER_CANCELLED);
            return;
        }
        if (outcome == TIDE_BARRIER_ACTS) {
            racer_pause(&me->seed);
            atomic_fetch_add(&acted, 1);
            outcome = tide_barrier_pass(barrier, generation);
        }
        count(me, outcome, task->waiter.index);
        return;
    }
    enum tide_wait_state how = racer_wait(me, task, false);
    if (how == TIDE_WAIT_WOKEN)
        count(me, tide_barrier_told(&task->waiter), task->waiter.index);
    else
        tide_barrier_leave(barrier, &task->waiter, how);
}

static void all_pass_or_none(void **state)
{
    for (int i = 0; i < 3; i++)
        atomic_store(&passed[i], 0);
    atomic_store(&acted, 0);
    race(RACERS, meet);
    print_message("passed %ld times, %ld actions\n", passed[1], acted);
    assert_int_equal(passed[1], passed[2]);
    if (barrier->action)
        assert_true(acted >= passed[1]);
}

#define BARRIER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define ACTION_TEST(f)  cmocka_unit_test_setup_teardown(f, setup_acting, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARRIER_TEST(all_go_on_when_the_last_arrives),
        BARRIER_TEST(who_leaves_breaks_it),
        BARRIER_TEST(it_passes_for_nobody_who_is_on_the_way_out),
        BARRIER_TEST(abort_breaks_and_reset_mends),
        ACTION_TEST(others_wait_while_the_action_runs),
        ACTION_TEST(a_failed_action_breaks_it),
        ACTION_TEST(an_action_does_not_pass_what_broke_meanwhile),
        BARRIER_TEST(new_fails_without_memory),
        BARRIER_TEST(all_pass_or_none),
        ACTION_TEST(all_pass_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
