#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"
#include "sync/dict_lock.h"

#include <sched.h>
#include <stdlib.h>

enum { TAKERS = 4, ROUNDS = 4000, DISTINCT = 100000 };

static struct tide_worker worker;
static struct tide_dict *dict;
static struct tide_dict_key key;

static int setup(void **state)
{
    fake_worker_open(&worker);
    dict = tide_dict_new();
    key = tide_dict_key_text("k", 1);
    return dict ? 0 : -1;
}

static int teardown(void **state)
{
    assert_int_equal(tide_dict_shard_of(dict, key.hash)->locks.count, 0);
    assert_int_equal(dict->holder.object.refs, 1);
    tide_object_unref(&dict->holder.object);
    fake_worker_close(&worker);
    return 0;
}

static struct tide_item integer(int64_t i)
{
    return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = i};
}

static int put(int64_t i)
{
    struct tide_item value = integer(i), old;
    return tide_dict_exchange(dict, &key, &value, &old);
}

static int64_t got(void)
{
    struct tide_item item = tide_dict_get(dict, &key);
    return item.kind == TIDE_ITEM_INTEGER ? item.as.integer : -1;
}

static struct tide_task *queued(struct tide_dict_hold *hold, bool value_does)
{
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_dict_lock_queue(dict, &key, task, &task->waiter, value_does, hold), 1);
    assert_int_equal(tide_wait_commit(task, TIDE_NEVER), 1);
    return task;
}

static bool decided(struct tide_task *task, struct tide_dict_hold *hold, enum tide_wait_state expected)
{
    enum tide_wait_state how = tide_wait_end(task);
    assert_int_equal(how, expected);
    return tide_dict_lock_decided(hold, task, &task->waiter, how);
}

static void a_locked_key_is_read_but_not_changed(void **state)
{
    struct tide_task *task = fake_task(), *other = fake_task();
    struct tide_dict_hold hold = {0}, second = {0};
    struct tide_item value = integer(2), old, none = {.kind = TIDE_ITEM_NONE};
    put(1);
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &hold), 0);
    assert_int_equal(put(5), TIDE_EAGAIN);
    assert_int_equal(tide_dict_exchange(dict, &key, &none, &old), TIDE_EAGAIN);
    assert_int_equal(tide_dict_setdefault(dict, &key, &value, &old), TIDE_EAGAIN);
    assert_int_equal(tide_dict_add(dict, &key, &value, &old), TIDE_EAGAIN);
    assert_int_equal(got(), 1);
    assert_int_equal(tide_dict_lock_try(dict, &key, other, &second), TIDE_EAGAIN);
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &second), TIDE_EDEADLK);
    assert_int_equal(tide_dict_lock_store(&hold, &value, &old), 0);
    assert_false(tide_dict_lock_held(&hold));
    assert_int_equal(got(), 2);
    assert_int_equal(put(5), 0);
    tide_task_free(task);
    tide_task_free(other);
}

static void the_lock_goes_to_those_who_wait_in_order(void **state)
{
    struct tide_task *task = fake_task(), *waiting[3];
    struct tide_dict_hold hold = {0}, holds[3] = {{{0}}};
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &hold), 0);
    for (int i = 0; i < 3; i++)
        waiting[i] = queued(&holds[i], false);
    assert_ptr_equal(tide_dict_lock_edge.owner(tide_dict_lock_object(&holds[0])), task);
    tide_dict_lock_release(&hold);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(i), TIDE_EAGAIN); /* no newcomer comes between */
        fake_take_mail();
        assert_ptr_equal(fake_ready(), waiting[i]);
        assert_null(fake_ready());
        assert_true(decided(waiting[i], &holds[i], TIDE_WAIT_WOKEN));
        assert_ptr_equal(tide_dict_lock_edge.owner(tide_dict_lock_object(&holds[i])), waiting[i]);
        tide_dict_lock_release(&holds[i]);
    }
    assert_int_equal(put(1), 0);
    for (int i = 0; i < 3; i++)
        tide_task_free(waiting[i]);
    tide_task_free(task);
}

static void those_who_want_a_value_get_it_at_once(void **state)
{
    struct tide_task *task = fake_task(), *waiting[4];
    struct tide_dict_hold hold = {0}, holds[4] = {{{0}}};
    struct tide_item value = integer(7), old;
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &hold), 0);
    for (int i = 0; i < 4; i++)
        waiting[i] = queued(&holds[i], i != 2);
    assert_int_equal(tide_dict_lock_store(&hold, &value, &old), 0);
    fake_take_mail();
    for (int i = 0; i < 3; i++) { /* the third wants the lock, the fourth comes behind it */
        assert_ptr_equal(fake_ready(), waiting[i]);
        assert_int_equal(decided(waiting[i], &holds[i], TIDE_WAIT_WOKEN), i == 2);
        assert_int_equal(waiting[i]->waiter.item.as.integer, i == 2 ? 0 : 7);
    }
    assert_null(fake_ready());
    value.kind = TIDE_ITEM_NONE; /* it removes the key: who is next has to compute */
    assert_int_equal(tide_dict_lock_store(&holds[2], &value, &old), 0);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), waiting[3]);
    assert_true(decided(waiting[3], &holds[3], TIDE_WAIT_WOKEN));
    tide_dict_lock_release(&holds[3]);
    for (int i = 0; i < 4; i++)
        tide_task_free(waiting[i]);
    tide_task_free(task);
}

