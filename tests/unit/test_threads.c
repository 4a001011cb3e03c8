#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "exec/thread.h"
#include "fake_worker.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

static struct tide_thread *told;
static int told_count;
static enum tide_future_state told_in;

static void tell(struct tide_thread *thread)
{
    told = thread;
    told_in = tide_future_state(&thread->future);
    told_count++;
}

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

static int setup(void **state)
{
    fake_runtime_open(1, true);
    tide_thread_failed = tell;
    told = NULL;
    told_count = 0;
    return 0;
}

static int teardown(void **state)
{
    tide_thread_failed = NULL;
    fake_runtime_close();
    return 0;
}

static struct tide_thread *fresh(bool daemon)
{
    struct tide_thread *thread = tide_thread_new(start_never, daemon);
    assert_non_null(thread);
    assert_int_equal(tide_thread_set_name(thread, "worker bee"), 0);
    return thread;
}

static struct tide_thread *launched(bool daemon)
{
    struct tide_thread *thread = fresh(daemon);
    assert_int_equal(tide_thread_launch(thread), 0);
    return thread;
}

/* Plays the worker that takes the next entry: false if it was cancelled. */
static bool start_next(struct tide_thread *expected)
{
    struct tide_entry *entry = fake_pop();
    assert_non_null(entry);
    struct tide_future *future = tide_container(entry, struct tide_future, entry);
    assert_ptr_equal(tide_thread_of(future), expected);
    struct tide_task *task = fake_task();
    if (tide_future_begin(future, task) == 0)
        return true;
    tide_task_free(task);
    tide_future_unref(future);
    return false;
}

static void end(struct tide_thread *thread, enum tide_future_state how)
{
    struct tide_task *task = tide_future_task(&thread->future);
    tide_future_finish(&thread->future, how, NULL, how == TIDE_FUTURE_FAILED ? tide_strdup("why") : NULL);
    tide_task_free(task);
    tide_thread_unref(thread); /* the run's */
}

static int64_t holds(void)
{
    return atomic_load(&tide_runtime_get()->holds);
}

static void a_thread_is_registered_from_its_start_to_its_end(void **state)
{
    struct tide_thread *thread = fresh(false), *list[2];
    assert_false(tide_thread_is_alive(thread));
    assert_int_equal(atomic_load(&thread->id), 0);
    assert_int_equal(tide_threads_count(), 0);
    assert_int_equal(tide_thread_launch(thread), 0);
    assert_true(tide_thread_is_alive(thread));
    assert_int_not_equal(atomic_load(&thread->id), 0);
    assert_int_equal(tide_threads_list(list, 2), 1);
    assert_ptr_equal(list[0], thread);
    tide_thread_unref(list[0]);
    assert_int_equal(holds(), 1);
    assert_true(start_next(thread));
    assert_true(tide_thread_is_alive(thread));
    end(thread, TIDE_FUTURE_DONE);
    assert_false(tide_thread_is_alive(thread));
    assert_int_equal(tide_threads_count(), 0);
    assert_int_equal(holds(), 0);
    assert_int_equal(atomic_load(&thread->future.object.refs), 1);
    tide_thread_unref(thread);
}

static void a_thread_starts_once(void **state)
{
    struct tide_thread *thread = launched(false);
    assert_int_equal(tide_thread_launch(thread), TIDE_EAGAIN);
    assert_true(start_next(thread));
    end(thread, TIDE_FUTURE_DONE);
    assert_int_equal(tide_thread_launch(thread), TIDE_EAGAIN);
    assert_null(fake_pop());
    tide_thread_unref(thread);
}

static void name_and_daemon_are_fixed_by_the_start(void **state)
{
    struct tide_thread *thread = fresh(false);
    const char *before = tide_thread_name(thread);
    assert_int_equal(tide_thread_set_name(thread, "other"), 0);
    assert_string_equal(before, "worker bee"); /* readers may still have it */
    assert_string_equal(tide_thread_name(thread), "other");
    assert_int_equal(tide_thread_set_daemon(thread, true), 0);
    assert_int_equal(tide_thread_launch(thread), 0);
    assert_int_equal(tide_thread_set_name(thread, "late"), TIDE_EAGAIN);
    assert_int_equal(tide_thread_set_daemon(thread, false), TIDE_EAGAIN);
    assert_string_equal(tide_thread_name(thread), "other");
    assert_string_equal(thread->future.name, "other");
    assert_int_equal(atomic_load(&tide_runtime_get()->daemons), 1);
    assert_int_equal(holds(), 0);
    assert_true(start_next(thread));
    end(thread, TIDE_FUTURE_DONE);
    assert_int_equal(atomic_load(&tide_runtime_get()->daemons), 0);
    tide_thread_unref(thread);
}

