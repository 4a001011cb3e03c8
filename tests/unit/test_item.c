#include "unit.h"

#include "base/alloc.h"
#include "base/item.h"

#include <string.h>

static int destroyed;

static void destroy_object(struct tide_object *object)
{
    (void)object;
    destroyed++;
}

static void destroy_message(struct tide_message *message)
{
    (void)message;
    destroyed++;
}

static const struct tide_class class = {"test", destroy_object};

static int setup(void **state)
{
    destroyed = 0;
    return 0;
}

static void a_zeroed_item_is_no_value(void **state)
{
    struct tide_item item = {0};
    assert_int_equal(item.kind, TIDE_ITEM_NONE);
    assert_null(item.as.pointer);
    tide_item_drop(&item);
    assert_int_equal(tide_item_bytes(&item), 0);
}

static void a_text_keeps_its_bytes_zeros_and_all(void **state)
{
    struct tide_text *text = tide_text_new("a\0b", 3);
    struct tide_item item = {.kind = TIDE_ITEM_TEXT, .as.text = text};
    assert_int_equal(text->length, 3);
    assert_memory_equal(text->bytes, "a\0b", 3);
    assert_int_equal(text->base.size, 3);
    assert_int_equal(tide_item_bytes(&item), sizeof *text + 3);
    tide_item_drop(&item);
    assert_int_equal(item.kind, TIDE_ITEM_NONE);
}

static void a_text_may_be_empty_or_filled_in_later(void **state)
{
    struct tide_text *none = tide_text_new("", 0), *later = tide_text_new(NULL, 5);
    assert_int_equal(none->length, 0);
    memcpy(later->bytes, "hello", 5);
    assert_int_equal(later->length, 5);
    tide_message_unref(&none->base);
    tide_message_unref(&later->base);
}

static void a_text_of_any_length_fits_or_fails(void **state)
{
    assert_null(tide_text_new(NULL, SIZE_MAX));
    tide_alloc_fail_after(0);
    struct tide_text *text = tide_text_new("x", 1);
    tide_alloc_fail_after(-1);
    assert_null(text);
}

static void an_object_goes_with_its_last_item(void **state)
{
    struct tide_object object;
    tide_object_init(&object, &class);
    struct tide_item first = {.kind = TIDE_ITEM_OBJECT, .as.object = &object}, second = tide_item_ref(first);
    tide_item_drop(&first);
    assert_int_equal(destroyed, 0);
    tide_item_drop(&first); /* it is no value any more */
    assert_int_equal(destroyed, 0);
    tide_item_drop(&second);
    assert_int_equal(destroyed, 1);
}

static void a_message_goes_with_its_last_item(void **state)
{
    struct tide_message message;
    tide_message_init(&message, destroy_message, 77);
    struct tide_item first = {.kind = TIDE_ITEM_MESSAGE, .as.message = &message}, second = tide_item_ref(first);
    assert_int_equal(tide_item_bytes(&second), 77);
    tide_item_drop(&second);
    assert_int_equal(destroyed, 0);
    tide_item_drop(&first);
    assert_int_equal(destroyed, 1);
}

static void taking_moves_the_reference(void **state)
{
    struct tide_object object;
    tide_object_init(&object, &class);
    struct tide_item item = {.kind = TIDE_ITEM_OBJECT, .as.object = &object}, taken = tide_item_take(&item);
    assert_int_equal(item.kind, TIDE_ITEM_NONE);
    tide_item_drop(&item);
    assert_int_equal(destroyed, 0);
    tide_item_drop(&taken);
    assert_int_equal(destroyed, 1);
}

static void plain_values_need_no_memory(void **state)
{
    struct tide_item items[] = {{.kind = TIDE_ITEM_BOOLEAN, .as.boolean = true},
                                {.kind = TIDE_ITEM_INTEGER, .as.integer = INT64_MIN},
                                {.kind = TIDE_ITEM_FLOAT, .as.number = 0.5},
                                {.kind = TIDE_ITEM_POINTER, .as.pointer = &destroyed}};
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        struct tide_item copy = tide_item_ref(items[i]);
        assert_int_equal(tide_item_bytes(&copy), 0);
        assert_int_equal(copy.as.integer, items[i].as.integer);
        tide_item_drop(&copy);
        assert_int_equal(copy.kind, TIDE_ITEM_NONE);
    }
    assert_int_equal(sizeof(struct tide_item), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_zeroed_item_is_no_value, setup),
        cmocka_unit_test_setup(a_text_keeps_its_bytes_zeros_and_all, setup),
        cmocka_unit_test_setup(a_text_may_be_empty_or_filled_in_later, setup),
        cmocka_unit_test_setup(a_text_of_any_length_fits_or_fails, setup),
        cmocka_unit_test_setup(an_object_goes_with_its_last_item, setup),
        cmocka_unit_test_setup(a_message_goes_with_its_last_item, setup),
        cmocka_unit_test_setup(taking_moves_the_reference, setup),
        cmocka_unit_test_setup(plain_values_need_no_memory, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
