#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sync/future.h"

#include <assert.h>
#include <sched.h>

enum { THREADS = 3, ROUNDS = 10000, SLOTS = 4 };

static struct tide_worker worker;
static _Atomic int alive; /* messages */
static struct tide_future *future;

static void start_never(struct tide_entry *entry, struct tide_worker *w)
{
    (void)entry;
    (void)w;
}

/* An owner that records what it is told. */
struct recorder {
    struct tide_future_owner owner;
    _Atomic int dropped, finished, hurried, destroyed;
    _Atomic bool at_once;
};

static void record_dropped(struct tide_future_owner *owner, struct tide_future *f)
{
    struct recorder *r = tide_container(owner, struct recorder, owner);
    assert(tide_future_done(f) && !f->owner);
    r->dropped++;
    f->place = TIDE_FUTURE_NOWHERE;
}

static void record_finished(struct tide_future_owner *owner, struct tide_future *f)
{
    struct recorder *r = tide_container(owner, struct recorder, owner);
    assert(tide_future_done(f) && !f->owner);
    r->finished++;
    f->place = TIDE_FUTURE_NOWHERE;
}

static void record_hurry(struct tide_future_owner *owner, struct tide_future *f, bool at_once)
{
    struct recorder *r = tide_container(owner, struct recorder, owner);
    (void)f;
    r->hurried++;
    r->at_once = at_once;
}

static void record_destroy(struct tide_object *object)
{
    tide_container(object, struct recorder, owner.object)->destroyed++;
}

static const struct tide_class recorder_class = {"recorder", record_destroy};
static const struct tide_future_owner_calls recorder_calls = {
    .dropped = record_dropped, .finished = record_finished, .hurry = record_hurry};
static struct recorder owner;

static void owner_init(struct recorder *r)
{
    *r = (struct recorder){.owner.calls = &recorder_calls};
    tide_object_init(&r->owner.object, &recorder_class);
}

static int setup(void **state)
{
    fake_worker_open(&worker);
    owner_init(&owner);
    future = tide_future_new(start_never);
    if (!future)
        return -1;
    future->call = fake_message(&alive);
    tide_future_adopt(future, &owner.owner);
    return 0;
}

/* Drops the run's reference and the test's. */
static int teardown(void **state)
{
    tide_future_cancel(future);
    tide_future_unref(future);
    tide_future_unref(future);
    fake_worker_close(&worker);
    tide_future_unobserved = NULL;
    return atomic_load(&alive);
}

static struct tide_task *begun(void)
{
    struct tide_task *task = fake_task();
    assert_int_equal(tide_future_begin(future, task), 0);
    tide_message_unref(tide_future_take_call(future));
    return task;
}

static void finish(struct tide_task *task, enum tide_future_state state)
{
    tide_future_finish(future, state, state == TIDE_FUTURE_CANCELLED ? NULL : fake_message(&alive), NULL);
    tide_task_free(task);
}

/* ---- states ---- */

static void it_runs_from_pending_to_done(void **state)
{
    assert_int_equal(tide_future_state(future), TIDE_FUTURE_PENDING);
    assert_null(tide_future_task(future));
    struct tide_task *task = begun();
    assert_int_equal(tide_future_state(future), TIDE_FUTURE_RUNNING);
    assert_ptr_equal(tide_future_task(future), task);
    finish(task, TIDE_FUTURE_DONE);
    assert_true(tide_future_done(future));
    assert_null(tide_future_task(future));
    assert_non_null(future->result);
    assert_int_equal(owner.finished, 1);
    assert_int_equal(owner.dropped, 0);
    assert_false(tide_future_cancel(future));
}

static void a_cancelled_pending_one_is_complete_and_never_starts(void **state)
{
    struct tide_task *task = fake_task();
    assert_true(tide_future_cancel(future));
    assert_int_equal(tide_future_state(future), TIDE_FUTURE_CANCELLED);
    assert_int_equal(atomic_load(&alive), 0); /* the call's arguments are gone at once */
    assert_int_equal(owner.dropped, 1);
    assert_int_equal(tide_future_begin(future, task), TIDE_ECANCELED);
    assert_true(tide_future_cancel(future));
    assert_int_equal(owner.dropped, 1);
    assert_int_equal(owner.finished, 0);
    tide_task_free(task);
}