static void the_default_name_has_a_number_and_the_function(void **state)
{
    struct tide_thread *thread = fresh(false);
    assert_int_equal(tide_thread_name_after(thread, "fetch (script.lua:3)"), 0);
    assert_int_equal(strncmp(tide_thread_name(thread), "Thread-", 7), 0);
    assert_non_null(strstr(tide_thread_name(thread), " (fetch)"));
    assert_int_equal(tide_thread_name_after(thread, "function at (command line):3"), 0);
    assert_non_null(strstr(tide_thread_name(thread), " (function at (command line):3)"));
    tide_thread_unref(thread);
}

static void one_that_is_cancelled_before_its_start_never_starts(void **state)
{
    struct tide_thread *thread = fresh(false);
    assert_true(tide_thread_cancel(thread));
    assert_int_equal(tide_future_state(&thread->future), TIDE_FUTURE_CANCELLED);
    assert_int_equal(tide_thread_launch(thread), TIDE_ECANCELED);
    assert_true(tide_thread_cancel(thread));
    assert_int_equal(holds(), 0);
    tide_thread_unref(thread);
}

static void one_that_is_cancelled_while_queued_ends_at_once(void **state)
{
    struct tide_thread *thread = launched(false);
    assert_true(tide_thread_cancel(thread));
    assert_int_equal(tide_threads_count(), 0);
    assert_int_equal(holds(), 0);
    assert_false(start_next(thread));
    assert_int_equal(told_count, 0);
    tide_thread_unref(thread);
}

static void a_failure_is_told_before_those_who_join_are_woken(void **state)
{
    struct tide_thread *thread = launched(false);
    assert_true(start_next(thread));
    end(thread, TIDE_FUTURE_FAILED);
    assert_int_equal(told_count, 1);
    assert_ptr_equal(told, thread);
    assert_int_equal(told_in, TIDE_FUTURE_RUNNING);
    tide_thread_unref(thread);
    assert_int_equal(told_count, 1);
}

static void a_failure_that_somebody_waits_for_is_not_told(void **state)
{
    struct tide_thread *thread = launched(false);
    assert_true(start_next(thread));
    tide_thread_ask(thread);
    end(thread, TIDE_FUTURE_FAILED);
    tide_thread_answered(thread);
    tide_thread_unref(thread);
    assert_int_equal(told_count, 0);
}

static void a_failure_is_told_when_the_one_who_asked_goes_away(void **state)
{
    struct tide_thread *thread = launched(false);
    assert_true(start_next(thread));
    tide_thread_ask(thread);
    tide_thread_gave_up(thread); /* it runs still */
    assert_int_equal(told_count, 0);
    tide_thread_ask(thread);
    tide_thread_ask(thread);
    end(thread, TIDE_FUTURE_FAILED);
    tide_thread_gave_up(thread); /* the other one will have it, */
    assert_int_equal(told_count, 0);
    tide_thread_gave_up(thread); /* or not */
    assert_int_equal(told_count, 1);
    tide_thread_unref(thread);
}

static void ignored_and_cancelled_ones_are_not_told(void **state)
{
    struct tide_thread *ignored = launched(false), *cancelled = launched(false);
    tide_future_mark(&ignored->future, TIDE_FUTURE_IGNORED);
    assert_true(start_next(ignored));
    assert_true(start_next(cancelled));
    end(ignored, TIDE_FUTURE_FAILED);
    end(cancelled, TIDE_FUTURE_CANCELLED);
    assert_int_equal(told_count, 0);
    tide_thread_unref(ignored);
    tide_thread_unref(cancelled);
}

static void one_that_cannot_be_queued_fails_and_is_told(void **state)
{
    struct tide_thread *thread = launched(false);
    fake_pop();
    tide_future_drop(&thread->future, TIDE_FUTURE_FAILED, tide_strdup("no worker"));
    tide_thread_unref(thread); /* what the entry had */
    assert_int_equal(told_count, 1);
    assert_int_equal(tide_threads_count(), 0);
    assert_int_equal(holds(), 0);
    tide_thread_unref(thread);
}

