#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"

static struct tide_worker worker;
static struct tide_list list; /* of an object's waiters; one thread, so no lock */
static struct tide_task *task;

static int setup(void **state)
{
    fake_worker_open(&worker);
    tide_list_init(&list);
    task = fake_task();
    return 0;
}

static int teardown(void **state)
{
    tide_task_free(task);
    fake_worker_close(&worker);
    return 0;
}

static void begin_and_queue(struct tide_task *t)
{
    tide_wait_begin(t);
    tide_wait_on(&list, &t->waiter, t);
    assert_int_equal(tide_wait_commit(t, TIDE_NEVER), 1);
}

/* Closes the wait, as its owner does. */
static enum tide_wait_state end(struct tide_task *t)
{
    enum tide_wait_state how = tide_wait_end(t);
    tide_list_remove(&t->waiter.link);
    return how;
}

static enum tide_wait_state state_of(struct tide_task *t)
{
    return tide_wait_state(atomic_load(&t->wait));
}

static struct tide_task *posted(void)
{
    fake_take_mail();
    return fake_ready();
}

/* ---- one winner ---- */

static void a_claimed_wait_ends_as_woken(void **state)
{
    begin_and_queue(task);
    assert_true(tide_wait_claim(&task->waiter));
    assert_true(tide_list_empty(&list));
    assert_null(posted()); /* not before the winner has unlocked */
    tide_wait_post(task);
    assert_ptr_equal(posted(), task);
    assert_int_equal(end(task), TIDE_WAIT_WOKEN);
    assert_int_equal(state_of(task), TIDE_WAIT_IDLE);
}

static void a_wait_that_was_won_cannot_be_won_again(void **state)
{
    begin_and_queue(task);
    assert_true(tide_wait_claim(&task->waiter));
    assert_false(tide_wait_claim(&task->waiter));
    assert_false(tide_wait_expire(task));
    assert_false(tide_wait_interrupt_own(task));
    assert_false(tide_wait_interrupt(task, 255));
    assert_null(posted());
    assert_int_equal(end(task), TIDE_WAIT_WOKEN);
}

static void an_expired_wait_ends_as_timed_out(void **state)
{
    begin_and_queue(task);
    assert_true(tide_wait_expire(task));
    assert_false(tide_wait_claim(&task->waiter));
    assert_int_equal(end(task), TIDE_WAIT_TIMED_OUT);
}

static void a_deadline_wakes_the_task(void **state)
{
    int64_t deadline = tide_now_ns() + TIDE_MS(1);
    tide_wait_begin(task);
    assert_int_equal(fake_wait(task, deadline), TIDE_WAIT_TIMED_OUT);
    assert_true(tide_now_ns() >= deadline);
    assert_false(tide_timer_armed(&task->timer));
}

static void an_interrupted_wait_is_posted_at_once(void **state)
{
    begin_and_queue(task);
    assert_true(tide_wait_interrupt(task, 0));
    assert_ptr_equal(posted(), task);
    assert_false(tide_wait_claim(&task->waiter));
    assert_int_equal(end(task), TIDE_WAIT_INTERRUPTED);
}

static void its_own_interruption_posts_nobody(void **state)
{
    begin_and_queue(task);
    assert_true(tide_wait_interrupt_own(task));
    assert_null(posted());
    assert_int_equal(end(task), TIDE_WAIT_INTERRUPTED);
}

static void an_idle_task_has_no_wait_to_win(void **state)
{
    assert_false(tide_wait_expire(task));
    assert_false(tide_wait_interrupt(task, 255));
    assert_false(tide_wait_interrupt_own(task));
    assert_null(posted());
    assert_int_equal(state_of(task), TIDE_WAIT_IDLE);
}

/* ---- abandon and commit ---- */

static void an_abandoned_wait_never_was(void **state)
{
    tide_wait_begin(task);
    assert_true(tide_wait_abandon(task));
    assert_int_equal(state_of(task), TIDE_WAIT_IDLE);
    assert_false(tide_wait_interrupt(task, 255));
    assert_null(posted());
}

static void a_wait_that_was_won_cannot_be_abandoned(void **state)
{
    tide_wait_begin(task);
    assert_true(tide_wait_interrupt(task, 0));
    assert_false(tide_wait_abandon(task));
    assert_ptr_equal(posted(), task); /* whose mail would have come into the next wait */
    assert_int_equal(end(task), TIDE_WAIT_INTERRUPTED);
}

