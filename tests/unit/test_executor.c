#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "exec/executor.h"
#include "fake_worker.h"

#include <sched.h>

/* ---- by hand: no worker takes an entry, the test plays them ---- */

static struct tide_executor *executor;

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

static struct tide_executor *executor_with(uint32_t max_workers, uint32_t queue_size)
{
    struct tide_executor_options options = {.max_workers = max_workers, .queue_size = queue_size, .name = "pool"};
    return tide_executor_new(&options);
}

static int setup(void **state)
{
    fake_runtime_open(1, true);
    executor = executor_with(2, 0);
    return executor ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&executor->owner.object);
    fake_runtime_close();
    return 0;
}

static void counts_are(uint32_t running, uint64_t pending, uint64_t outstanding)
{
    struct tide_executor_counts counts = tide_executor_counts(executor);
    assert_int_equal(counts.running, running);
    assert_int_equal(counts.pending, pending);
    assert_int_equal(counts.outstanding, outstanding);
}

static struct tide_future *submitted(void)
{
    struct tide_future *future = tide_future_new(start_never);
    assert_int_equal(tide_executor_submit(executor, future, true), 0);
    return future;
}

static void submit_many(struct tide_future **futures, int n)
{
    for (int i = 0; i < n; i++)
        futures[i] = submitted();
}

static void unref_many(struct tide_future **futures, int n)
{
    for (int i = 0; i < n; i++)
        tide_future_unref(futures[i]);
}

/* What a worker does with the next entry of the shared queue; NULL: there is none, or it was cancelled. */
static struct tide_future *start_next(void)
{
    struct tide_entry *entry = fake_pop();
    if (!entry)
        return NULL;
    struct tide_future *future = tide_container(entry, struct tide_future, entry);
    struct tide_task *task = fake_task();
    if (tide_future_begin(future, task) == 0)
        return future;
    tide_task_free(task);
    tide_future_unref(future);
    return NULL;
}

static void end(struct tide_future *future, enum tide_future_state how)
{
    struct tide_task *task = tide_future_task(future);
    tide_future_finish(future, how, NULL, NULL);
    fake_take_mail();
    while (fake_ready())
        ;
    tide_task_free(task);
    tide_future_unref(future);
}

static void no_more_run_than_there_are_slots(void **state)
{
    struct tide_future *f[4];
    submit_many(f, 4);
    counts_are(2, 2, 4);
    assert_ptr_equal(start_next(), f[0]);
    assert_ptr_equal(start_next(), f[1]);
    assert_null(start_next());
    end(f[1], TIDE_FUTURE_DONE);
    counts_are(2, 1, 3);
    assert_ptr_equal(start_next(), f[2]);
    end(f[0], TIDE_FUTURE_FAILED);
    assert_ptr_equal(start_next(), f[3]);
    end(f[2], TIDE_FUTURE_DONE);
    end(f[3], TIDE_FUTURE_CANCELLED);
    counts_are(0, 0, 0);
    unref_many(f, 4);
}

static void it_holds_the_runtime_while_anything_is_outstanding(void **state)
{
    struct tide_future *f = submitted();
    assert_int_equal(atomic_load(&tide_runtime_get()->holds), 1);
    assert_int_equal(atomic_load(&executor->owner.object.refs), 2);
    assert_ptr_equal(start_next(), f);
    end(f, TIDE_FUTURE_DONE);
    assert_int_equal(atomic_load(&tide_runtime_get()->holds), 0);
    assert_int_equal(atomic_load(&executor->owner.object.refs), 1);
    assert_int_equal(atomic_load(&f->object.refs), 1);
    tide_future_unref(f);
}

