#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "fake_worker.h"

#include <stdio.h>

static struct tide_worker worker;

static int setup(void **state)
{
    fake_worker_open(&worker);
    return 0;
}

static int teardown(void **state)
{
    fake_worker_close(&worker);
    return 0;
}

static uint64_t number_of(struct tide_task *task)
{
    return tide_wait_number(atomic_load(&task->wait));
}

static void wait_once(struct tide_task *task)
{
    tide_wait_begin(task);
    assert_true(tide_wait_abandon(task));
}

static void a_fresh_task_is_live_and_waits_for_nothing(void **state)
{
    struct tide_task *task = fake_task();
    assert_ptr_equal(task->worker, &worker);
    assert_int_equal(tide_wait_state(atomic_load(&task->wait)), TIDE_WAIT_IDLE);
    assert_ptr_equal(task->scope, &task->root);
    assert_ptr_equal(task->root.task, task);
    assert_null(task->unwinding);
    assert_false(tide_list_empty(&worker.live));
    assert_int_equal(atomic_load(&worker.live_count), 1);
    assert_null(fake_ready()); /* nobody queued it */
    tide_task_free(task);
    assert_true(tide_list_empty(&worker.live));
    assert_int_equal(atomic_load(&worker.live_count), 0);
}

static void memory_of_a_task_is_used_for_the_next(void **state)
{
    struct tide_task *first = fake_task(), *second = fake_task();
    tide_task_free(first);
    tide_task_free(second);
    assert_ptr_equal(fake_task(), second);
    assert_ptr_equal(fake_task(), first);
    tide_task_free(first);
    tide_task_free(second);
}

static void the_wait_number_goes_on_over_reuse(void **state)
{
    struct tide_task *task = fake_task();
    assert_int_equal(number_of(task), 0);
    wait_once(task);
    wait_once(task);
    assert_int_equal(number_of(task), 2);
    tide_task_free(task);
    struct tide_task *again = fake_task();
    assert_ptr_equal(again, task);
    assert_int_equal(number_of(again), 2);
    tide_wait_begin(again);
    assert_int_equal(number_of(again), 3);
    assert_true(tide_wait_abandon(again));
    tide_task_free(again);
}

static void a_stale_pointer_finds_no_wait_of_a_free_task(void **state)
{
    struct tide_task *task = fake_task();
    wait_once(task);
    tide_task_free(task);
    assert_false(tide_wait_interrupt(task, 255));
    assert_false(tide_wait_expire(task));
}

static void each_task_has_an_id_of_its_own(void **state)
{
    struct tide_task *first = fake_task(), *second = fake_task();
    uint32_t id = first->id;
    assert_int_equal(second->id, id + 1);
    tide_task_free(first);
    first = fake_task();
    assert_int_equal(first->id, id + 2); /* the same memory, another task */
    tide_task_free(first);
    tide_task_free(second);
}

static void reuse_leaves_nothing_of_the_last_task(void **state)
{
    struct tide_task *task = fake_task();
    task->shield = 3;
    task->flags = TIDE_TASK_DAEMON;
    task->waits_for = "an event";
    assert_true(tide_cancel_request(&task->root, TIDE_CANCEL_REQUESTED));
    tide_cancel_deliver(&task->root);
    tide_task_free(task);
    assert_int_equal(worker.timers.count, 0); /* the grace */
    assert_ptr_equal(fake_task(), task);
    assert_int_equal(task->shield, 0);
    assert_int_equal(task->flags, 0);
    assert_null(task->waits_for);
    assert_null(task->unwinding);
    assert_int_equal(atomic_load(&task->attention), 0);
    assert_int_equal(atomic_load(&task->root.reason), TIDE_CANCEL_NONE);
    assert_null(tide_cancel_due(task));
    tide_task_free(task);
}

static void free_closes_what_the_task_left_open(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_cancel outer, inner;
    assert_int_equal(tide_cancel_open(&outer, task, tide_now_ns() + TIDE_MS(60000)), 0);
    assert_int_equal(tide_cancel_open(&inner, task, tide_now_ns() + TIDE_MS(50000)), 0);
    assert_int_equal(worker.timers.count, 2);
    tide_task_free(task);
    assert_int_equal(worker.timers.count, 0);
    tide_cancel_close(&inner); /* stays closed */
    tide_cancel_close(&outer);
}

static const char *name_it(struct tide_task *task)
{
    return task->kind;
}

static void the_name_is_what_the_task_says_or_main_or_a_number(void **state)
{
    struct tide_task *task = fake_task();
    char text[32];
    snprintf(text, sizeof text, "task %u", (unsigned)task->id);
    assert_string_equal(tide_task_name(task), text);
    task->name = name_it; /* says nothing yet */
    assert_string_equal(tide_task_name(task), text);
    task->kind = "fetch (x.lua:3)";
    assert_string_equal(tide_task_name(task), "fetch (x.lua:3)");
    task->name = NULL;
    task->flags = TIDE_TASK_MAIN;
    assert_string_equal(tide_task_name(task), "main");
    tide_task_free(task);
}

static void new_fails_without_memory_unless_some_is_at_hand(void **state)
{
    struct tide_task *kept = fake_task();
    tide_task_free(kept);
    tide_alloc_fail_after(0);
    struct tide_task *first = tide_task_new(&worker, NULL), *second = tide_task_new(&worker, NULL);
    tide_alloc_fail_after(-1);
    assert_ptr_equal(first, kept);
    assert_null(second);
    assert_int_equal(atomic_load(&worker.live_count), 1);
    tide_task_free(first);
}

#define TASK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TASK_TEST(a_fresh_task_is_live_and_waits_for_nothing),
        TASK_TEST(memory_of_a_task_is_used_for_the_next),
        TASK_TEST(the_wait_number_goes_on_over_reuse),
        TASK_TEST(a_stale_pointer_finds_no_wait_of_a_free_task),
        TASK_TEST(each_task_has_an_id_of_its_own),
        TASK_TEST(reuse_leaves_nothing_of_the_last_task),
        TASK_TEST(free_closes_what_the_task_left_open),
        TASK_TEST(the_name_is_what_the_task_says_or_main_or_a_number),
        TASK_TEST(new_fails_without_memory_unless_some_is_at_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
