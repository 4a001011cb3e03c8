#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sched/clock.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>

/* An engine of stubs: states are counted, tasks have no coroutine, and the calling thread is main. The workers can be held
 * before their first step, so that the test plays them. */

enum { SLACK = 16, MANY = 400, BURST = 3000, ROUNDS = 200 };

static struct tide_runtime runtime;
static bool gated;
static sem_t gate, done;
static _Atomic int opened, closed, deadlocks;
static _Atomic uint64_t signalled;

static int open_state(struct tide_worker *worker)
{
    opened++;
    if (gated)
        sem_wait(&gate);
    return 0;
}

static void close_state(struct tide_worker *worker)
{
    (void)worker;
    closed++;
}

static void tend(struct tide_worker *worker)
{
    (void)worker;
}

static void deadlock(struct tide_runtime *r)
{
    deadlocks++;
    tide_runtime_hold(r); /* posts main */
    tide_runtime_release(r);
}

static void take_signals(struct tide_runtime *r, uint64_t pending)
{
    (void)r;
    signalled |= pending;
}

static const struct tide_engine engine = {
    .open = open_state, .close = close_state, .tend = tend, .deadlock = deadlock, .signals = take_signals};

static struct tide_runtime_options options = {.workers = 2, .grace_ns = TIDE_MS(60000)};

static void open_runtime(bool behind_gate)
{
    gated = behind_gate;
    opened = closed = deadlocks = 0;
    signalled = 0;
    sem_init(&gate, 0, 0);
    sem_init(&done, 0, 0);
    assert_int_equal(tide_runtime_init(&runtime, &options, &engine), 0);
}

static int setup(void **state)
{
    open_runtime(false);
    return 0;
}

static int setup_gated(void **state)
{
    open_runtime(true);
    return 0;
}

static int teardown(void **state)
{
    for (int i = 0; i < options.workers; i++)
        sem_post(&gate);
    fake_take_mail();
    tide_runtime_fini(&runtime);
    sem_destroy(&gate);
    sem_destroy(&done);
    assert_null(tide_runtime_get());
    assert_int_equal(closed, opened + 1); /* main's state is opened by the program */
    return 0;
}

/* ---- the queue, behind the gate ---- */

static void start_never(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    (void)worker;
}

static struct tide_worker *worker_at(int index)
{
    return runtime.workers[index];
}

static void set_live(int index, uint32_t count)
{
    atomic_store(&worker_at(index)->live_count, count);
}

static void start_both(void)
{
    while (atomic_load(&runtime.started) < 2)
        tide_runtime_wake_one(&runtime);
}

static void init_makes_main_and_starts_nobody(void **state)
{
    assert_ptr_equal(tide_runtime_get(), &runtime);
    assert_ptr_equal(tide_worker_current(), worker_at(0));
    assert_int_equal(worker_at(0)->index, 0);
    assert_int_equal(worker_at(2)->index, 2);
    assert_int_equal(atomic_load(&runtime.started), 0);
    assert_int_equal(atomic_load(&runtime.active), 1);
    assert_false(tide_runtime_may_take(&runtime, worker_at(1)));
    assert_null(tide_runtime_take(&runtime, worker_at(1)));
}

static void workers_start_one_by_one_as_they_are_needed(void **state)
{
    struct tide_entry entry = {.start = start_never};
    assert_int_equal(tide_runtime_push(&runtime, &entry), 0);
    assert_true(atomic_load(&runtime.started) >= 1);
    start_both();
    tide_runtime_wake_one(&runtime); /* there are no more */
    assert_int_equal(atomic_load(&runtime.started), 2);
    assert_ptr_equal(tide_runtime_take(&runtime, worker_at(1)), &entry);
}

static void entries_are_taken_in_order_and_the_hurried_first(void **state)
{
    struct tide_entry entries[4];
    for (int i = 0; i < 3; i++) {
        entries[i].start = start_never;
        assert_int_equal(tide_runtime_push(&runtime, &entries[i]), 0);
    }
    assert_int_equal(tide_runtime_push_front(&runtime, &entries[3]), 0);
    assert_int_equal(atomic_load(&runtime.queued), 4);
    assert_true(tide_runtime_may_take(&runtime, worker_at(1)));
    assert_ptr_equal(tide_runtime_take(&runtime, worker_at(1)), &entries[3]);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(tide_runtime_take(&runtime, worker_at(1)), &entries[i]);
    assert_null(tide_runtime_take(&runtime, worker_at(1)));
    assert_int_equal(atomic_load(&runtime.queued), 0);
}

