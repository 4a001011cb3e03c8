#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "racers.h"
#include "sync/lock.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { RACERS = 4 };

static struct tide_worker worker;
static struct tide_lock *lock;
static struct tide_task *tasks[4];

static int setup_sort(bool recursive)
{
    fake_worker_open(&worker);
    lock = tide_lock_new(recursive, "jobs");
    for (int i = 0; i < 4; i++)
        tasks[i] = fake_task();
    return lock ? 0 : -1;
}

static int setup(void **state)
{
    return setup_sort(false);
}

static int setup_recursive(void **state)
{
    return setup_sort(true);
}

static int teardown(void **state)
{
    for (int i = 0; i < 4; i++)
        tide_task_free(tasks[i]);
    assert_int_equal(atomic_load(&lock->object.refs), 1);
    tide_object_unref(&lock->object);
    fake_worker_close(&worker);
    return 0;
}

static void take(struct tide_task *task)
{
    assert_int_equal(tide_lock_try(lock, task), TIDE_LOCK_TAKEN);
}

static void release(struct tide_task *task)
{
    assert_true(tide_lock_release(lock, task));
}

static void enqueue(struct tide_task *task, enum tide_lock_waiting how)
{
    tide_wait_begin(task);
    assert_int_equal(tide_lock_enqueue(lock, &task->waiter, task, how), TIDE_LOCK_HELD);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
}

/* Asserts that `task` and nobody else was woken, and closes its wait. */
static void woken(struct tide_task *task)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_null(fake_ready());
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_WOKEN);
}

static void nobody_woken(void)
{
    fake_take_mail();
    assert_null(fake_ready());
}

static void a_waiter_grows_old(struct tide_task *task)
{
    task->waiter.item.as.integer -= TIDE_MS(2);
}

static void one_task_has_it(void **state)
{
    assert_false(tide_lock_locked(lock));
    take(tasks[0]);
    assert_true(tide_lock_locked(lock));
    assert_ptr_equal(tide_lock_owner(lock), tasks[0]);
    assert_int_equal(tide_lock_try(lock, tasks[0]), TIDE_LOCK_OWN);
    assert_int_equal(tide_lock_try(lock, tasks[1]), TIDE_LOCK_HELD);
    assert_int_equal(tide_lock_spin(lock, tasks[1]), TIDE_LOCK_HELD);
    assert_false(tide_lock_release(lock, tasks[1]));
    release(tasks[0]);
    assert_false(tide_lock_release(lock, tasks[0]));
    take(tasks[1]);
    release(tasks[1]);
}

static void its_owner_may_take_a_recursive_one_again(void **state)
{
    for (int i = 0; i < 3; i++)
        take(tasks[0]);
    release(tasks[0]);
    assert_int_equal(tide_lock_try(lock, tasks[1]), TIDE_LOCK_HELD);
    assert_int_equal(tide_lock_release_all(lock, tasks[0]), 2);
    take(tasks[1]);
    tide_lock_restore(lock, 2);
    release(tasks[1]);
    assert_true(tide_lock_locked(lock));
    release(tasks[1]);
    assert_false(tide_lock_locked(lock));
}

static void one_that_is_held_stays_alive(void **state)
{
    struct tide_lock *mine = tide_lock_new(false, NULL);
    assert_int_equal(tide_lock_try(mine, tasks[0]), TIDE_LOCK_TAKEN);
    tide_object_unref(&mine->object);
    assert_ptr_equal(tide_lock_owner(mine), tasks[0]);
    tide_lock_abandon_all(tasks[0]);
    assert_true(tide_list_empty(&tasks[0]->held));
}

static void a_release_wakes_one_who_competes(void **state)
{
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    enqueue(tasks[2], TIDE_LOCK_NEWCOMER);
    release(tasks[0]);
    take(tasks[0]); /* a newcomer is faster */
    release(tasks[0]);
    take(tasks[0]);
    woken(tasks[1]); /* no herd: the second waits still */
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_HELD);
    enqueue(tasks[1], TIDE_LOCK_LOST); /* before the second */
    release(tasks[0]);
    woken(tasks[1]);
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_TAKEN);
    release(tasks[1]);
    woken(tasks[2]);
    assert_int_equal(tide_lock_resume(lock, tasks[2]), TIDE_LOCK_TAKEN);
    release(tasks[2]);
    assert_int_equal(atomic_load(&lock->word), 0);
}

static void who_has_waited_is_handed_the_lock(void **state)
{
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    enqueue(tasks[2], TIDE_LOCK_NEWCOMER);
    a_waiter_grows_old(tasks[1]);
    release(tasks[0]);
    assert_ptr_equal(tide_lock_owner(lock), tasks[1]);
    assert_int_equal(tide_lock_try(lock, tasks[0]), TIDE_LOCK_HELD);
    woken(tasks[1]);
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_TAKEN);
    a_waiter_grows_old(tasks[2]);
    release(tasks[1]);
    assert_ptr_equal(tide_lock_owner(lock), tasks[2]);
    woken(tasks[2]);
    assert_int_equal(tide_lock_resume(lock, tasks[2]), TIDE_LOCK_TAKEN);
    release(tasks[2]);
    assert_int_equal(atomic_load(&lock->word), 0);
}

