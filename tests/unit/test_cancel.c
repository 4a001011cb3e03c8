#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"

static struct tide_runtime runtime = {.active = 1 << 30, .options.grace_ns = TIDE_MS(60000)};
static struct tide_worker worker;
static struct tide_task *task;

static int setup(void **state)
{
    tide_worker_init(&worker, &runtime, 0);
    tide_worker_bind(&worker);
    task = fake_task();
    return 0;
}

static int teardown(void **state)
{
    tide_task_free(task);
    assert_int_equal(worker.timers.count, 0);
    tide_worker_fini(&worker);
    return 0;
}

static void open_scope(struct tide_cancel *scope)
{
    assert_int_equal(tide_cancel_open(scope, task, TIDE_NEVER), 0);
}

static void request(struct tide_cancel *scope)
{
    assert_true(tide_cancel_request(scope, TIDE_CANCEL_REQUESTED));
}

static void begin_wait(void)
{
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
}

/* Ends the wait, which was interrupted and posted. */
static void end_interrupted(void)
{
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_INTERRUPTED);
}

/* Ends the wait, which nobody has interrupted. */
static void end_undisturbed(void)
{
    fake_take_mail();
    assert_null(fake_ready());
    assert_true(tide_wait_abandon(task));
}

/* ---- open and close ---- */

static void scopes_nest_and_unnest(void **state)
{
    struct tide_cancel outer, inner;
    open_scope(&outer);
    open_scope(&inner);
    assert_ptr_equal(task->scope, &inner);
    assert_ptr_equal(inner.outer, &outer);
    assert_ptr_equal(outer.outer, &task->root);
    tide_cancel_close(&inner);
    assert_ptr_equal(task->scope, &outer);
    tide_cancel_close(&outer);
    assert_ptr_equal(task->scope, &task->root);
    tide_cancel_close(&outer); /* stays closed */
    assert_ptr_equal(task->scope, &task->root);
}

static void a_scope_may_be_closed_out_of_order(void **state)
{
    struct tide_cancel outer, middle, inner;
    open_scope(&outer);
    open_scope(&middle);
    open_scope(&inner);
    tide_cancel_close(&middle);
    assert_ptr_equal(task->scope, &inner);
    assert_ptr_equal(inner.outer, &outer);
    tide_cancel_close(&outer);
    tide_cancel_close(&inner);
    assert_ptr_equal(task->scope, &task->root);
}

static void close_all_leaves_the_root(void **state)
{
    struct tide_cancel scopes[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(tide_cancel_open(&scopes[i], task, tide_now_ns() + TIDE_MS(60000)), 0);
    request(&scopes[2]);
    tide_cancel_deliver(&scopes[2]);
    tide_cancel_close_all(task);
    assert_ptr_equal(task->scope, &task->root);
    assert_null(task->unwinding);
    assert_int_equal(worker.timers.count, 0);
    for (int i = 0; i < 3; i++)
        tide_cancel_close(&scopes[i]);
}

static void open_without_memory_for_its_timer_opens_nothing(void **state)
{
    struct tide_cancel scope;
    tide_alloc_fail_after(0);
    int failed = tide_cancel_open(&scope, task, tide_now_ns() + TIDE_MS(60000));
    tide_alloc_fail_after(-1);
    assert_int_equal(failed, TIDE_ENOMEM);
    assert_ptr_equal(task->scope, &task->root);
    assert_int_equal(worker.timers.count, 0);
    tide_cancel_close(&scope); /* as one that is closed */
    tide_alloc_fail_after(0);
    failed = tide_cancel_open(&scope, task, TIDE_NEVER); /* needs none */
    tide_alloc_fail_after(-1);
    assert_int_equal(failed, 0);
    tide_cancel_close(&scope);
}

static void the_nearest_deadline_counts(void **state)
{
    struct tide_cancel outer, inner;
    int64_t now = tide_now_ns();
    assert_true(tide_cancel_deadline(task) == TIDE_NEVER);
    assert_int_equal(tide_cancel_open(&outer, task, now + TIDE_MS(50000)), 0);
    assert_int_equal(tide_cancel_open(&inner, task, now + TIDE_MS(60000)), 0);
    assert_true(tide_cancel_deadline(task) == now + TIDE_MS(50000));
    tide_cancel_close(&inner);
    tide_cancel_close(&outer);
    assert_true(tide_cancel_deadline(task) == TIDE_NEVER);
}

/* ---- request ---- */

static void the_first_request_counts(void **state)
{
    assert_null(tide_cancel_due(task));
    assert_true(tide_cancel_request(&task->root, TIDE_CANCEL_SIBLING));
    assert_false(tide_cancel_request(&task->root, TIDE_CANCEL_SHUTDOWN));
    assert_int_equal(atomic_load(&task->root.reason), TIDE_CANCEL_SIBLING);
    assert_ptr_equal(tide_cancel_due(task), &task->root);
    assert_int_equal(atomic_load(&task->attention), 1);
    assert_int_equal(atomic_load(&worker.attention), 1); /* there was no wait to interrupt */
}

static void a_request_interrupts_the_wait(void **state)
{
    begin_wait();
    request(&task->root);
    end_interrupted();
    assert_ptr_equal(tide_cancel_due(task), &task->root);
}

static void a_shield_keeps_requests_from_outside_away(void **state)
{
    struct tide_cancel inside;
    task->shield = 1;
    open_scope(&inside);
    begin_wait();
    request(&task->root);
    assert_null(tide_cancel_due(task));
    end_undisturbed();
    begin_wait();
    request(&inside);
    end_interrupted();
    assert_ptr_equal(tide_cancel_due(task), &inside); /* the root is further out, but shielded off */
    tide_cancel_close(&inside);
    assert_null(tide_cancel_due(task));
    task->shield = 0;
    assert_ptr_equal(tide_cancel_due(task), &task->root);
}

static void the_outermost_is_due(void **state)
{
    struct tide_cancel outer, middle, inner;
    open_scope(&outer);
    open_scope(&middle);
    open_scope(&inner);
    request(&inner);
    assert_ptr_equal(tide_cancel_due(task), &inner);
    request(&outer);
    assert_ptr_equal(tide_cancel_due(task), &outer);
    tide_cancel_close_all(task);
    assert_null(tide_cancel_due(task));
}

/* ---- deadlines ---- */

static void a_deadline_cancels_its_scope(void **state)
{
    struct tide_cancel scope;
    assert_int_equal(tide_cancel_open(&scope, task, tide_now_ns() + TIDE_MS(1)), 0);
    tide_wait_begin(task);
    assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_INTERRUPTED);
    assert_int_equal(atomic_load(&scope.reason), TIDE_CANCEL_TIMEOUT);
    assert_ptr_equal(tide_cancel_due(task), &scope);
    assert_false(tide_cancel_request(&scope, TIDE_CANCEL_REQUESTED));
    tide_cancel_close(&scope);
}