static void a_lent_slot_starts_the_next(void **state)
{
    struct tide_future *f[4];
    submit_many(f, 4);
    start_next();
    start_next();
    tide_future_lend(f[0]);
    counts_are(2, 1, 4);
    assert_ptr_equal(start_next(), f[2]);
    tide_future_resume(f[0]); /* at once, without waiting for a slot */
    counts_are(3, 1, 4);
    end(f[1], TIDE_FUTURE_DONE);
    counts_are(2, 1, 3); /* three ran: nothing starts until fewer than two do */
    assert_null(start_next());
    end(f[0], TIDE_FUTURE_DONE);
    counts_are(2, 0, 2);
    assert_ptr_equal(start_next(), f[3]);
    end(f[2], TIDE_FUTURE_DONE);
    end(f[3], TIDE_FUTURE_DONE);
    unref_many(f, 4);
}

static void a_hurried_one_is_the_next_to_start(void **state)
{
    struct tide_future *f[5];
    submit_many(f, 5);
    start_next();
    start_next();
    tide_future_hurry(f[4], false);
    counts_are(2, 3, 5);
    end(f[0], TIDE_FUTURE_DONE);
    assert_ptr_equal(start_next(), f[4]);
    tide_future_hurry(f[3], true); /* beyond the slots */
    counts_are(3, 1, 4);
    assert_ptr_equal(start_next(), f[3]);
    end(f[1], TIDE_FUTURE_DONE);
    assert_null(start_next());
    end(f[3], TIDE_FUTURE_DONE);
    assert_ptr_equal(start_next(), f[2]);
    end(f[2], TIDE_FUTURE_DONE);
    end(f[4], TIDE_FUTURE_DONE);
    unref_many(f, 5);
}

static void cancelling_pending_ones_gives_their_places_back(void **state)
{
    struct tide_future *f[4];
    submit_many(f, 4);
    assert_true(tide_future_cancel(f[3])); /* it waits for a slot */
    counts_are(2, 1, 3);
    assert_true(tide_future_cancel(f[0])); /* it has a slot and has not begun */
    counts_are(2, 0, 2);
    assert_null(start_next()); /* f[0], which starts nothing */
    assert_ptr_equal(start_next(), f[1]);
    assert_ptr_equal(start_next(), f[2]);
    end(f[1], TIDE_FUTURE_DONE);
    end(f[2], TIDE_FUTURE_DONE);
    unref_many(f, 4);
}

/* ---- room ---- */

static struct tide_task *waiting_submit(struct tide_future *future)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_executor_enqueue(executor, &task->waiter, task, future), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

static void left(struct tide_task *task, enum tide_wait_state how)
{
    assert_int_equal(tide_wait_end(task), how);
    tide_executor_leave(executor, &task->waiter);
    tide_task_free(task);
}

static void bound_executor(uint32_t max_workers, uint32_t queue_size)
{
    tide_object_unref(&executor->owner.object);
    executor = executor_with(max_workers, queue_size);
}

static void a_full_queue_takes_submits_in_their_order(void **state)
{
    struct tide_future *f[2], *late[3];
    bound_executor(1, 1);
    submit_many(f, 2);
    for (int i = 0; i < 3; i++)
        late[i] = tide_future_new(start_never);
    assert_int_equal(tide_executor_submit(executor, late[0], true), TIDE_EAGAIN);
    struct tide_task *tasks[3];
    for (int i = 0; i < 3; i++)
        tasks[i] = waiting_submit(late[i]);
    assert_true(tide_wait_interrupt(tasks[0], 0)); /* gives up: it is passed over */
    start_next();
    end(f[0], TIDE_FUTURE_DONE); /* f[1] starts, late[1] is admitted by hand-over */
    counts_are(1, 1, 2);
    assert_true(tide_executor_admitted(&tasks[1]->waiter));
    left(tasks[0], TIDE_WAIT_INTERRUPTED);
    left(tasks[1], TIDE_WAIT_WOKEN);
    assert_ptr_equal(start_next(), f[1]);
    end(f[1], TIDE_FUTURE_DONE);
    left(tasks[2], TIDE_WAIT_WOKEN);
    for (int i = 1; i < 3; i++) {
        assert_ptr_equal(start_next(), late[i]);
        end(late[i], TIDE_FUTURE_DONE);
    }
    unref_many(f, 2);
    unref_many(late, 3);
}