/* While one competes another may have waited for too long: it does not wait for the competitor. */
static void a_loser_keeps_its_time(void **state)
{
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    release(tasks[0]);
    take(tasks[0]);
    woken(tasks[1]);
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_HELD);
    a_waiter_grows_old(tasks[1]);
    enqueue(tasks[1], TIDE_LOCK_LOST);
    release(tasks[0]);
    assert_ptr_equal(tide_lock_owner(lock), tasks[1]);
    woken(tasks[1]);
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_TAKEN);
    release(tasks[1]);
}

static void a_loser_that_gives_up_lets_the_next_compete(void **state)
{
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    enqueue(tasks[2], TIDE_LOCK_NEWCOMER);
    release(tasks[0]);
    take(tasks[0]);
    woken(tasks[1]);
    assert_int_equal(tide_lock_resume(lock, tasks[1]), TIDE_LOCK_HELD);
    release(tasks[0]); /* wakes nobody: the first is under way, as far as anybody knows */
    nobody_woken();
    tide_lock_pass_on(lock);
    woken(tasks[2]);
    assert_int_equal(tide_lock_resume(lock, tasks[2]), TIDE_LOCK_TAKEN);
    tide_lock_pass_on(lock);
    release(tasks[2]);
    assert_int_equal(atomic_load(&lock->word), 0);
}

static void waiters_that_have_left_are_passed_over(void **state)
{
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    enqueue(tasks[2], TIDE_LOCK_NEWCOMER);
    a_waiter_grows_old(tasks[1]);
    assert_true(tide_cancel_request(&tasks[1]->root, TIDE_CANCEL_REQUESTED));
    release(tasks[0]);
    assert_ptr_equal(tide_lock_owner(lock), tasks[2]);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), tasks[1]);
    assert_ptr_equal(fake_ready(), tasks[2]);
    assert_int_equal(tide_wait_end(tasks[1]), TIDE_WAIT_INTERRUPTED);
    tide_lock_leave(lock, &tasks[1]->waiter);
    assert_int_equal(tide_wait_end(tasks[2]), TIDE_WAIT_WOKEN);
    assert_int_equal(tide_lock_resume(lock, tasks[2]), TIDE_LOCK_TAKEN);
    release(tasks[2]);
    assert_int_equal(atomic_load(&lock->word), 0);
}

static void a_time_out_leaves_a_free_path(void **state)
{
    take(tasks[0]);
    tide_wait_begin(tasks[1]);
    assert_int_equal(tide_lock_enqueue(lock, &tasks[1]->waiter, tasks[1], TIDE_LOCK_NEWCOMER), TIDE_LOCK_HELD);
    assert_int_equal(fake_wait(tasks[1], tide_now_ns() + TIDE_MS(1)), TIDE_WAIT_TIMED_OUT);
    tide_lock_leave(lock, &tasks[1]->waiter);
    assert_int_equal(atomic_load(&lock->word), (uintptr_t)tasks[0]);
    release(tasks[0]);
    nobody_woken();
}

static void a_free_lock_is_taken_instead_of_waiting(void **state)
{
    tide_wait_begin(tasks[0]);
    assert_int_equal(tide_lock_enqueue(lock, &tasks[0]->waiter, tasks[0], TIDE_LOCK_NEWCOMER), TIDE_LOCK_TAKEN);
    assert_true(tide_wait_abandon(tasks[0]));
    release(tasks[0]);
}

static void an_abandoned_lock_wakes_all_and_stays_so(void **state)
{
    struct tide_lock_side side = {.link = {0}};
    tide_lock_side_add(lock, &side);
    take(tasks[0]);
    enqueue(tasks[1], TIDE_LOCK_NEWCOMER);
    enqueue(tasks[2], TIDE_LOCK_NEWCOMER);
    tide_wait_begin(tasks[3]);
    tide_wait_on(&side.waiters, &tasks[3]->waiter, tasks[3]);
    assert_false(tide_lock_reset(lock));
    tide_lock_abandon_all(tasks[0]);
    fake_take_mail();
    for (int i = 1; i < 4; i++) {
        assert_ptr_equal(fake_ready(), tasks[i]);
        assert_int_equal(tide_wait_end(tasks[i]), TIDE_WAIT_WOKEN);
        assert_int_equal(tide_lock_resume(lock, tasks[i]), TIDE_LOCK_ABANDONED);
    }
    assert_int_equal(tide_lock_try(lock, tasks[1]), TIDE_LOCK_ABANDONED);
    assert_true(tide_lock_locked(lock));
    tide_wait_begin(tasks[1]);
    assert_int_equal(tide_lock_enqueue(lock, &tasks[1]->waiter, tasks[1], TIDE_LOCK_NEWCOMER), TIDE_LOCK_ABANDONED);
    assert_true(tide_wait_abandon(tasks[1]));
    assert_true(tide_lock_reset(lock));
    assert_false(tide_lock_reset(lock));
    take(tasks[1]);
    release(tasks[1]);
    tide_lock_side_remove(lock, &side);
}