static void the_list_is_in_the_order_of_starts_and_cut_to_its_room(void **state)
{
    struct tide_thread *threads[3], *list[2];
    for (int i = 0; i < 3; i++)
        threads[i] = launched(i == 1);
    assert_int_equal(tide_threads_list(list, 2), 3);
    assert_ptr_equal(list[0], threads[0]);
    assert_ptr_equal(list[1], threads[1]);
    tide_thread_unref(list[0]);
    tide_thread_unref(list[1]);
    for (int i = 0; i < 3; i++) {
        assert_true(start_next(threads[i]));
        end(threads[i], TIDE_FUTURE_DONE);
        tide_thread_unref(threads[i]);
    }
}

static void one_that_stands_for_a_task_lives_as_long(void **state)
{
    struct tide_thread *thread = tide_thread_stand("fetch", 7);
    assert_true(tide_thread_is_alive(thread));
    assert_string_equal(tide_thread_name(thread), "fetch");
    assert_int_equal(atomic_load(&thread->id), 7);
    assert_false(tide_thread_cancel(thread));
    assert_int_equal(tide_thread_launch(thread), TIDE_EAGAIN);
    assert_int_equal(tide_threads_count(), 0);
    tide_thread_stood(thread);
    assert_false(tide_thread_is_alive(thread));
    tide_thread_unref(thread);
}

static void lack_of_memory_is_told(void **state)
{
    tide_alloc_fail_after(0);
    assert_null(tide_thread_new(start_never, false));
    tide_alloc_fail_after(1);
    assert_null(tide_thread_stand("fetch", 7));
    tide_alloc_fail_after(-1);
    struct tide_thread *thread = fresh(false);
    tide_alloc_fail_after(0);
    assert_int_equal(tide_thread_set_name(thread, "x"), TIDE_ENOMEM);
    assert_int_equal(tide_thread_name_after(thread, "x"), TIDE_ENOMEM);
    tide_alloc_fail_after(-1);
    assert_string_equal(tide_thread_name(thread), "worker bee");
    tide_thread_unref(thread);
}

/* ---- start, cancel and name at once ---- */

enum { ROUNDS = 500 };

static struct tide_thread *_Atomic raced;
static _Atomic int round_now, ready, starts, done;

static void *racer(void *arg)
{
    int which = *(int *)arg;
    for (int i = 1; i <= ROUNDS; i++) {
        atomic_fetch_add(&ready, 1);
        while (atomic_load(&round_now) < i)
            sched_yield();
        if (which == 0)
            tide_thread_cancel(atomic_load(&raced));
        else if (tide_thread_launch(atomic_load(&raced)) == 0)
            atomic_fetch_add(&starts, 1);
        if (which == 2)
            tide_thread_set_name(atomic_load(&raced), "renamed");
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void start_and_cancel_at_once_leave_one_winner(void **state)
{
    pthread_t threads[3];
    int which[3] = {0, 1, 2}, begun = 0;
    atomic_store(&round_now, 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, racer, &which[i]);
    for (int i = 1; i <= ROUNDS; i++) {
        struct tide_thread *thread = fresh(false);
        while (atomic_load(&ready) < 3 * i)
            sched_yield();
        atomic_store(&raced, thread);
        atomic_store(&round_now, i);
        while (atomic_load(&done) < 3 * i)
            sched_yield();
        struct tide_entry *entry = fake_pop();
        if (entry) { /* started, and then cancelled: cancel came last, or there was no start */
            begun++;
            assert_ptr_equal(tide_container(entry, struct tide_future, entry), &thread->future);
            tide_thread_unref(thread);
        }
        assert_null(fake_pop());
        assert_int_equal(tide_future_state(&thread->future), TIDE_FUTURE_CANCELLED);
        assert_int_equal(tide_threads_count(), 0);
        assert_int_equal(holds(), 0);
        tide_thread_unref(thread);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&starts), begun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_is_registered_from_its_start_to_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_thread_starts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(name_and_daemon_are_fixed_by_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(the_default_name_has_a_number_and_the_function, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_cancelled_before_its_start_never_starts, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_cancelled_while_queued_ends_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_told_before_those_who_join_are_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_that_somebody_waits_for_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_told_when_the_one_who_asked_goes_away, setup, teardown),
        cmocka_unit_test_setup_teardown(ignored_and_cancelled_ones_are_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_queued_fails_and_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(the_list_is_in_the_order_of_starts_and_cut_to_its_room, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_stands_for_a_task_lives_as_long, setup, teardown),
        cmocka_unit_test_setup_teardown(lack_of_memory_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(start_and_cancel_at_once_leave_one_winner, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
