#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "fake_worker.h"
#include "sync/deque.h"

enum { THREADS = 4, EACH = 20000 };

static struct tide_deque *deque;

static void open_deque(size_t maxlen)
{
    if (deque)
        tide_object_unref(&deque->holder.object);
    deque = tide_deque_new(maxlen);
    assert_non_null(deque);
}

static int setup(void **state)
{
    open_deque(SIZE_MAX);
    return 0;
}

static int teardown(void **state)
{
    tide_object_unref(&deque->holder.object);
    deque = NULL;
    return 0;
}

static struct tide_item number(int64_t n)
{
    return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = n};
}

/* Adds one; what fell out, or -1. */
static int64_t add(enum tide_deque_end end, int64_t n)
{
    struct tide_item item = number(n);
    assert_int_equal(tide_deque_extend(deque, end, &item, 1), 0);
    return item.kind == TIDE_ITEM_NONE ? -1 : item.as.integer;
}

static int64_t pop(enum tide_deque_end end)
{
    struct tide_item item;
    return tide_deque_pop(deque, end, &item) ? item.as.integer : -1;
}

static void expect(size_t count, const int64_t *numbers)
{
    struct tide_item items[64];
    assert_int_equal(tide_deque_copy(deque, items, 64), count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(items[i].as.integer, numbers[i]);
}

#define EXPECT(...) expect(sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

static void both_ends_take_and_give(void **state)
{
    add(TIDE_DEQUE_RIGHT, 1);
    add(TIDE_DEQUE_RIGHT, 2);
    add(TIDE_DEQUE_LEFT, 0);
    EXPECT(0, 1, 2);
    assert_int_equal(pop(TIDE_DEQUE_LEFT), 0);
    assert_int_equal(pop(TIDE_DEQUE_RIGHT), 2);
    assert_int_equal(pop(TIDE_DEQUE_RIGHT), 1);
    assert_int_equal(pop(TIDE_DEQUE_RIGHT), -1);
    assert_int_equal(pop(TIDE_DEQUE_LEFT), -1);
}

static void a_full_one_drops_at_the_other_end(void **state)
{
    struct tide_item items[5];
    open_deque(3);
    for (int i = 0; i < 5; i++)
        items[i] = number(i);
    assert_int_equal(tide_deque_extend(deque, TIDE_DEQUE_RIGHT, items, 5), 0);
    EXPECT(2, 3, 4);
    assert_int_equal(items[2].kind, TIDE_ITEM_NONE);
    assert_int_equal(items[3].as.integer, 0);
    assert_int_equal(items[4].as.integer, 1);
    assert_int_equal(add(TIDE_DEQUE_LEFT, 9), 4);
    EXPECT(9, 2, 3);
}

static void one_of_no_length_swallows_all(void **state)
{
    open_deque(0);
    assert_int_equal(add(TIDE_DEQUE_RIGHT, 1), 1);
    assert_int_equal(add(TIDE_DEQUE_LEFT, 2), 2);
    assert_int_equal(tide_deque_count(deque), 0);
}

static void an_index_counts_from_either_end(void **state)
{
    struct tide_item item;
    static const int64_t none[] = {0, 4, -4, INT64_MAX, INT64_MIN};
    for (int i = 1; i <= 3; i++)
        add(TIDE_DEQUE_RIGHT, i * 10);
    for (int i = 1; i <= 3; i++) {
        assert_true(tide_deque_get(deque, i, &item));
        assert_int_equal(item.as.integer, i * 10);
        assert_true(tide_deque_get(deque, i - 4, &item));
        assert_int_equal(item.as.integer, i * 10);
    }
    for (int i = 0; i < 5; i++) {
        assert_false(tide_deque_get(deque, none[i], &item));
        assert_false(tide_deque_remove(deque, none[i], &item));
    }
    assert_true(tide_deque_remove(deque, 2, &item));
    assert_int_equal(item.as.integer, 20);
    EXPECT(10, 30);
}

static int insert(int64_t index, int64_t n)
{
    struct tide_item item = number(n);
    return tide_deque_insert(deque, index, &item);
}

static void insert_puts_before_an_index(void **state)
{
    open_deque(6);
    assert_int_equal(insert(7, 1), 0);
    assert_int_equal(insert(1, 2), 0);
    assert_int_equal(insert(-1, 3), 0);
    EXPECT(2, 3, 1);
    assert_int_equal(insert(INT64_MAX, 4), 0);
    assert_int_equal(insert(INT64_MIN, 5), 0);
    assert_int_equal(insert(-5, 6), 0);
    EXPECT(6, 5, 2, 3, 1, 4);
    assert_int_equal(insert(2, 7), TIDE_EAGAIN);
}

static void rotate_takes_any_number(void **state)
{
    tide_deque_rotate(deque, 5);
    for (int i = 0; i < 5; i++)
        add(TIDE_DEQUE_RIGHT, i);
    tide_deque_rotate(deque, 2);
    EXPECT(3, 4, 0, 1, 2);
    tide_deque_rotate(deque, -2);
    EXPECT(0, 1, 2, 3, 4);
    tide_deque_rotate(deque, 5000000000000000001);
    EXPECT(4, 0, 1, 2, 3);
    tide_deque_rotate(deque, -1);
    tide_deque_rotate(deque, INT64_MIN); /* ends in 8: 3 the other way */
    EXPECT(3, 4, 0, 1, 2);
}

static void copy_says_where_the_room_is_too_small(void **state)
{
    struct tide_item items[2] = {{0}};
    for (int i = 0; i < 3; i++)
        add(TIDE_DEQUE_RIGHT, i);
    assert_int_equal(tide_deque_copy(deque, items, 2), 3);
    assert_int_equal(items[0].kind, TIDE_ITEM_NONE);
    tide_deque_clear(deque);
    assert_int_equal(tide_deque_copy(deque, items, 2), 0);
}

static void without_memory_nothing_changes(void **state)
{
    struct tide_item item = number(8);
    tide_alloc_fail_after(0);
    int extended = tide_deque_extend(deque, TIDE_DEQUE_RIGHT, &item, 1);
    int inserted = tide_deque_insert(deque, 1, &item);
    struct tide_deque *none = tide_deque_new(1);
    tide_alloc_fail_after(-1);
    assert_int_equal(extended, TIDE_ENOMEM);
    assert_int_equal(inserted, TIDE_ENOMEM);
    assert_null(none);
    assert_int_equal(item.as.integer, 8);
    assert_int_equal(tide_deque_count(deque), 0);
}

/* ---- many threads ---- */

static _Atomic long sum;

static void *add_and_pop(void *arg)
{
    uint32_t seed = fake_seed() + (uint32_t)(intptr_t)arg;
    for (int i = 1; i <= EACH; i++) {
        struct tide_item item = number(i);
        uint32_t random = fake_random(&seed);
        if (tide_deque_extend(deque, random % 2 ? TIDE_DEQUE_LEFT : TIDE_DEQUE_RIGHT, &item, 1) == 0 && item.kind)
            atomic_fetch_add(&sum, item.as.integer);
        if (random % 3 && tide_deque_pop(deque, random % 5 < 2 ? TIDE_DEQUE_LEFT : TIDE_DEQUE_RIGHT, &item))
            atomic_fetch_add(&sum, item.as.integer);
        if (random % 16 == 0)
            tide_deque_rotate(deque, (int64_t)(random % 100));
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    pthread_t threads[THREADS];
    fake_seed(); /* before the threads ask */
    for (size_t maxlen = 3; maxlen != SIZE_MAX; maxlen = maxlen == 3 ? 2000 : SIZE_MAX) {
        open_deque(maxlen);
        atomic_store(&sum, 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(tide_thread_start(&threads[i], 0, "deque", add_and_pop, (void *)(intptr_t)i), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        for (int64_t n; (n = pop(TIDE_DEQUE_LEFT)) >= 0;)
            sum += n;
        assert_int_equal(atomic_load(&sum), (long)THREADS * EACH * (EACH + 1) / 2);
    }
}

#define DEQUE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DEQUE_TEST(both_ends_take_and_give),
        DEQUE_TEST(a_full_one_drops_at_the_other_end),
        DEQUE_TEST(one_of_no_length_swallows_all),
        DEQUE_TEST(an_index_counts_from_either_end),
        DEQUE_TEST(insert_puts_before_an_index),
        DEQUE_TEST(rotate_takes_any_number),
        DEQUE_TEST(copy_says_where_the_room_is_too_small),
        DEQUE_TEST(without_memory_nothing_changes),
        DEQUE_TEST(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