static void a_worker_takes_until_it_has_sixteen_more_than_another(void **state)
{
    struct tide_entry entry = {.start = start_never};
    assert_int_equal(tide_runtime_push(&runtime, &entry), 0);
    start_both();
    set_live(1, 5 + SLACK + 1);
    set_live(2, 5);
    assert_false(tide_runtime_may_take(&runtime, worker_at(1)));
    assert_null(tide_runtime_take(&runtime, worker_at(1)));
    assert_true(tide_runtime_may_take(&runtime, worker_at(2)));
    set_live(1, 5 + SLACK);
    assert_true(tide_runtime_may_take(&runtime, worker_at(1)));
    assert_ptr_equal(tide_runtime_take(&runtime, worker_at(1)), &entry);
    set_live(1, 0);
    set_live(2, 0);
}

static void main_keeps_no_entry_for_itself(void **state)
{
    struct tide_entry entry = {.start = start_never};
    assert_int_equal(tide_runtime_push_next(&runtime, &entry), 0);
    assert_null(worker_at(0)->next);
    assert_ptr_equal(tide_runtime_take(&runtime, worker_at(1)), &entry);
}

static _Atomic int started_late;

static void count_start(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    started_late += worker->index == 0 && atomic_load(&worker->runtime->closing);
}

static int teardown_with_entries(void **state)
{
    int failed = teardown(state);
    return failed || started_late != 2;
}

static void what_is_still_queued_at_the_end_is_started_on_main(void **state)
{
    static struct tide_entry entries[2] = {{.start = count_start}, {.start = count_start}};
    started_late = 0;
    assert_int_equal(tide_runtime_push(&runtime, &entries[0]), 0);
    worker_at(2)->next = &entries[1];   /* which it left behind */
    atomic_store(&runtime.stopping, 1); /* so the workers take nothing on their way out */
}

static void push_fails_where_the_system_starts_no_thread(void **state)
{
    struct tide_entry entry = {.start = start_never};
    runtime.options.stack = SIZE_MAX / 2 & ~(size_t)65535;
    errno = 0;
    assert_int_equal(tide_runtime_push(&runtime, &entry), TIDE_ETHREAD);
    assert_true(errno != 0);
    assert_int_equal(atomic_load(&runtime.queued), 0);
    assert_int_equal(atomic_load(&runtime.active), 1);
    assert_int_equal(tide_runtime_push_front(&runtime, &entry), TIDE_ETHREAD);
    assert_null(runtime.entries.first);
}

static void init_without_memory_leaves_nothing(void **state)
{
    int failed = TIDE_ENOMEM, step = 0;
    opened = closed = 0;
    while (failed) {
        tide_alloc_fail_after(step++);
        failed = tide_runtime_init(&runtime, &options, &engine);
        tide_alloc_fail_after(-1);
        assert_true(failed == 0 || failed == TIDE_ENOMEM);
        assert_true(failed == 0 || !tide_runtime_get());
    }
    assert_true(step > options.workers + 1);
    tide_runtime_fini(&runtime);
    assert_int_equal(closed, 1);
}

/* ---- the loop, with workers that run ---- */

struct live_entry {
    struct tide_entry entry;
    uint32_t worker;
};

static struct live_entry entries[BURST];
static _Atomic int left;

/* One more task that lives on the worker and never runs. */
static void start_task(struct tide_entry *entry, struct tide_worker *worker)
{
    tide_container(entry, struct live_entry, entry)->worker = worker->index;
    if (!tide_task_new(worker, NULL))
        abort();
    if (atomic_fetch_sub(&left, 1) == 1)
        sem_post(&done);
}

static _Atomic int shut_down;

static void free_tasks(struct tide_mail *mail, struct tide_worker *worker)
{
    (void)mail;
    while (!tide_list_empty(&worker->live)) {
        struct tide_task *task = tide_container(worker->live.next, struct tide_task, live);
        shut_down += atomic_load(&task->root.reason) == TIDE_CANCEL_SHUTDOWN;
        tide_task_free(task);
    }
    sem_post(&done);
}

static void free_all_tasks(void)
{
    struct tide_mail mail[2] = {{.deliver = free_tasks}, {.deliver = free_tasks}};
    for (int i = 0; i < 2; i++)
        tide_worker_post(worker_at(i + 1), &mail[i]);
    for (int i = 0; i < 2; i++)
        sem_wait(&done);
}

static void push_live(int count)
{
    atomic_store(&left, count);
    for (int i = 0; i < count; i++) {
        entries[i].entry.start = start_task;
        if (tide_runtime_push(&runtime, &entries[i].entry) != 0)
            abort();
    }
    sem_wait(&done);
}