static void a_deadline_that_passes_behind_a_shield_waits_for_its_end(void **state)
{
    struct tide_cancel scope;
    assert_int_equal(tide_cancel_open(&scope, task, tide_now_ns() + TIDE_MS(60000)), 0);
    task->shield = 1;
    begin_wait();
    tide_cancel_expired(&scope);
    assert_null(tide_cancel_due(task));
    end_undisturbed();
    task->shield = 0;
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 0);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_INTERRUPTED);
    tide_cancel_close(&scope);
}

static void a_deadline_after_a_request_changes_nothing(void **state)
{
    struct tide_cancel scope;
    assert_int_equal(tide_cancel_open(&scope, task, tide_now_ns() + TIDE_MS(60000)), 0);
    request(&scope);
    tide_cancel_expired(&scope);
    assert_int_equal(atomic_load(&scope.reason), TIDE_CANCEL_REQUESTED);
    tide_cancel_close(&scope);
}

/* ---- delivery ---- */

static void it_is_delivered_once(void **state)
{
    struct tide_cancel scope;
    open_scope(&scope);
    request(&scope);
    tide_cancel_deliver(&scope);
    assert_ptr_equal(task->unwinding, &scope);
    assert_int_equal(task->deliveries, 1);
    assert_null(tide_cancel_due(task));
    tide_cancel_close(&scope); /* it has arrived */
    assert_null(task->unwinding);
    assert_false(tide_timer_armed(&task->grace));
    assert_null(tide_cancel_due(task));
}

static void closers_wait_while_it_travels(void **state)
{
    request(&task->root);
    tide_cancel_deliver(&task->root);
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    end_undisturbed();
}

static void an_older_scope_waits_until_what_travels_has_arrived(void **state)
{
    struct tide_cancel inner;
    open_scope(&inner);
    request(&inner);
    tide_cancel_deliver(&inner);
    begin_wait();
    request(&task->root);
    assert_null(tide_cancel_due(task));
    end_undisturbed();
    atomic_store(&worker.attention, 0);
    tide_cancel_close(&inner);
    assert_ptr_equal(tide_cancel_due(task), &task->root);
    assert_int_equal(atomic_load(&worker.attention), 1); /* nobody else would cut the slice for it */
}

static void a_scope_of_a_closer_is_delivered_inside_of_what_travels(void **state)
{
    struct tide_cancel outer, closers;
    open_scope(&outer);
    request(&outer);
    tide_cancel_deliver(&outer);
    open_scope(&closers);
    request(&closers);
    assert_ptr_equal(tide_cancel_due(task), &closers);
    tide_cancel_deliver(&closers);
    assert_ptr_equal(task->unwinding, &closers);
    assert_int_equal(task->deliveries, 2);
    tide_cancel_close(&closers);
    assert_ptr_equal(task->unwinding, &outer); /* goes on */
    assert_null(tide_cancel_due(task));
    tide_cancel_close(&outer);
    assert_null(task->unwinding);
}