static void says(const char *text)
{
    struct tide_strbuf out = {0};
    tide_lock_describe_name(lock, &out);
    tide_strbuf_puts(&out, " ");
    tide_lock_describe(lock, &out);
    if (!strstr(tide_strbuf_text(&out), text))
        assert_string_equal(tide_strbuf_text(&out), text);
    tide_strbuf_fini(&out);
}

static void it_tells_how_it_stands(void **state)
{
    struct tide_lock_file file;
    char held[80], longest[100];
    says("lock 'jobs' free");
    take(tasks[0]);
    tide_lock_file_set(&file, "jobs.lua");
    tide_lock_note(lock, &file, 7);
    snprintf(held, sizeof held, "held by '%s', taken at jobs.lua:7", tide_task_name(tasks[0]));
    says(held);
    tide_lock_file_set(&file, "a.lua");
    tide_lock_note(lock, &file, 8);
    says(" at a.lua:8");
    memset(longest, 'x', sizeof longest);
    longest[99] = 0;
    tide_lock_file_set(&file, longest);
    tide_lock_note(lock, &file, 9);
    says("xxx:9");
    tide_lock_file_set(&file, "a.lua");
    tide_lock_note(lock, &file, 9);
    tide_lock_abandon_all(tasks[0]);
    says("took it at a.lua:9 and ended without releasing it");
    tide_lock_reset(lock);
    take(tasks[0]);
    tide_alloc_fail_after(0);
    tide_lock_abandon_all(tasks[0]);
    tide_alloc_fail_after(-1);
    says("abandoned: its owner ended without releasing it");
    tide_lock_reset(lock);
    says("free");
}

static void new_fails_without_memory(void **state)
{
    for (int n = 0; n < 2; n++) {
        tide_alloc_fail_after(n);
        struct tide_lock *none = tide_lock_new(false, "name");
        tide_alloc_fail_after(-1);
        assert_null(none);
    }
}

/* ---- release, time-out and interruption at once ---- */

static _Atomic int inside;

/* True: it has the lock. */
static bool take_or_wait(struct racer *me, struct tide_task *task)
{
    enum tide_lock_waiting sort = TIDE_LOCK_NEWCOMER;
    if (tide_lock_try(lock, task) == TIDE_LOCK_TAKEN)
        return true;
    for (;;) {
        tide_wait_begin(task);
        if (tide_lock_enqueue(lock, &task->waiter, task, sort) == TIDE_LOCK_TAKEN) {
            racer_skip(me, task);
            return true;
        }
        if (racer_wait(me, task, true) != TIDE_WAIT_WOKEN) {
            tide_lock_leave(lock, &task->waiter);
            return false;
        }
        if (tide_lock_resume(lock, task) == TIDE_LOCK_TAKEN)
            return true;
        if (fake_random(&me->seed) % 4 == 0) { /* its time is over by now */
            tide_lock_pass_on(lock);
            return false;
        }
        sort = TIDE_LOCK_LOST;
    }
}

static void take_once(struct racer *me, struct tide_task *task)
{
    if (!take_or_wait(me, task))
        return;
    me->wrong += atomic_fetch_add(&inside, 1) != 0;
    if (fake_random(&me->seed) % 8 == 0)
        sched_yield();
    atomic_fetch_sub(&inside, 1);
    tide_lock_release(lock, task);
}

static void however_waits_end_one_has_it(void **state)
{
    race(RACERS, take_once);
    assert_false(tide_lock_locked(lock));
    take(tasks[0]);
    release(tasks[0]);
    assert_int_equal(atomic_load(&lock->word), 0);
}

#define LOCK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(one_task_has_it),
        cmocka_unit_test_setup_teardown(its_owner_may_take_a_recursive_one_again, setup_recursive, teardown),
        LOCK_TEST(one_that_is_held_stays_alive),
        LOCK_TEST(a_release_wakes_one_who_competes),
        LOCK_TEST(who_has_waited_is_handed_the_lock),
        LOCK_TEST(a_loser_keeps_its_time),
        LOCK_TEST(a_loser_that_gives_up_lets_the_next_compete),
        LOCK_TEST(waiters_that_have_left_are_passed_over),
        LOCK_TEST(a_time_out_leaves_a_free_path),
        LOCK_TEST(a_free_lock_is_taken_instead_of_waiting),
        LOCK_TEST(an_abandoned_lock_wakes_all_and_stays_so),
        LOCK_TEST(it_tells_how_it_stands),
        LOCK_TEST(new_fails_without_memory),
        LOCK_TEST(however_waits_end_one_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
