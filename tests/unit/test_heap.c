#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/heap.h"
#include "base/time.h"

#include <string.h>

enum { TIMERS = 500, STEPS = 200000, SEED = 20240611 };

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % limit;
}

static void an_empty_heap_is_never_due(void **state)
{
    struct tide_heap heap;
    tide_heap_init(&heap);
    assert_int_equal(tide_heap_next(&heap), TIDE_NEVER);
    assert_null(tide_heap_pop_due(&heap, INT64_MAX));
    tide_heap_fini(&heap);
}

static void a_timer_is_popped_when_due_and_not_before(void **state)
{
    struct tide_heap heap;
    struct tide_timer timer = {0};
    tide_heap_init(&heap);
    assert_int_equal(tide_heap_add(&heap, &timer, 100), 0);
    assert_true(tide_timer_armed(&timer));
    assert_int_equal(tide_heap_next(&heap), 100);
    assert_null(tide_heap_pop_due(&heap, 99));
    assert_ptr_equal(tide_heap_pop_due(&heap, 100), &timer);
    assert_false(tide_timer_armed(&timer));
    tide_heap_fini(&heap);
}

static void removing_a_timer_that_is_not_armed_does_nothing(void **state)
{
    struct tide_heap heap;
    struct tide_timer timer = {0};
    tide_heap_init(&heap);
    tide_heap_remove(&heap, &timer);
    assert_int_equal(tide_heap_add(&heap, &timer, 1), 0);
    tide_heap_remove(&heap, &timer);
    tide_heap_remove(&heap, &timer);
    assert_int_equal(heap.count, 0);
    tide_heap_fini(&heap);
}

static void a_refused_allocation_changes_nothing(void **state)
{
    enum { MANY = 100 };
    struct tide_heap heap;
    struct tide_timer timers[MANY] = {{0}};
    int added = 0;
    tide_heap_init(&heap);
    tide_alloc_fail_after(1);
    while (added < MANY && tide_heap_add(&heap, &timers[added], MANY - added) == 0)
        added++;
    tide_alloc_fail_after(-1);
    assert_in_range(added, 1, MANY - 1);
    assert_false(tide_timer_armed(&timers[added]));
    assert_int_equal(heap.count, added);
    assert_int_equal(tide_heap_add(&heap, &timers[added], 0), 0);
    assert_ptr_equal(tide_heap_pop_due(&heap, INT64_MAX), &timers[added]);
    for (int i = added - 1; i >= 0; i--)
        assert_ptr_equal(tide_heap_pop_due(&heap, INT64_MAX), &timers[i]);
    tide_heap_fini(&heap);
}

/* The model: the armed instants in rising order, and for each timer its own. */
static struct tide_timer timers[TIMERS];
static int64_t when_of[TIMERS];
static int64_t sorted[TIMERS];
static int sorted_count;

static void model_add(int64_t when)
{
    int i = sorted_count++;
    for (; i > 0 && sorted[i - 1] > when; i--)
        sorted[i] = sorted[i - 1];
    sorted[i] = when;
}

static void model_remove(int64_t when)
{
    int i = 0;
    while (sorted[i] != when)
        i++;
    sorted_count--;
    memmove(&sorted[i], &sorted[i + 1], (size_t)(sorted_count - i) * sizeof *sorted);
}

static void toggle(struct tide_heap *heap, uint32_t i)
{
    if (tide_timer_armed(&timers[i])) {
        tide_heap_remove(heap, &timers[i]);
        model_remove(when_of[i]);
    } else {
        when_of[i] = random_below(1000); /* few values: many are equal */
        assert_int_equal(tide_heap_add(heap, &timers[i], when_of[i]), 0);
        model_add(when_of[i]);
    }
}

static void pop(struct tide_heap *heap)
{
    int64_t now = random_below(1100);
    struct tide_timer *timer = tide_heap_pop_due(heap, now);
    if (sorted_count == 0 || sorted[0] > now) {
        assert_null(timer);
        return;
    }
    assert_non_null(timer);
    assert_false(tide_timer_armed(timer));
    assert_int_equal(when_of[timer - timers], sorted[0]);
    model_remove(sorted[0]);
}

static void random_operations_agree_with_a_sorted_array(void **state)
{
    struct tide_heap heap;
    random_state = SEED;
    tide_heap_init(&heap);
    for (int step = 0; step < STEPS; step++) {
        if (random_below(4) == 0)
            pop(&heap);
        else
            toggle(&heap, random_below(TIMERS));
        assert_int_equal(heap.count, sorted_count);
        assert_int_equal(tide_heap_next(&heap), sorted_count ? sorted[0] : TIDE_NEVER);
    }
    while (sorted_count > 0) {
        struct tide_timer *timer = tide_heap_pop_due(&heap, INT64_MAX);
        assert_int_equal(when_of[timer - timers], sorted[0]);
        model_remove(sorted[0]);
    }
    tide_heap_fini(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_heap_is_never_due),
        cmocka_unit_test(a_timer_is_popped_when_due_and_not_before),
        cmocka_unit_test(removing_a_timer_that_is_not_armed_does_nothing),
        cmocka_unit_test(a_refused_allocation_changes_nothing),
        cmocka_unit_test(random_operations_agree_with_a_sorted_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