static void commit_decides_for_a_cancellation_that_is_due(void **state)
{
    assert_true(tide_cancel_request(&task->root, TIDE_CANCEL_REQUESTED)); /* found no wait */
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, tide_now_ns() + TIDE_MS(60000)), 0);
    assert_false(tide_timer_armed(&task->timer));
    assert_null(posted());
    assert_int_equal(end(task), TIDE_WAIT_INTERRUPTED);
}

static void commit_parks_where_a_waker_came_before_the_cancellation(void **state)
{
    tide_wait_begin(task);
    tide_wait_on(&list, &task->waiter, task);
    assert_true(tide_wait_claim(&task->waiter));
    assert_true(tide_cancel_request(&task->root, TIDE_CANCEL_REQUESTED));
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    tide_wait_post(task);
    assert_ptr_equal(posted(), task);
    assert_int_equal(end(task), TIDE_WAIT_WOKEN);
}

static void commit_without_memory_for_its_timer_leaves_the_wait_open(void **state)
{
    tide_wait_begin(task);
    tide_alloc_fail_after(0);
    int result = tide_wait_commit(task, tide_now_ns() + TIDE_MS(60000));
    tide_alloc_fail_after(-1);
    assert_int_equal(result, TIDE_ENOMEM);
    assert_int_equal(state_of(task), TIDE_WAIT_ARMED);
    assert_false(tide_timer_armed(&task->timer));
    assert_true(tide_wait_abandon(task));
}

static void end_disarms_the_timer(void **state)
{
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, tide_now_ns() + TIDE_MS(60000)), 1);
    assert_true(tide_timer_armed(&task->timer));
    assert_true(tide_wait_interrupt_own(task));
    end(task);
    assert_false(tide_timer_armed(&task->timer));
    assert_int_equal(worker.timers.count, 0);
}

/* ---- who may interrupt ---- */

static void a_shielded_wait_is_interrupted_only_from_inside_the_shield(void **state)
{
    task->shield = 2;
    begin_and_queue(task);
    assert_false(tide_wait_interrupt(task, 0));
    assert_false(tide_wait_interrupt(task, 1));
    assert_int_equal(state_of(task), TIDE_WAIT_ARMED);
    assert_true(tide_wait_interrupt(task, 2));
    assert_ptr_equal(posted(), task);
    end(task);
    task->shield = 0;
    begin_and_queue(task);
    assert_true(tide_wait_interrupt(task, 0));
    assert_ptr_equal(posted(), task);
    end(task);
}

static void nobody_interrupts_a_task_that_closes_up(void **state)
{
    task->unwinding = &task->root;
    begin_and_queue(task);
    assert_false(tide_wait_interrupt(task, 254));
    assert_true(tide_wait_claim(&task->waiter)); /* what it waits for comes as ever */
    assert_int_equal(end(task), TIDE_WAIT_WOKEN);
    begin_and_queue(task);
    assert_true(tide_wait_interrupt_own(task)); /* its worker may: the grace is over */
    end(task);
}

static void after_the_grace_its_waits_have_their_level_again(void **state)
{
    task->unwinding = &task->root;
    task->flags |= TIDE_TASK_GRACE_OVER;
    begin_and_queue(task);
    assert_true(tide_wait_interrupt(task, 0));
    assert_ptr_equal(posted(), task);
    end(task);
}

/* ---- waiters ---- */

static void claim_first_passes_over_those_that_others_won(void **state)
{
    struct tide_task *others[3];
    begin_and_queue(task);
    for (int i = 0; i < 3; i++)
        begin_and_queue(others[i] = fake_task());
    assert_true(tide_wait_interrupt_own(task));
    assert_true(tide_wait_expire(others[0]));
    assert_ptr_equal(tide_wait_claim_first(&list), &others[1]->waiter);
    assert_false(tide_list_linked(&task->waiter.link)); /* dropped on the way */
    assert_false(tide_list_linked(&others[0]->waiter.link));
    assert_ptr_equal(tide_wait_claim_first(&list), &others[2]->waiter);
    assert_null(tide_wait_claim_first(&list));
    assert_int_equal(end(task), TIDE_WAIT_INTERRUPTED);
    assert_int_equal(end(others[0]), TIDE_WAIT_TIMED_OUT);
    assert_int_equal(end(others[1]), TIDE_WAIT_WOKEN);
    assert_int_equal(end(others[2]), TIDE_WAIT_WOKEN);
    for (int i = 0; i < 3; i++)
        tide_task_free(others[i]);
}

