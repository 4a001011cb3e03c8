#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "fake_worker.h"
#include "sync/ranking.h"

#include <math.h>

enum { MANY = 20000 };

static struct tide_ranking ranking;
static struct tide_mutex lock;

static int teardown(void **state)
{
    tide_ranking_fini(&ranking);
    return 0;
}

static void push(int64_t n, double priority)
{
    tide_mutex_lock(&lock);
    assert_int_equal(tide_ranking_reserve(&ranking, &lock, 1), 0);
    tide_ranking_push(&ranking, (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = n}, priority);
    tide_mutex_unlock(&lock);
}

static void expect(int64_t n, double priority)
{
    double found;
    assert_int_equal(tide_ranking_pop(&ranking, &found).as.integer, n);
    assert_true(found == priority);
}

static void the_smallest_comes_first(void **state)
{
    push(1, 5);
    push(2, -INFINITY);
    push(3, 0);
    push(4, INFINITY);
    push(5, -1e300);
    expect(2, -INFINITY);
    expect(5, -1e300);
    expect(3, 0);
    expect(1, 5);
    expect(4, INFINITY);
}

static void ties_come_in_the_order_they_went_in(void **state)
{
    for (int i = 0; i < MANY; i++)
        push(i, i % 3);
    for (int priority = 0; priority < 3; priority++)
        for (int i = priority; i < MANY; i += 3)
            expect(i, priority);
    assert_int_equal(ranking.count, 0);
}

static void minus_zero_ties_with_zero(void **state)
{
    push(1, 0.0);
    push(2, -0.0);
    push(3, 0.0);
    expect(1, 0);
    expect(2, 0);
    expect(3, 0);
}

static void pushes_and_pops_at_random_stay_in_order(void **state)
{
    uint32_t seed = fake_seed();
    int64_t inside[64] = {0}; /* how many of each priority, and their numbers in order */
    int64_t next[64] = {0}, first[64] = {0};
    for (int round = 0; round < MANY * 5; round++) {
        if (fake_random(&seed) % 5 < 3) {
            uint32_t p = fake_random(&seed) % 64;
            push(next[p]++, p);
            inside[p]++;
        } else if (ranking.count) {
            int p = 0;
            while (!inside[p])
                p++;
            inside[p]--;
            expect(first[p]++, p);
        }
    }
}

static void without_memory_nothing_changes(void **state)
{
    for (int i = 0; i < 8; i++)
        push(i, i);
    tide_mutex_lock(&lock);
    tide_alloc_fail_after(0);
    int result = tide_ranking_reserve(&ranking, &lock, 1);
    tide_alloc_fail_after(-1);
    assert_int_equal(tide_ranking_reserve(&ranking, &lock, SIZE_MAX / 2), TIDE_ENOMEM);
    tide_mutex_unlock(&lock);
    assert_int_equal(result, TIDE_ENOMEM);
    for (int i = 0; i < 8; i++)
        expect(i, i);
}

static void a_large_one_gives_its_array_back_when_empty(void **state)
{
    for (int i = 0; i < 5000; i++)
        push(i, 0);
    assert_null(tide_ranking_trim(&ranking));
    for (int i = 0; i < 5000; i++)
        expect(i, 0);
    struct tide_ranked *at = tide_ranking_trim(&ranking);
    assert_non_null(at);
    tide_free(at);
    push(1, 1);
    expect(1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_smallest_comes_first, teardown),
        cmocka_unit_test_teardown(ties_come_in_the_order_they_went_in, teardown),
        cmocka_unit_test_teardown(minus_zero_ties_with_zero, teardown),
        cmocka_unit_test_teardown(pushes_and_pops_at_random_stay_in_order, teardown),
        cmocka_unit_test_teardown(without_memory_nothing_changes, teardown),
        cmocka_unit_test_teardown(a_large_one_gives_its_array_back_when_empty, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