static void cancelling_a_running_one_asks_its_task(void **state)
{
    struct tide_task *task = begun();
    tide_wait_begin(task);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    assert_true(tide_future_cancel(future));
    assert_int_equal(tide_future_state(future), TIDE_FUTURE_RUNNING);
    assert_true(atomic_load(&future->marks) & TIDE_FUTURE_ASKED);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), task);
    assert_int_equal(tide_wait_end(task), TIDE_WAIT_INTERRUPTED);
    assert_int_equal(atomic_load(&task->root.reason), TIDE_CANCEL_REQUESTED);
    assert_true(tide_future_cancel(future));
    finish(task, TIDE_FUTURE_DONE); /* the function returned first: its result stands */
    assert_int_equal(tide_future_state(future), TIDE_FUTURE_DONE);
    assert_false(tide_future_cancel(future));
}

static void dropping_takes_the_text_either_way(void **state)
{
    assert_true(tide_future_drop(future, TIDE_FUTURE_FAILED, tide_strdup("no thread")));
    assert_string_equal(future->error, "no thread");
    assert_false(tide_future_drop(future, TIDE_FUTURE_FAILED, tide_strdup("again")));
    assert_string_equal(future->error, "no thread");
    tide_future_mark(future, TIDE_FUTURE_IGNORED);
}

/* ---- waiting ---- */

static void those_who_wait_are_woken_in_order(void **state)
{
    struct tide_task *tasks[3], *runner = begun();
    for (int i = 0; i < 3; i++) {
        tasks[i] = fake_task();
        tide_wait_begin(tasks[i]);
        assert_int_equal(tide_future_enqueue(future, &tasks[i]->waiter, tasks[i]), 0);
        assert_int_equal(tide_wait_commit(tasks[i], TIDE_NEVER), 1);
    }
    assert_true(tide_wait_interrupt(tasks[1], 0));
    finish(runner, TIDE_FUTURE_DONE);
    fake_take_mail();
    static const int order[] = {1, 0, 2};
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(fake_ready(), tasks[order[i]]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tide_wait_end(tasks[i]), i == 1 ? TIDE_WAIT_INTERRUPTED : TIDE_WAIT_WOKEN);
        tide_future_leave(future, &tasks[i]->waiter);
        tide_task_free(tasks[i]);
    }
}