static void a_closed_executor_refuses_those_who_wait_for_room(void **state)
{
    struct tide_future *f[2], *late = tide_future_new(start_never);
    bound_executor(1, 1);
    submit_many(f, 2);
    struct tide_task *task = waiting_submit(late);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_NONE);
    assert_false(tide_executor_admitted(&task->waiter));
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    left(task, TIDE_WAIT_WOKEN);
    assert_int_equal(tide_executor_submit(executor, late, true), TIDE_ESHUTDOWN);
    for (int i = 0; i < 2; i++) { /* what was accepted runs */
        assert_ptr_equal(start_next(), f[i]);
        end(f[i], TIDE_FUTURE_DONE);
    }
    unref_many(f, 2);
    tide_future_unref(late);
}

/* ---- ending ---- */

static void idle_waiters_wake_with_the_last(void **state)
{
    struct tide_future *f = submitted();
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_executor_enqueue_idle(executor, &task->waiter, task), 0);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    start_next();
    end(f, TIDE_FUTURE_DONE);
    left(task, TIDE_WAIT_WOKEN);
    task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_executor_enqueue_idle(executor, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
    tide_future_unref(f);
}

static void shutdown_cancels_what_it_is_told_to(void **state)
{
    struct tide_future *f[5];
    submit_many(f, 5);
    assert_ptr_equal(start_next(), f[0]);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_PENDING);
    counts_are(1, 0, 1);
    for (int i = 1; i < 5; i++)
        assert_int_equal(tide_future_state(f[i]), TIDE_FUTURE_CANCELLED);
    assert_int_equal(tide_future_state(f[0]), TIDE_FUTURE_RUNNING);
    assert_false(atomic_load(&f[0]->marks) & TIDE_FUTURE_ASKED);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_ALL);
    assert_true(atomic_load(&f[0]->marks) & TIDE_FUTURE_ASKED);
    assert_int_equal(atomic_load(&tide_future_task(f[0])->root.reason), TIDE_CANCEL_SHUTDOWN);
    end(f[0], TIDE_FUTURE_CANCELLED);
    counts_are(0, 0, 0);
    assert_null(start_next()); /* f[1], which had a slot */
    assert_null(fake_pop());
    unref_many(f, 5);
}

static void a_broken_executor_fails_what_has_not_begun(void **state)
{
    struct tide_future *f[4], *late = tide_future_new(start_never);
    submit_many(f, 4);
    assert_ptr_equal(start_next(), f[0]);
    assert_null(tide_executor_error(executor));
    tide_executor_break(executor, "initializer: boom");
    tide_executor_break(executor, "initializer: bang");
    for (int i = 1; i < 4; i++) {
        assert_int_equal(tide_future_state(f[i]), TIDE_FUTURE_FAILED);
        assert_string_equal(f[i]->error, "initializer: boom");
    }
    assert_int_equal(tide_executor_submit(executor, late, true), TIDE_ESHUTDOWN);
    assert_int_equal(tide_executor_extend(executor, late), TIDE_ESHUTDOWN);
    assert_string_equal(tide_executor_error(executor), "initializer: boom");
    end(f[0], TIDE_FUTURE_DONE);
    assert_null(start_next());
    unref_many(f, 4);
    tide_future_unref(late);
}

static void more_work_of_a_running_task_goes_first(void **state)
{
    struct tide_future *f[3], *more = tide_future_new(start_never);
    submit_many(f, 3);
    start_next();
    start_next();
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_NONE);
    assert_int_equal(tide_executor_extend(executor, more), 0);
    end(f[0], TIDE_FUTURE_DONE);
    assert_ptr_equal(start_next(), more);
    end(f[1], TIDE_FUTURE_DONE);
    assert_ptr_equal(start_next(), f[2]);
    end(more, TIDE_FUTURE_DONE);
    end(f[2], TIDE_FUTURE_DONE);
    unref_many(f, 3);
    tide_future_unref(more);
}

