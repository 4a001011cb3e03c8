#include "unit.h"

#include "base/alloc.h"
#include "sync/local.h"

static void two_locals_have_two_numbers(void **state)
{
    struct tide_local *a = tide_local_new(false), *b = tide_local_new(true);
    assert_int_not_equal(a->index, b->index);
    assert_true(a->index >= 1 && b->index >= 1);
    assert_false(a->of_worker);
    assert_true(b->of_worker);
    tide_object_unref(&a->object);
    tide_object_unref(&b->object);
}

static void a_number_is_used_again_by_another_generation(void **state)
{
    struct tide_local *a = tide_local_new(false);
    uint32_t index = a->index, generation = a->generation;
    tide_object_unref(&a->object);
    a = tide_local_new(false);
    assert_int_equal(a->index, index);
    assert_true(a->generation > generation);
    tide_object_unref(&a->object);
}

static void what_it_begins_with_goes_with_it(void **state)
{
    struct tide_text *text = tide_text_new("abc", 3);
    struct tide_local *a = tide_local_new(false);
    tide_message_ref(&text->base);
    a->initial = (struct tide_item){.kind = TIDE_ITEM_TEXT, .as.text = text};
    tide_object_unref(&a->object);
    assert_int_equal(atomic_load(&text->base.refs), 1);
    tide_message_unref(&text->base);
}

static void lack_of_memory_gives_none(void **state)
{
    struct tide_local *a = tide_local_new(false), *b = tide_local_new(false);
    tide_alloc_fail_after(0);
    assert_null(tide_local_new(false));
    tide_alloc_fail_after(1);
    assert_null(tide_local_new(false));
    tide_alloc_fail_after(-1);
    tide_object_unref(&a->object);
    tide_object_unref(&b->object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_locals_have_two_numbers),
        cmocka_unit_test(a_number_is_used_again_by_another_generation),
        cmocka_unit_test(what_it_begins_with_goes_with_it),
        cmocka_unit_test(lack_of_memory_gives_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