static void a_waiter_that_has_gone_is_passed_over(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_dict_hold hold = {0}, first = {0}, second = {0};
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &hold), 0);
    struct tide_task *a = queued(&first, false), *b = queued(&second, false);
    assert_true(tide_cancel_request(&a->root, TIDE_CANCEL_REQUESTED));
    tide_dict_lock_release(&hold);
    fake_take_mail();
    assert_ptr_equal(fake_ready(), a);
    assert_false(decided(a, &first, TIDE_WAIT_INTERRUPTED));
    assert_ptr_equal(fake_ready(), b);
    assert_true(decided(b, &second, TIDE_WAIT_WOKEN));
    tide_dict_lock_release(&second);
    tide_task_free(a);
    tide_task_free(b);
    tide_task_free(task);
}

static void what_an_ended_task_has_is_released(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_dict_hold holds[2] = {{{0}}};
    struct tide_dict_key other = tide_dict_key_integer(3);
    assert_int_equal(tide_dict_lock_try(dict, &key, task, &holds[0]), 0);
    assert_int_equal(tide_dict_lock_try(dict, &other, task, &holds[1]), 0);
    tide_dict_lock_release_all(task);
    assert_false(tide_dict_lock_held(&holds[0]) || tide_dict_lock_held(&holds[1]));
    tide_dict_lock_release(&holds[0]); /* as the finalizer does later */
    assert_int_equal(put(1), 0);
    tide_task_free(task);
}

static void locked_keys_leave_nothing_behind(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_dict_hold *holds = calloc(DISTINCT, sizeof *holds);
    for (int64_t i = 0; i < DISTINCT; i++) {
        struct tide_dict_key one = tide_dict_key_integer(i);
        assert_int_equal(tide_dict_lock_try(dict, &one, task, &holds[i]), 0);
    }
    for (int64_t i = 0; i < DISTINCT; i++)
        tide_dict_lock_release(&holds[i]);
    assert_int_equal(tide_dict_count(dict), 0);
    for (int i = 0; i < TIDE_DICT_SHARDS; i++) {
        assert_int_equal(dict->shards[i].locks.count, 0);
        assert_true(dict->shards[i].locks.room <= 8);
    }
    free(holds);
    tide_task_free(task);
}

static void without_memory_nobody_has_the_lock(void **state)
{
    struct tide_task *task = fake_task();
    struct tide_dict_hold hold = {0};
    int failures = 0;
    for (;; failures++) {
        tide_alloc_fail_after(failures);
        int failed = tide_dict_lock_try(dict, &key, task, &hold);
        tide_alloc_fail_after(-1);
        if (!failed)
            break;
        assert_int_equal(failed, TIDE_ENOMEM);
        assert_false(tide_dict_lock_held(&hold));
    }
    assert_int_equal(failures, 3);
    struct tide_item value = integer(1), old;
    tide_alloc_fail_after(0);
    assert_int_equal(tide_dict_lock_store(&hold, &value, &old), TIDE_ENOMEM);
    tide_alloc_fail_after(-1);
    assert_true(tide_dict_lock_held(&hold));
    tide_dict_lock_release(&hold);
    tide_task_free(task);
}

/* ---- hand-over, time-out and interruption at once ---- */

struct taker {
    pthread_t thread;
    uint32_t seed;
    _Atomic(struct tide_task *) task;
    long had, given, gone, left_over;
    long outcome[TIDE_WAIT_INTERRUPTED + 1], interruptions;
};

static struct taker takers[TAKERS];
static _Atomic int running, interrupting, inside;
static _Atomic long collisions;
static long plain; /* written by whoever has the lock, and by nobody else: a race here is seen by the sanitizer */

static void pause_at_random(uint32_t *seed, uint32_t most_ns)
{
    int64_t until = tide_now_ns() + (int64_t)(fake_random(seed) % most_ns);
    do
        sched_yield();
    while (tide_now_ns() < until);
}

