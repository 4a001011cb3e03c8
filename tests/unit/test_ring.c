#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/ring.h"

#include <string.h>

static struct tide_ring ring;
static struct tide_mutex lock;

static int setup(void **state)
{
    tide_mutex_lock(&lock);
    return 0;
}

static int teardown(void **state)
{
    tide_mutex_unlock(&lock);
    tide_ring_fini(&ring);
    return 0;
}

static struct tide_item number(int64_t n)
{
    return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = n};
}

static void push(int64_t n)
{
    assert_int_equal(tide_ring_reserve(&ring, &lock, 1), 0);
    tide_ring_push(&ring, number(n));
}

static void push_first(int64_t n)
{
    assert_int_equal(tide_ring_reserve(&ring, &lock, 1), 0);
    tide_ring_push_first(&ring, number(n));
}

static void expect(size_t count, const int64_t *numbers)
{
    assert_int_equal(ring.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(tide_ring_at(&ring, i)->as.integer, numbers[i]);
}

#define EXPECT(...) expect(sizeof((int64_t[]){__VA_ARGS__}) / 8, (int64_t[]){__VA_ARGS__})

static void both_ends_take_and_give(void **state)
{
    push(2);
    push(3);
    push_first(1);
    EXPECT(1, 2, 3);
    assert_int_equal(tide_ring_pop(&ring).as.integer, 3);
    assert_int_equal(tide_ring_pop_first(&ring).as.integer, 1);
    EXPECT(2);
}

static void it_grows_wherever_it_begins(void **state)
{
    for (int shift = 0; shift < 40; shift++) {
        for (int i = 0; i < shift; i++) {
            push(0);
            tide_ring_pop_first(&ring);
        }
        for (int i = 0; i < 100; i++)
            push(i);
        for (int i = 0; i < 100; i++)
            assert_int_equal(tide_ring_pop_first(&ring).as.integer, i);
        tide_ring_fini(&ring);
    }
}

static void insert_and_remove_at_each_place(void **state)
{
    for (size_t count = 0; count < 12; count++) {
        for (size_t place = 0; place <= count; place++) {
            for (size_t i = 0; i < count; i++)
                push((int64_t)i);
            assert_int_equal(tide_ring_reserve(&ring, &lock, 1), 0);
            tide_ring_insert(&ring, place, number(99));
            for (size_t i = 0; i <= count; i++)
                assert_int_equal(tide_ring_at(&ring, i)->as.integer, i == place ? 99 : (int)(i < place ? i : i - 1));
            assert_int_equal(tide_ring_remove(&ring, place).as.integer, 99);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(tide_ring_pop_first(&ring).as.integer, (int)i);
        }
    }
}

static void rotate_by_each_number_of_steps(void **state)
{
    for (size_t count = 1; count <= 16; count++) { /* 8 and 16 fill the array */
        for (size_t steps = 0; steps <= count; steps++) {
            for (size_t i = 0; i < count; i++)
                push((int64_t)i);
            tide_ring_rotate(&ring, steps);
            for (size_t i = 0; i < count; i++)
                assert_int_equal(tide_ring_pop_first(&ring).as.integer, (int)((i + count - steps) % count));
        }
        tide_ring_fini(&ring);
    }
    tide_ring_rotate(&ring, 0);
}

static void a_large_one_gives_its_array_back_when_empty(void **state)
{
    for (int i = 0; i < 5000; i++)
        push(i);
    assert_null(tide_ring_trim(&ring));
    while (ring.count)
        tide_ring_pop(&ring);
    struct tide_item *slots = tide_ring_trim(&ring);
    assert_non_null(slots);
    tide_free(slots);
    assert_int_equal(ring.room, 0);
    push(1);
    tide_ring_pop(&ring);
    assert_null(tide_ring_trim(&ring)); /* a small one keeps it */
}

static void without_memory_nothing_changes(void **state)
{
    for (int i = 0; i < 8; i++)
        push(i);
    tide_alloc_fail_after(0);
    int result = tide_ring_reserve(&ring, &lock, 1);
    tide_alloc_fail_after(-1);
    assert_int_equal(result, TIDE_ENOMEM);
    assert_int_equal(tide_ring_reserve(&ring, &lock, SIZE_MAX / 2), TIDE_ENOMEM);
    EXPECT(0, 1, 2, 3, 4, 5, 6, 7);
    push(8);
    assert_int_equal(ring.count, 9);
}

static void what_is_left_is_dropped(void **state)
{
    struct tide_text *text = tide_text_new("x", 1);
    assert_int_equal(tide_ring_reserve(&ring, &lock, 1), 0);
    tide_ring_push(&ring, (struct tide_item){.kind = TIDE_ITEM_TEXT, .as.text = (void *)tide_message_ref(&text->base)});
    tide_ring_fini(&ring);
    assert_int_equal(atomic_load(&text->base.refs), 1);
    tide_message_unref(&text->base);
}

#define RING_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(both_ends_take_and_give),
        RING_TEST(it_grows_wherever_it_begins),
        RING_TEST(insert_and_remove_at_each_place),
        RING_TEST(rotate_by_each_number_of_steps),
        RING_TEST(a_large_one_gives_its_array_back_when_empty),
        RING_TEST(without_memory_nothing_changes),
        RING_TEST(what_is_left_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