static void live_tasks_spread_over_the_workers(void **state)
{
    start_both();
    push_live(MANY);
    int first = (int)atomic_load(&worker_at(1)->live_count), second = (int)atomic_load(&worker_at(2)->live_count);
    print_message("%d and %d\n", first, second);
    assert_int_equal(first + second, MANY);
    assert_true(abs(first - second) <= SLACK + 1);
    free_all_tasks();
}

static void start_and_forget(struct tide_entry *entry, struct tide_worker *worker)
{
    tide_container(entry, struct live_entry, entry)->worker = worker->index;
    if (atomic_fetch_sub(&left, 1) == 1)
        sem_post(&done);
}

static void every_entry_is_started_once_and_not_on_main(void **state)
{
    atomic_store(&left, BURST);
    for (int i = 0; i < BURST; i++) {
        entries[i] = (struct live_entry){.entry.start = start_and_forget};
        assert_int_equal(tide_runtime_push(&runtime, &entries[i].entry), 0);
    }
    sem_wait(&done);
    assert_int_equal(atomic_load(&left), 0);
    for (int i = 0; i < BURST; i++)
        assert_true(entries[i].worker == 1 || entries[i].worker == 2);
}

static struct tide_entry *kept;
static uint32_t chain_worker;
static _Atomic int strayed;

static void start_next_link(struct tide_entry *entry, struct tide_worker *worker)
{
    strayed += worker->index != chain_worker;
    if (atomic_fetch_sub(&left, 1) == 1)
        sem_post(&done);
    else if (tide_runtime_push_next(worker->runtime, entry) != 0)
        abort();
}

/* Leaves two: it keeps the first, whoever takes the second. */
static void start_chain(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    chain_worker = worker->index;
    if (tide_runtime_push_next(worker->runtime, &entries[1].entry) != 0 ||
        tide_runtime_push_next(worker->runtime, &entries[2].entry) != 0)
        abort();
    kept = worker->next;
}

static void a_worker_keeps_the_next_of_a_chain_for_itself(void **state)
{
    start_both();
    strayed = 0;
    atomic_store(&left, 100);
    entries[0].entry.start = start_chain;
    entries[1].entry.start = start_next_link;
    entries[2].entry.start = start_never;
    assert_int_equal(tide_runtime_push(&runtime, &entries[0].entry), 0);
    sem_wait(&done);
    assert_ptr_equal(kept, &entries[1].entry);
    assert_int_equal(strayed, 0);
    while (atomic_load(&runtime.queued)) /* the second */
        sched_yield();
}

static bool asleep(struct tide_worker *worker)
{
    return atomic_load(&worker->parked) == TIDE_PARKED_UNCOUNTED;
}

static void a_push_wakes_a_worker_that_sleeps(void **state)
{
    start_both();
    for (int i = 0; i < ROUNDS; i++) {
        while (i % 4 == 0 && !(asleep(worker_at(1)) && asleep(worker_at(2))))
            sched_yield();
        atomic_store(&left, 1);
        entries[0].entry.start = start_and_forget;
        assert_int_equal(tide_runtime_push(&runtime, &entries[0].entry), 0);
        sem_wait(&done);
    }
}

/* ---- holds, activity, the end ---- */

static bool nothing_holds(void *arg)
{
    (void)arg;
    return atomic_load(&runtime.holds) == 0;
}

static void release_when_main_sleeps(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    while (!asleep(worker_at(0)))
        sched_yield();
    tide_runtime_release(worker->runtime);
    tide_runtime_release(worker->runtime);
}

static void the_last_release_wakes_main(void **state)
{
    struct tide_entry entry = {.start = release_when_main_sleeps};
    for (int i = 0; i < 20; i++) {
        tide_runtime_hold(&runtime);
        tide_runtime_hold(&runtime);
        assert_int_equal(tide_runtime_push(&runtime, &entry), 0);
        tide_worker_loop(worker_at(0), nothing_holds, NULL);
    }
    assert_int_equal(deadlocks, 0);
}

static bool was_reported(void *arg)
{
    (void)arg;
    return deadlocks > 0;
}

static void where_nothing_can_happen_any_more_it_is_reported_once(void **state)
{
    atomic_store(&left, 1);
    entries[0].entry.start = start_and_forget;
    assert_int_equal(tide_runtime_push(&runtime, &entries[0].entry), 0);
    sem_wait(&done);
    tide_worker_loop(worker_at(0), was_reported, NULL);
    assert_int_equal(deadlocks, 1);
}

static bool timer_fired(void *arg)
{
    return !tide_timer_armed(arg);
}

