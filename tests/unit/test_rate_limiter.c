#include "unit.h"

#include "base/alloc.h"
#include "exec/rate_limiter.h"

#include <pthread.h>

static const int64_t ms = 1000000;

static void the_unused_limiter_saves_up_a_burst(void **state)
{
    struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, 3);
    struct tide_reservation r;
    int64_t now = 50 * ms;
    for (int i = 0; i < 3; i++) {
        assert_true(tide_rate_limiter_reserve(limiter, 1, now, now, &r));
        assert_int_equal(r.at, now);
    }
    assert_false(tide_rate_limiter_reserve(limiter, 1, now, now, &r));
    assert_true(tide_rate_limiter_reserve(limiter, 1, now, now + ms, &r));
    assert_int_equal(r.at, now + ms);
    now += 100 * ms; /* it saves no more than that */
    for (int i = 0; i < 3; i++)
        assert_true(tide_rate_limiter_reserve(limiter, 1, now, now, &r));
    assert_false(tide_rate_limiter_reserve(limiter, 1, now, now, &r));
    tide_object_unref(&limiter->object);
}

static void several_take_as_many_instants(void **state)
{
    struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, 1);
    struct tide_reservation r;
    assert_true(tide_rate_limiter_reserve(limiter, 5, ms, INT64_MAX, &r));
    assert_int_equal(r.at, 5 * ms);
    assert_true(tide_rate_limiter_reserve(limiter, 1, ms, INT64_MAX, &r));
    assert_int_equal(r.at, 6 * ms);
    assert_false(tide_rate_limiter_reserve(limiter, INT64_MAX, ms, INT64_MAX / 4, &r));
    tide_object_unref(&limiter->object);
}

static int64_t reserved_at(struct tide_rate_limiter *limiter, int64_t n, int64_t now)
{
    struct tide_reservation r;
    assert_true(tide_rate_limiter_reserve(limiter, n, now, INT64_MAX, &r));
    return r.at;
}

static void what_is_given_back_goes_to_who_comes_next(void **state)
{
    struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, 1);
    struct tide_reservation r[8], other;
    for (int i = 0; i < 8; i++)
        assert_true(tide_rate_limiter_reserve(limiter, 1, ms, INT64_MAX, &r[i])); /* at 1 to 8 ms */
    tide_rate_limiter_give_back(limiter, &r[4]);
    tide_rate_limiter_give_back(limiter, &r[2]);
    tide_rate_limiter_give_back(limiter, &r[3]); /* joins them: 3 to 5 ms */
    assert_int_equal(atomic_load(&limiter->gap_count), 1);
    assert_false(tide_rate_limiter_reserve(limiter, 1, ms, 2 * ms, &other));
    assert_int_equal(reserved_at(limiter, 2, ms), 4 * ms);
    assert_int_equal(reserved_at(limiter, 2, ms), 10 * ms); /* only one is left there */
    assert_int_equal(reserved_at(limiter, 1, ms), 5 * ms);
    assert_int_equal(reserved_at(limiter, 1, ms), 11 * ms);
    tide_rate_limiter_give_back(limiter, &r[7]);
    assert_int_equal(reserved_at(limiter, 1, 9 * ms), 12 * ms); /* its time is over */
    assert_int_equal(atomic_load(&limiter->gap_count), 0);
    tide_object_unref(&limiter->object);
}

/* As when a scope ends: the oldest first. */
static void nothing_is_left_of_waiters_that_all_go(void **state)
{
    enum { MANY = 100 };
    struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, 1);
    struct tide_reservation r[MANY];
    for (int order = 0; order < 2; order++) {
        for (int i = 0; i < MANY; i++)
            assert_true(tide_rate_limiter_reserve(limiter, 1, ms, INT64_MAX, &r[i]));
        for (int i = 0; i < MANY; i++)
            tide_rate_limiter_give_back(limiter, &r[order ? MANY - 1 - i : i]);
        assert_int_equal(atomic_load(&limiter->gap_count), 0);
    }
    assert_int_equal(reserved_at(limiter, 1, ms), ms);
    tide_object_unref(&limiter->object);
}

static void without_memory_it_is_lost(void **state)
{
    struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, 1);
    struct tide_reservation first;
    assert_true(tide_rate_limiter_reserve(limiter, 1, ms, INT64_MAX, &first));
    reserved_at(limiter, 1, ms);
    tide_alloc_fail_after(0);
    tide_rate_limiter_give_back(limiter, &first);
    tide_alloc_fail_after(-1);
    assert_int_equal(reserved_at(limiter, 1, ms), 3 * ms);
    tide_object_unref(&limiter->object);
}