static void what_was_suspended_may_be_closed_first(void **state)
{
    struct tide_cancel outer, closers;
    open_scope(&outer);
    request(&outer);
    tide_cancel_deliver(&outer);
    open_scope(&closers); /* in a coroutine that is left behind while its error travels */
    request(&closers);
    tide_cancel_deliver(&closers);
    tide_cancel_close(&outer);
    assert_ptr_equal(task->unwinding, &closers);
    tide_cancel_close(&closers);
    assert_null(task->unwinding);
    assert_false(tide_timer_armed(&task->grace));
}

/* ---- grace ---- */

static void the_grace_begins_with_the_delivery(void **state)
{
    int64_t before = tide_now_ns();
    request(&task->root);
    assert_false(tide_timer_armed(&task->grace));
    tide_cancel_deliver(&task->root);
    assert_true(tide_timer_armed(&task->grace));
    assert_true(tide_heap_next(&worker.timers) >= before + runtime.options.grace_ns);
}

static void after_the_grace_it_is_due_again_and_again(void **state)
{
    request(&task->root);
    tide_cancel_deliver(&task->root);
    begin_wait(); /* of a closer */
    tide_cancel_grace_over(task);
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_INTERRUPTED);
    for (int i = 0; i < 2; i++) {
        assert_ptr_equal(tide_cancel_due(task), &task->root);
        tide_cancel_deliver(&task->root);
    }
    assert_int_equal(task->deliveries, 1);
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 0);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_INTERRUPTED);
}

static void the_end_of_the_grace_interrupts_a_closer_that_waits(void **state)
{
    runtime.options.grace_ns = TIDE_MS(1);
    request(&task->root);
    tide_cancel_deliver(&task->root);
    runtime.options.grace_ns = TIDE_MS(60000);
    tide_wait_begin(task);
    assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_INTERRUPTED);
    assert_true(task->flags & TIDE_TASK_GRACE_OVER);
}

static void the_grace_ends_where_it_arrives(void **state)
{
    struct tide_cancel scope;
    open_scope(&scope);
    request(&scope);
    tide_cancel_deliver(&scope);
    tide_cancel_grace_over(task);
    assert_ptr_equal(tide_cancel_due(task), &scope);
    tide_cancel_close(&scope);
    assert_int_equal(task->flags & TIDE_TASK_GRACE_OVER, 0);
    assert_false(tide_timer_armed(&task->grace));
    assert_null(tide_cancel_due(task));
}

static void the_grace_of_what_was_suspended_goes_on(void **state)
{
    struct tide_cancel outer, closers;
    open_scope(&outer);
    request(&outer);
    tide_cancel_deliver(&outer);
    open_scope(&closers);
    request(&closers);
    tide_cancel_deliver(&closers);
    tide_cancel_close(&closers);
    assert_true(tide_timer_armed(&task->grace)); /* else the next closer could wait for ever */
    tide_cancel_close(&outer);
    assert_false(tide_timer_armed(&task->grace));
}

static void without_memory_for_its_timer_there_is_no_grace(void **state)
{
    request(&task->root);
    tide_alloc_fail_after(0);
    tide_cancel_deliver(&task->root);
    tide_alloc_fail_after(-1);
    assert_true(task->flags & TIDE_TASK_GRACE_OVER);
    assert_ptr_equal(tide_cancel_due(task), &task->root);
}

#define CANCEL_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CANCEL_TEST(scopes_nest_and_unnest),
        CANCEL_TEST(a_scope_may_be_closed_out_of_order),
        CANCEL_TEST(close_all_leaves_the_root),
        CANCEL_TEST(open_without_memory_for_its_timer_opens_nothing),
        CANCEL_TEST(the_nearest_deadline_counts),
        CANCEL_TEST(the_first_request_counts),
        CANCEL_TEST(a_request_interrupts_the_wait),
        CANCEL_TEST(a_shield_keeps_requests_from_outside_away),
        CANCEL_TEST(the_outermost_is_due),
        CANCEL_TEST(a_deadline_cancels_its_scope),
        CANCEL_TEST(a_deadline_that_passes_behind_a_shield_waits_for_its_end),
        CANCEL_TEST(a_deadline_after_a_request_changes_nothing),
        CANCEL_TEST(it_is_delivered_once),
        CANCEL_TEST(closers_wait_while_it_travels),
        CANCEL_TEST(an_older_scope_waits_until_what_travels_has_arrived),
        CANCEL_TEST(a_scope_of_a_closer_is_delivered_inside_of_what_travels),
        CANCEL_TEST(what_was_suspended_may_be_closed_first),
        CANCEL_TEST(the_grace_begins_with_the_delivery),
        CANCEL_TEST(after_the_grace_it_is_due_again_and_again),
        CANCEL_TEST(the_end_of_the_grace_interrupts_a_closer_that_waits),
        CANCEL_TEST(the_grace_ends_where_it_arrives),
        CANCEL_TEST(the_grace_of_what_was_suspended_goes_on),
        CANCEL_TEST(without_memory_for_its_timer_there_is_no_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