static void a_timer_is_something_that_will_happen(void **state)
{
    struct tide_timer timer = {.kind = TIDE_TIMER_OTHER};
    assert_int_equal(tide_worker_timer_add(worker_at(0), &timer, tide_now_ns() + TIDE_MS(5)), 0);
    tide_worker_loop(worker_at(0), timer_fired, &timer);
    assert_int_equal(deadlocks, 0);
}

static void what_is_counted_as_active_keeps_the_report_away(void **state)
{
    struct tide_entry entry = {.start = release_when_main_sleeps};
    tide_runtime_active_add(&runtime); /* such as a job */
    tide_runtime_hold(&runtime);
    tide_runtime_hold(&runtime);
    assert_int_equal(tide_runtime_push(&runtime, &entry), 0);
    tide_worker_loop(worker_at(0), nothing_holds, NULL);
    tide_runtime_active_drop(&runtime);
    assert_int_equal(deadlocks, 0);
}

static void a_shutdown_cancels_every_task(void **state)
{
    struct tide_task *mine = fake_task();
    start_both();
    push_live(40);
    tide_runtime_shutdown(&runtime, 3);
    tide_runtime_shutdown(&runtime, 4);
    assert_int_equal(atomic_load(&runtime.exit_code), 3);
    assert_true(atomic_load(&runtime.closing));
    assert_true(atomic_load(&runtime.grace_until) != TIDE_NEVER);
    fake_take_mail();
    assert_int_equal(atomic_load(&mine->root.reason), TIDE_CANCEL_SHUTDOWN);
    shut_down = 0;
    free_all_tasks(); /* by mail that comes behind that of the shutdown */
    assert_int_equal(shut_down, 40);
    tide_task_free(mine);
}

static void nobody_starts_once_the_workers_are_stopped(void **state)
{
    struct tide_entry entry = {.start = start_never};
    atomic_store(&left, 1);
    entries[0].entry.start = start_and_forget;
    assert_int_equal(tide_runtime_push(&runtime, &entries[0].entry), 0);
    sem_wait(&done);
    tide_runtime_stop_workers(&runtime);
    assert_int_equal(closed, opened);
    tide_runtime_wake_one(&runtime); /* as the clock does that has just seen something queued */
    assert_int_equal(atomic_load(&runtime.started), 0);
    assert_int_equal(tide_runtime_push(&runtime, &entry), TIDE_ETHREAD);
    assert_int_equal(atomic_load(&runtime.queued), 0);
}

static bool was_signalled(void *arg)
{
    (void)arg;
    return signalled != 0;
}

static void signals_reach_the_engine_on_main(void **state)
{
    struct tide_timer limit = {.kind = TIDE_TIMER_OTHER};
    assert_int_equal(tide_worker_timer_add(worker_at(0), &limit, tide_now_ns() + TIDE_MS(30000)), 0);
    atomic_fetch_or(&runtime.signals, (uint64_t)1 << 9); /* as the handler does */
    tide_clock_wake(&runtime);
    tide_worker_loop(worker_at(0), was_signalled, NULL);
    assert_true(signalled == (uint64_t)1 << 9);
    tide_worker_timer_remove(worker_at(0), &limit);
}

#define QUEUE_TEST(f) cmocka_unit_test_setup_teardown(f, setup_gated, teardown)
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(init_makes_main_and_starts_nobody),
        QUEUE_TEST(workers_start_one_by_one_as_they_are_needed),
        QUEUE_TEST(entries_are_taken_in_order_and_the_hurried_first),
        QUEUE_TEST(a_worker_takes_until_it_has_sixteen_more_than_another),
        QUEUE_TEST(main_keeps_no_entry_for_itself),
        cmocka_unit_test_setup_teardown(what_is_still_queued_at_the_end_is_started_on_main, setup_gated,
                                        teardown_with_entries),
        QUEUE_TEST(push_fails_where_the_system_starts_no_thread),
        cmocka_unit_test(init_without_memory_leaves_nothing),
        LOOP_TEST(live_tasks_spread_over_the_workers),
        LOOP_TEST(every_entry_is_started_once_and_not_on_main),
        LOOP_TEST(a_worker_keeps_the_next_of_a_chain_for_itself),
        LOOP_TEST(a_push_wakes_a_worker_that_sleeps),
        LOOP_TEST(the_last_release_wakes_main),
        LOOP_TEST(where_nothing_can_happen_any_more_it_is_reported_once),
        LOOP_TEST(a_timer_is_something_that_will_happen),
        LOOP_TEST(what_is_counted_as_active_keeps_the_report_away),
        LOOP_TEST(a_shutdown_cancels_every_task),
        LOOP_TEST(nobody_starts_once_the_workers_are_stopped),
        LOOP_TEST(signals_reach_the_engine_on_main),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
