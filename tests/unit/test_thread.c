#define _GNU_SOURCE
#include "unit.h"

#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 100000, STACK = 256 * 1024 };

/* cmocka's state belongs to its thread: the others record, the test asserts after the join. */

static struct tide_mutex mutex;
static long guarded;

static void *count_up(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        tide_mutex_lock(&mutex);
        guarded++;
        tide_mutex_unlock(&mutex);
    }
    return NULL;
}

static void the_mutex_excludes(void **state)
{
    pthread_t threads[THREADS];
    guarded = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "count", count_up, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(guarded, (long)THREADS * ROUNDS);
    assert_int_equal(atomic_load(&mutex.word), 0);
}

static void a_wake_that_comes_first_is_not_lost(void **state)
{
    struct tide_park park = {0};
    tide_park_wake(&park);
    assert_true(tide_park_wait(&park, TIDE_NEVER));
    assert_false(tide_park_wait(&park, tide_now_ns())); /* consumed, and only one was stored */
}

static void a_deadline_ends_the_sleep(void **state)
{
    struct tide_park park = {0};
    int64_t deadline = tide_now_ns() + TIDE_MS(20);
    while (!tide_park_wait(&park, deadline) && tide_now_ns() < deadline)
        continue; /* a signal may end it early */
    assert_true(tide_now_ns() >= deadline);
    assert_false(tide_park_wait(&park, deadline)); /* one that has passed does not block */
    assert_int_equal(atomic_load(&park.word), 0);
}

struct pair {
    struct tide_park ping, pong;
    int woken;
};

static void *answer(void *arg)
{
    struct pair *pair = arg;
    for (int i = 0; i < ROUNDS; i++) {
        while (!tide_park_wait(&pair->ping, TIDE_NEVER))
            continue;
        pair->woken++;
        tide_park_wake(&pair->pong);
    }
    return NULL;
}

static void two_threads_wake_each_other_without_a_loss(void **state)
{
    struct pair pair = {0};
    pthread_t thread;
    assert_int_equal(tide_thread_start(&thread, STACK, "answer", answer, &pair), 0);
    for (int i = 0; i < ROUNDS; i++) {
        tide_park_wake(&pair.ping);
        while (!tide_park_wait(&pair.pong, TIDE_NEVER))
            continue;
    }
    pthread_join(thread, NULL);
    assert_int_equal(pair.woken, ROUNDS);
}

struct facts {
    struct tide_park looked_at;
    sigset_t blocked;
    bool inside; /* a local variable stands between the floor and the floor plus the stack's size */
};

static void *look_around(void *arg)
{
    struct facts *facts = arg;
    char local, *floor = tide_thread_stack_floor();
    pthread_sigmask(SIG_SETMASK, NULL, &facts->blocked);
    facts->inside = floor && &local > floor && &local < floor + STACK;
    while (!tide_park_wait(&facts->looked_at, TIDE_NEVER))
        continue;
    return NULL;
}

static void a_thread_has_its_name_its_stack_and_no_signals_but_urg(void **state)
{
    struct facts facts;
    pthread_t thread;
    sigset_t before, after;
    char name[16];
    memset(&facts, 0, sizeof facts);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(tide_thread_start(&thread, STACK, "worker 1", look_around, &facts), 0);
    pthread_getname_np(thread, name, sizeof name);
    tide_park_wake(&facts.looked_at);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_string_equal(name, "worker 1");
    assert_true(sigismember(&facts.blocked, SIGINT) && sigismember(&facts.blocked, SIGTERM));
    assert_false(sigismember(&facts.blocked, SIGURG) || sigismember(&facts.blocked, SIGSEGV));
    assert_int_equal(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
#if !defined(__SANITIZE_ADDRESS__) /* its locals may live on the heap */
    assert_true(facts.inside);
#endif
}

static void a_thread_that_cannot_be_started_is_an_error(void **state)
{
    pthread_t thread;
    errno = 0;
    assert_int_equal(tide_thread_start(&thread, SIZE_MAX / 2 & ~(size_t)65535, "huge", count_up, NULL), TIDE_ETHREAD);
    assert_int_not_equal(errno, 0);
}

static void there_is_at_least_one_cpu(void **state)
{
    assert_in_range(tide_cpu_count(), 1, 65536);
}

static void deadlines_saturate(void **state)
{
    int64_t now = tide_now_ns();
    assert_int_equal(tide_deadline_after(1e300), TIDE_NEVER);
    assert_int_equal(tide_deadline_after(1.0 / 0.0), TIDE_NEVER);
    assert_true(tide_deadline_after(0) >= now);
    assert_true(tide_deadline_after(1e-12) > now);
    assert_in_range(tide_deadline_after(10) - now, TIDE_MS(10000), TIDE_MS(70000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mutex_excludes),
        cmocka_unit_test(a_wake_that_comes_first_is_not_lost),
        cmocka_unit_test(a_deadline_ends_the_sleep),
        cmocka_unit_test(two_threads_wake_each_other_without_a_loss),
        cmocka_unit_test(a_thread_has_its_name_its_stack_and_no_signals_but_urg),
        cmocka_unit_test(a_thread_that_cannot_be_started_is_an_error),
        cmocka_unit_test(there_is_at_least_one_cpu),
        cmocka_unit_test(deadlines_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