static void nobody_waits_for_a_complete_one(void **state)
{
    struct tide_task *task = fake_task();
    tide_future_cancel(future);
    tide_wait_begin(task);
    assert_int_equal(tide_future_enqueue(future, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
}

static void hurry_reaches_the_owner_only_while_pending(void **state)
{
    tide_future_hurry(future, true);
    assert_int_equal(owner.hurried, 1);
    assert_true(owner.at_once);
    struct tide_task *task = begun();
    tide_future_hurry(future, false);
    finish(task, TIDE_FUTURE_DONE);
    tide_future_hurry(future, false);
    assert_int_equal(owner.hurried, 1);
    assert_int_equal(atomic_load(&owner.owner.object.refs), 1);
}

/* ---- callbacks ---- */

struct noting {
    struct tide_future_callback callback;
    int fired, at;
};

static int note_clock;

static void note(struct tide_future_callback *callback, struct tide_future *f)
{
    struct noting *n = tide_container(callback, struct noting, callback);
    n->fired += tide_future_done(f);
    n->at = ++note_clock;
}

static void callbacks_fire_once_in_the_order_they_were_added(void **state)
{
    struct noting notes[4] = {0};
    note_clock = 0;
    for (int i = 0; i < 3; i++) {
        notes[i].callback.fire = note;
        tide_future_callback_add(future, &notes[i].callback);
    }
    assert_true(tide_future_callback_remove(future, &notes[1].callback));
    struct tide_task *task = begun();
    assert_int_equal(note_clock, 0);
    finish(task, TIDE_FUTURE_DONE);
    notes[3].callback.fire = note;
    tide_future_callback_add(future, &notes[3].callback); /* at once */
    assert_int_equal(notes[0].fired + notes[2].fired + notes[3].fired, 3);
    assert_int_equal(notes[1].fired, 0);
    assert_true(notes[0].at == 1 && notes[2].at == 2 && notes[3].at == 3);
    assert_false(tide_future_callback_remove(future, &notes[0].callback));
}

static void callbacks_fire_on_a_cancel_too(void **state)
{
    struct noting n = {.callback.fire = note};
    tide_future_callback_add(future, &n.callback);
    tide_future_cancel(future);
    assert_int_equal(n.fired, 1);
}

/* ---- no failure is silent ---- */

static int told;

static void tell(struct tide_future *f)
{
    told += tide_future_state(f) == TIDE_FUTURE_FAILED;
}

static struct tide_future *completed(enum tide_future_state how)
{
    struct tide_future *f = tide_future_new(start_never);
    struct tide_task *task = fake_task();
    assert_int_equal(tide_future_begin(f, task), 0);
    tide_future_finish(f, how, NULL, NULL);
    tide_task_free(task);
    return f;
}

static void a_failure_that_nobody_asked_for_is_told_once(void **state)
{
    tide_future_unobserved = tell;
    told = 0;
    tide_future_unref(completed(TIDE_FUTURE_FAILED));
    assert_int_equal(told, 1);
    struct tide_future *f = completed(TIDE_FUTURE_FAILED);
    tide_future_report(f);
    tide_future_report(f);
    tide_future_unref(f);
    assert_int_equal(told, 2);
}

static void what_was_asked_for_or_ignored_is_not_told(void **state)
{
    tide_future_unobserved = tell;
    told = 0;
    tide_future_unref(completed(TIDE_FUTURE_DONE));
    tide_future_unref(completed(TIDE_FUTURE_CANCELLED));
    struct tide_future *f = completed(TIDE_FUTURE_FAILED);
    tide_future_mark(f, TIDE_FUTURE_OBSERVED);
    tide_future_unref(f);
    f = completed(TIDE_FUTURE_FAILED);
    tide_future_mark(f, TIDE_FUTURE_IGNORED);
    tide_future_unref(f);
    assert_int_equal(told, 0);
}

/* ---- memory ---- */

static void it_is_small(void **state)
{
    print_message("%zu bytes\n", sizeof(struct tide_future));
    assert_true(sizeof(struct tide_future) <= 152);
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_future *none = tide_future_new(start_never);
    tide_alloc_fail_after(-1);
    assert_null(none);
}

/* ---- all at once ----
 * In each round every thread does one thing to one of some fresh futures: runs it, cancels it, waits for it with or without a
 * limit, watches it by a callback. In the end all is counted. */

static struct tide_future *slots[SLOTS];
static struct recorder slot_owner;
static pthread_barrier_t barrier;
static _Atomic long fired, added, taken_back, lost_results;
static _Atomic int wrong;

static void count_fire(struct tide_future_callback *callback, struct tide_future *f)
{
    wrong += !tide_future_done(f);
    fired++;
    tide_free(callback);
}

static void run_one(struct tide_future *f)
{
    struct tide_task *task = fake_task();
    if (tide_future_begin(f, task) == 0) {
        tide_message_unref(tide_future_take_call(f));
        sched_yield();
        tide_future_finish(f, TIDE_FUTURE_DONE, fake_message(&alive), NULL);
    }
    fake_take_mail(); /* a cancellation that was asked for found no wait */
    wrong += fake_ready() != NULL;
    tide_task_free(task);
}

static void wait_one(struct tide_future *f, int64_t deadline)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    bool queued = tide_future_enqueue(f, &task->waiter, task) == 0;
    if (queued) {
        enum tide_wait_state how = fake_wait(task, deadline);
        tide_future_leave(f, &task->waiter);
        wrong += how == TIDE_WAIT_WOKEN && !tide_future_done(f);
        wrong += how == TIDE_WAIT_INTERRUPTED;
    } else {
        tide_wait_abandon(task);
    }
    if (tide_future_state(f) == TIDE_FUTURE_DONE && !f->result)
        lost_results++;
    tide_task_free(task);
}

static void watch_one(struct tide_future *f, bool regret)
{
    struct tide_future_callback *callback = tide_calloc(1, sizeof *callback);
    callback->fire = count_fire;
    added++;
    tide_future_callback_add(f, callback);
    if (regret && tide_future_callback_remove(f, callback)) {
        taken_back++;
        tide_free(callback);
    }
}

static void do_something(uint32_t *seed, int me)
{
    struct tide_future *f = slots[fake_random(seed) % SLOTS];
    switch (fake_random(seed) % 5) {
    case 0: tide_future_cancel(f); break;
    case 1: wait_one(f, tide_now_ns() + (int64_t)(fake_random(seed) % 20000)); break;
    case 2: watch_one(f, false); break;
    case 3: watch_one(f, true); break;
    case 4: tide_future_hurry(f, false); break;
    }
    if (me == 0) /* sooner or later each of them is run, by one thread */
        for (int i = 0; i < SLOTS; i++)
            run_one(slots[i]);
    else
        wait_one(slots[fake_random(seed) % SLOTS], TIDE_NEVER);
}

static void renew_slots(void)
{
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i]) {
            wrong += !tide_future_done(slots[i]);
            tide_future_unref(slots[i]);
            tide_future_unref(slots[i]);
        }
        slots[i] = tide_future_new(start_never);
        slots[i]->call = fake_message(&alive);
        tide_future_adopt(slots[i], &slot_owner.owner);
    }
}