/* With the lock: nobody else is here. Leaves the key with a value or without. */
static void work(struct taker *me, struct tide_dict_hold *hold)
{
    struct tide_item value = {.kind = TIDE_ITEM_NONE}, old;
    if (atomic_fetch_add(&inside, 1) != 0)
        atomic_fetch_add(&collisions, 1);
    plain++;
    me->had++;
    if (fake_random(&me->seed) % 4 == 0)
        pause_at_random(&me->seed, 20000);
    atomic_fetch_sub(&inside, 1);
    if (fake_random(&me->seed) % 2)
        value = integer(plain);
    if (fake_random(&me->seed) % 3 == 0)
        tide_dict_lock_release(hold);
    else
        tide_dict_lock_store(hold, &value, &old);
}

static void take_once(struct taker *me, struct tide_task *task)
{
    struct tide_dict_hold hold = {0};
    uint32_t random = fake_random(&me->seed);
    if (tide_dict_lock_try(dict, &key, task, &hold) == 0) {
        work(me, &hold);
        return;
    }
    int64_t deadline = random % 3 == 0 ? TIDE_NEVER : tide_now_ns() + (int64_t)(random % 40000);
    tide_wait_begin(task);
    int result = tide_dict_lock_queue(dict, &key, task, &task->waiter, random % 2, &hold);
    if (result == 0 && tide_wait_abandon(task)) {
        work(me, &hold);
        return;
    }
    enum tide_wait_state how = fake_wait(task, result == 1 ? deadline : TIDE_NEVER);
    me->outcome[how]++;
    if (tide_dict_lock_decided(&hold, task, &task->waiter, how))
        work(me, &hold);
    else if (how == TIDE_WAIT_WOKEN)
        me->given++;
    else
        me->gone++;
}

static void *take_often(void *arg)
{
    struct taker *me = arg;
    struct tide_worker own;
    fake_worker_open(&own);
    struct tide_task *task = fake_task();
    atomic_store(&me->task, task);
    for (int i = 0; i < ROUNDS; i++)
        take_once(me, task);
    atomic_fetch_sub(&running, 1);
    while (atomic_load(&interrupting)) /* it looks at this task until the end */
        sched_yield();
    fake_take_mail();
    me->left_over += fake_ready() != NULL || !tide_list_empty(&task->keys);
    tide_task_free(task);
    fake_worker_close(&own);
    return NULL;
}

static void *interrupt_often(void *arg)
{
    uint32_t seed = fake_seed() + 77;
    (void)arg;
    while (atomic_load(&running)) {
        struct taker *victim = &takers[fake_random(&seed) % TAKERS];
        struct tide_task *task = atomic_load(&victim->task);
        if (task)
            victim->interruptions += tide_wait_interrupt(task, 0);
        pause_at_random(&seed, 30000);
    }
    atomic_store(&interrupting, 0);
    return NULL;
}

static void a_key_has_one_owner_at_a_time(void **state)
{
    pthread_t interrupter;
    uint32_t seed = fake_seed();
    long had = 0, done = 0;
    plain = 0;
    atomic_store(&running, TAKERS);
    atomic_store(&interrupting, 1);
    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct taker){.seed = seed * 31 + (uint32_t)i + 1};
        assert_int_equal(tide_thread_start(&takers[i].thread, 0, "take", take_often, &takers[i]), 0);
    }
    assert_int_equal(tide_thread_start(&interrupter, 0, "interrupt", interrupt_often, NULL), 0);
    pthread_join(interrupter, NULL);
    for (int i = 0; i < TAKERS; i++) {
        struct taker *t = &takers[i];
        pthread_join(t->thread, NULL);
        print_message("had %ld, given %ld, gone %ld; woken %ld, timed out %ld, interrupted %ld\n", t->had, t->given, t->gone,
                      t->outcome[TIDE_WAIT_WOKEN], t->outcome[TIDE_WAIT_TIMED_OUT], t->outcome[TIDE_WAIT_INTERRUPTED]);
        assert_int_equal(t->outcome[TIDE_WAIT_INTERRUPTED], t->interruptions);
        assert_int_equal(t->left_over, 0);
        had += t->had;
        done += t->had + t->given + t->gone;
    }
    assert_int_equal(had, plain);
    assert_int_equal(done, TAKERS * ROUNDS);
    assert_int_equal(collisions, 0);
}

#define LOCK_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(a_locked_key_is_read_but_not_changed),
        LOCK_TEST(the_lock_goes_to_those_who_wait_in_order),
        LOCK_TEST(those_who_want_a_value_get_it_at_once),
        LOCK_TEST(a_waiter_that_has_gone_is_passed_over),
        LOCK_TEST(what_an_ended_task_has_is_released),
        LOCK_TEST(locked_keys_leave_nothing_behind),
        LOCK_TEST(without_memory_nobody_has_the_lock),
        LOCK_TEST(a_key_has_one_owner_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