static void new_fails_without_memory(void **state)
{
    for (long n = 0; n < 2; n++) {
        tide_alloc_fail_after(n);
        struct tide_executor *none = executor_with(1, 0);
        tide_alloc_fail_after(-1);
        assert_null(none);
    }
}

static void each_has_an_epoch_of_its_own(void **state)
{
    struct tide_executor *other = executor_with(1, 0);
    assert_true(executor->epoch != 0 && executor->epoch != other->epoch);
    tide_object_unref(&other->owner.object);
}

/* ---- with real workers ---- */

enum { DEPTH = 14, STORM = 20000, STORM_TASKS = 4 };

struct call {
    struct tide_future future;
    struct tide_executor *there, *back; /* a nested call goes to `there`, and vice versa */
    int depth;
    void (*body)(struct call *call, struct tide_task *task);
};

static _Atomic int at_once, most_at_once, depth_reached, calls_alive, started;

static void destroy_call(struct tide_object *object)
{
    struct call *call = tide_container(object, struct call, future.object);
    tide_future_fini(&call->future);
    tide_free(call);
    calls_alive--;
}

static const struct tide_class call_class = {"call", destroy_call};

static void start_call(struct tide_entry *entry, struct tide_worker *w)
{
    struct call *call = tide_container(entry, struct call, future.entry);
    struct tide_task *task = fake_task(), *outer = w->task;
    if (tide_future_begin(&call->future, task) == 0) {
        started++;
        w->task = task;
        call->body(call, task);
        w->task = outer;
        tide_future_finish(&call->future, TIDE_FUTURE_DONE, NULL, NULL);
    }
    tide_task_free(task);
    tide_future_unref(&call->future);
}

static struct call *new_call(void (*body)(struct call *, struct tide_task *))
{
    struct call *call = tide_calloc(1, sizeof *call);
    tide_future_init(&call->future, &call_class, start_call);
    call->body = body;
    calls_alive++;
    return call;
}

/* What a script's future:result() does. */
static void await(struct tide_future *future, struct tide_task *task, struct tide_future *mine)
{
    tide_wait_begin(task);
    if (tide_future_enqueue(future, &task->waiter, task) != 0) {
        tide_wait_abandon(task);
        return;
    }
    tide_future_hurry(future, false);
    if (mine)
        tide_future_lend(mine);
    fake_wait(task, TIDE_NEVER);
    tide_future_leave(future, &task->waiter);
    if (mine)
        tide_future_resume(mine);
}

static void nest(struct call *call, struct tide_task *task)
{
    if (call->depth > depth_reached)
        depth_reached = call->depth;
    if (call->depth == DEPTH)
        return;
    struct call *inner = new_call(nest);
    inner->there = call->back;
    inner->back = call->there;
    inner->depth = call->depth + 1;
    if (tide_executor_submit(call->there, &inner->future, true) == 0)
        await(&inner->future, task, &call->future);
    tide_future_unref(&inner->future);
}

static void nested_submits_end_with_one_worker_and_one_slot(void **state)
{
    for (int executors = 1; executors <= 2; executors++) {
        fake_runtime_open(1, false);
        struct tide_executor *a = executor_with(1, 0), *b = executors == 2 ? executor_with(1, 0) : a;
        struct call *call = new_call(nest);
        struct tide_task *task = fake_task();
        call->there = b;
        call->back = a;
        depth_reached = 0;
        assert_int_equal(tide_executor_submit(a, &call->future, true), 0);
        await(&call->future, task, NULL);
        assert_int_equal(depth_reached, DEPTH);
        tide_future_unref(&call->future);
        tide_task_free(task);
        while (tide_executor_counts(a).outstanding || tide_executor_counts(b).outstanding)
            sched_yield();
        tide_runtime_stop_workers(tide_runtime_get());
        assert_int_equal(tide_executor_counts(a).running, 0);
        tide_object_unref(&a->owner.object);
        if (b != a)
            tide_object_unref(&b->owner.object);
        fake_runtime_close();
        assert_int_equal(calls_alive, 0);
    }
}