static void *collide(void *arg)
{
    int me = (int)(intptr_t)arg;
    uint32_t seed = fake_seed() + (uint32_t)me * 7919;
    struct tide_worker own;
    fake_worker_open(&own);
    for (int i = 0; i < ROUNDS; i++) {
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            renew_slots();
        pthread_barrier_wait(&barrier);
        do_something(&seed, me);
    }
    pthread_barrier_wait(&barrier); /* cancelled tasks are looked at no more */
    fake_worker_close(&own);
    return NULL;
}

static void each_future_completes_once(void **state)
{
    pthread_t threads[THREADS];
    fake_seed();
    owner_init(&slot_owner);
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "collide", collide, (void *)(intptr_t)i), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    for (int i = 0; i < SLOTS; i++) {
        assert_true(tide_future_done(slots[i]));
        tide_future_unref(slots[i]);
        tide_future_unref(slots[i]);
        slots[i] = NULL;
    }
    print_message("finished %d, dropped %d, callbacks %ld of %ld\n", slot_owner.finished, slot_owner.dropped, fired,
                  added);
    assert_int_equal(wrong, 0);
    assert_int_equal(lost_results, 0);
    assert_int_equal(slot_owner.finished + slot_owner.dropped, ROUNDS * SLOTS);
    assert_int_equal(fired + taken_back, added);
    assert_int_equal(atomic_load(&slot_owner.owner.object.refs), 1);
    assert_int_equal(slot_owner.destroyed, 0);
    assert_int_equal(atomic_load(&alive), 1); /* the call of the fixture's future */
}

#define FUTURE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_TEST(it_runs_from_pending_to_done),
        FUTURE_TEST(a_cancelled_pending_one_is_complete_and_never_starts),
        FUTURE_TEST(cancelling_a_running_one_asks_its_task),
        FUTURE_TEST(dropping_takes_the_text_either_way),
        FUTURE_TEST(those_who_wait_are_woken_in_order),
        FUTURE_TEST(nobody_waits_for_a_complete_one),
        FUTURE_TEST(hurry_reaches_the_owner_only_while_pending),
        FUTURE_TEST(callbacks_fire_once_in_the_order_they_were_added),
        FUTURE_TEST(callbacks_fire_on_a_cancel_too),
        FUTURE_TEST(a_failure_that_nobody_asked_for_is_told_once),
        FUTURE_TEST(what_was_asked_for_or_ignored_is_not_told),
        FUTURE_TEST(it_is_small),
        FUTURE_TEST(new_fails_without_memory),
        FUTURE_TEST(each_future_completes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