static void rates_at_the_edges(void **state)
{
    struct tide_rate_limiter *slow = tide_rate_limiter_new(1e-300, 1 << 30), *fast = tide_rate_limiter_new(1e9, 1);
    struct tide_reservation r;
    assert_true(tide_rate_limiter_reserve(slow, 1, ms, ms, &r));
    assert_true(tide_rate_limiter_reserve(fast, 1, ms, ms, &r));
    assert_false(tide_rate_limiter_reserve(fast, 1, ms, ms, &r));
    assert_true(tide_rate_limiter_reserve(fast, 1, ms + 1, ms + 1, &r));
    tide_object_unref(&slow->object);
    tide_object_unref(&fast->object);
}

enum { THREADS = 4, EACH = 20000 };

static struct tide_rate_limiter *shared;
static int64_t at[THREADS][EACH];

static void *reserve_many(void *arg)
{
    int64_t *mine = arg;
    struct tide_reservation r, kept = {0};
    uint32_t random = (uint32_t)((uintptr_t)arg >> 4);
    for (int i = 0; i < EACH; i++) {
        random = random * 1664525 + 1013904223;
        assert_true(tide_rate_limiter_reserve(shared, 1, ms, INT64_MAX, &r));
        if (random >> 30) { /* else it is given back when the next such one has been taken */
            mine[i] = r.at;
            continue;
        }
        if (kept.at)
            tide_rate_limiter_give_back(shared, &kept);
        kept = r;
        mine[i] = 0;
    }
    if (kept.at)
        tide_rate_limiter_give_back(shared, &kept);
    return NULL;
}

/* Every instant of the grid is taken once, whoever comes, and what is given back is not lost. */
static void threads_share_the_grid(void **state)
{
    static unsigned char taken[THREADS * EACH];
    int kept = 0;
    pthread_t threads[THREADS];
    shared = tide_rate_limiter_new(1000, 1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reserve_many, at[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        for (int k = 0; k < EACH; k++) {
            if (!at[i][k])
                continue;
            kept++;
            int64_t place = at[i][k] / ms - 1;
            assert_true(place >= 0 && place < THREADS * EACH && at[i][k] % ms == 0);
            assert_int_equal(taken[place]++, 0);
        }
    while (kept < THREADS * EACH) { /* fills what is left, and goes on behind it */
        int64_t place = reserved_at(shared, 1, ms) / ms - 1;
        assert_int_equal(taken[place]++, 0);
        kept++;
    }
    for (int i = 0; i < THREADS * EACH; i++)
        assert_int_equal(taken[i], 1);
    tide_object_unref(&shared->object);
}

/* Whoever comes when its instant has come passes, however many it takes, and the rate holds. */
static void who_is_on_time_passes(void **state)
{
    uint32_t random = 7;
    for (int64_t burst = 1; burst <= 5; burst++) {
        struct tide_rate_limiter *limiter = tide_rate_limiter_new(1000, burst);
        int64_t now = 10 * ms, first = 0, total = 0;
        for (int i = 0; i < 2000; i++) {
            struct tide_reservation r;
            random = random * 1664525 + 1013904223;
            int64_t n = 1 + (random >> 28), pause = (random >> 20 & 255) < 16 ? 40 * ms : 0;
            if (pause) {
                now += pause;
                total = 0;
            }
            assert_true(tide_rate_limiter_reserve(limiter, n, now, INT64_MAX, &r));
            now = r.at;
            assert_int_equal(tide_rate_limiter_pass(limiter, n, now), 0);
            if (total == 0)
                first = now - (n > burst ? (n - burst) * ms : 0);
            total += n;
            assert_true(total <= burst + (now - first) / ms);
        }
        tide_object_unref(&limiter->object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_unused_limiter_saves_up_a_burst), cmocka_unit_test(several_take_as_many_instants),
        cmocka_unit_test(what_is_given_back_goes_to_who_comes_next), cmocka_unit_test(rates_at_the_edges),
        cmocka_unit_test(nothing_is_left_of_waiters_that_all_go), cmocka_unit_test(without_memory_it_is_lost),
        cmocka_unit_test(threads_share_the_grid), cmocka_unit_test(who_is_on_time_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
