#include "unit.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "sync/counter.h"

enum { THREADS = 4, ROUNDS = 50000 };

static void add_answers_the_new_value(void **state)
{
    struct tide_counter *counter = tide_counter_new(40);
    assert_true(tide_counter_add(counter, 2) == 42);
    assert_true(tide_counter_add(counter, -50) == -8);
    assert_true(tide_counter_get(counter) == -8);
    tide_object_unref(&counter->object);
}

static void overflow_wraps_around(void **state)
{
    struct tide_counter *counter = tide_counter_new(INT64_MAX);
    assert_true(tide_counter_add(counter, 1) == INT64_MIN);
    assert_true(tide_counter_add(counter, -1) == INT64_MAX);
    tide_object_unref(&counter->object);
}

static void set_answers_the_value_before(void **state)
{
    struct tide_counter *counter = tide_counter_new(7);
    assert_true(tide_counter_set(counter, -1) == 7);
    assert_true(tide_counter_get(counter) == -1);
    tide_object_unref(&counter->object);
}

static void compare_exchange_says_what_it_found(void **state)
{
    struct tide_counter *counter = tide_counter_new(7);
    int64_t from = 6;
    assert_false(tide_counter_compare_exchange(counter, &from, 1));
    assert_true(from == 7);
    assert_true(tide_counter_compare_exchange(counter, &from, INT64_MIN));
    assert_true(tide_counter_get(counter) == INT64_MIN);
    tide_object_unref(&counter->object);
}

static void *count_up(void *arg)
{
    for (int i = 0; i < ROUNDS; i++)
        tide_counter_add(arg, 1);
    return NULL;
}

static void no_addition_is_lost(void **state)
{
    struct tide_counter *counter = tide_counter_new(0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "count", count_up, counter), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(tide_counter_get(counter) == (int64_t)THREADS * ROUNDS);
    tide_object_unref(&counter->object);
}

static void new_fails_without_memory(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_counter *counter = tide_counter_new(0);
    tide_alloc_fail_after(-1);
    assert_null(counter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(add_answers_the_new_value),    cmocka_unit_test(overflow_wraps_around),
        cmocka_unit_test(set_answers_the_value_before), cmocka_unit_test(compare_exchange_says_what_it_found),
        cmocka_unit_test(no_addition_is_lost),          cmocka_unit_test(new_fails_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