static void breathe(struct call *call, struct tide_task *task)
{
    (void)call;
    (void)task;
    int now = ++at_once;
    if (now > most_at_once)
        most_at_once = now;
    for (int i = 0; i < 20; i++)
        atomic_thread_fence(memory_order_seq_cst);
    at_once--;
}

/* Submits against a bound, cancels some, waits for some; the other threads run them. */
static void storm(uint32_t *seed, struct tide_task *task)
{
    struct call *recent[STORM_TASKS] = {0};
    for (int i = 0; i < STORM; i++) {
        struct call *call = new_call(breathe);
        int code = tide_executor_submit(executor, &call->future, true);
        if (code == TIDE_EAGAIN) {
            tide_wait_begin(task);
            code = tide_executor_enqueue(executor, &task->waiter, task, &call->future);
            if (code == 0) {
                assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
                assert_true(tide_executor_admitted(&task->waiter));
                tide_executor_leave(executor, &task->waiter);
            } else {
                assert_int_equal(code, 1);
                assert_true(tide_wait_abandon(task));
            }
        }
        struct call **slot = &recent[fake_random(seed) % STORM_TASKS];
        if (*slot) {
            if (fake_random(seed) % 8 == 0)
                tide_future_cancel(&(*slot)->future);
            if (fake_random(seed) % 64 == 0)
                await(&(*slot)->future, task, NULL);
            tide_future_unref(&(*slot)->future);
        }
        *slot = call;
    }
    for (int i = 0; i < STORM_TASKS; i++)
        if (recent[i])
            tide_future_unref(&recent[i]->future);
}

static void a_storm_of_submits_keeps_the_counts(void **state)
{
    uint32_t seed = fake_seed();
    fake_runtime_open(3, false);
    executor = executor_with(2, 8);
    struct tide_task *task = fake_task();
    most_at_once = started = 0;
    storm(&seed, task);
    tide_wait_begin(task);
    if (tide_executor_enqueue_idle(executor, &task->waiter, task) == 0)
        assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
    else
        assert_true(tide_wait_abandon(task));
    tide_executor_leave(executor, &task->waiter);
    counts_are(0, 0, 0);
    print_message("%d of %d ran, at most %d at once\n", started, STORM, most_at_once);
    assert_true(most_at_once <= 2);
    tide_task_free(task);
    tide_runtime_stop_workers(tide_runtime_get());
    for (struct tide_entry *entry; (entry = fake_pop()) != NULL;) /* cancelled in the queue */
        entry->start(entry, tide_worker_current());
    tide_object_unref(&executor->owner.object);
    fake_runtime_close(); /* starts what a worker kept, which was cancelled as well */
    assert_int_equal(calls_alive, 0);
}

#define BY_HAND(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BY_HAND(no_more_run_than_there_are_slots),
        BY_HAND(it_holds_the_runtime_while_anything_is_outstanding),
        BY_HAND(a_lent_slot_starts_the_next),
        BY_HAND(a_hurried_one_is_the_next_to_start),
        BY_HAND(cancelling_pending_ones_gives_their_places_back),
        BY_HAND(a_full_queue_takes_submits_in_their_order),
        BY_HAND(a_closed_executor_refuses_those_who_wait_for_room),
        BY_HAND(idle_waiters_wake_with_the_last),
        BY_HAND(shutdown_cancels_what_it_is_told_to),
        BY_HAND(a_broken_executor_fails_what_has_not_begun),
        BY_HAND(more_work_of_a_running_task_goes_first),
        BY_HAND(new_fails_without_memory),
        BY_HAND(each_has_an_epoch_of_its_own),
        cmocka_unit_test(nested_submits_end_with_one_worker_and_one_slot),
        cmocka_unit_test(a_storm_of_submits_keeps_the_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