static void claim_all_takes_everyone_in_order(void **state)
{
    struct tide_task *others[3];
    struct tide_fifo woken = {0};
    for (int i = 0; i < 3; i++)
        begin_and_queue(others[i] = fake_task());
    assert_true(tide_wait_expire(others[1]));
    tide_wait_claim_all(&list, &woken);
    assert_true(tide_list_empty(&list));
    tide_wait_post_all(&woken);
    assert_null(woken.first);
    assert_ptr_equal(posted(), others[0]);
    assert_ptr_equal(fake_ready(), others[2]);
    assert_null(fake_ready());
    for (int i = 0; i < 3; i++) {
        assert_int_equal(end(others[i]), i == 1 ? TIDE_WAIT_TIMED_OUT : TIDE_WAIT_WOKEN);
        tide_task_free(others[i]);
    }
}

static void a_wait_on_two_objects_is_won_by_one(void **state)
{
    struct tide_list other;
    struct tide_waiter second = {.task = NULL};
    tide_list_init(&other);
    tide_wait_begin(task);
    tide_wait_on(&list, &task->waiter, task);
    tide_wait_on(&other, &second, task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    assert_ptr_equal(tide_wait_claim_first(&other), &second);
    assert_null(tide_wait_claim_first(&list)); /* a stale one: it is dropped, and nothing taken for it */
    assert_true(tide_list_empty(&list));
    assert_int_equal(end(task), TIDE_WAIT_WOKEN);
}

static void a_waiter_is_queued_without_a_value(void **state)
{
    task->waiter.item.as.pointer = &worker;
    begin_and_queue(task);
    assert_null(task->waiter.item.as.pointer);
    assert_ptr_equal(task->waiter.task, task);
    assert_true(tide_wait_expire(task));
    end(task);
}

/* ---- the word ---- */

static void each_wait_has_a_number_of_its_own(void **state)
{
    uint64_t number = tide_wait_number(atomic_load(&task->wait));
    for (uint64_t i = 1; i <= 3; i++) {
        tide_wait_begin(task);
        assert_int_equal(tide_wait_number(atomic_load(&task->wait)), number + i);
        assert_true(tide_wait_expire(task));
        assert_int_equal(tide_wait_number(atomic_load(&task->wait)), number + i); /* a decision keeps it */
        end(task);
        assert_int_equal(tide_wait_number(atomic_load(&task->wait)), number + i);
    }
}

#define WAIT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAIT_TEST(a_claimed_wait_ends_as_woken),
        WAIT_TEST(a_wait_that_was_won_cannot_be_won_again),
        WAIT_TEST(an_expired_wait_ends_as_timed_out),
        WAIT_TEST(a_deadline_wakes_the_task),
        WAIT_TEST(an_interrupted_wait_is_posted_at_once),
        WAIT_TEST(its_own_interruption_posts_nobody),
        WAIT_TEST(an_idle_task_has_no_wait_to_win),
        WAIT_TEST(an_abandoned_wait_never_was),
        WAIT_TEST(a_wait_that_was_won_cannot_be_abandoned),
        WAIT_TEST(commit_decides_for_a_cancellation_that_is_due),
        WAIT_TEST(commit_parks_where_a_waker_came_before_the_cancellation),
        WAIT_TEST(commit_without_memory_for_its_timer_leaves_the_wait_open),
        WAIT_TEST(end_disarms_the_timer),
        WAIT_TEST(a_shielded_wait_is_interrupted_only_from_inside_the_shield),
        WAIT_TEST(nobody_interrupts_a_task_that_closes_up),
        WAIT_TEST(after_the_grace_its_waits_have_their_level_again),
        WAIT_TEST(claim_first_passes_over_those_that_others_won),
        WAIT_TEST(claim_all_takes_everyone_in_order),
        WAIT_TEST(a_wait_on_two_objects_is_won_by_one),
        WAIT_TEST(a_waiter_is_queued_without_a_value),
        WAIT_TEST(each_wait_has_a_number_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
