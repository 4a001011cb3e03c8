#include "unit.h"

#include "base/alloc.h"
#include "base/strbuf.h"

static void a_zeroed_buffer_is_an_empty_text(void **state)
{
    struct tide_strbuf b = {0};
    assert_string_equal(tide_strbuf_text(&b), "");
    assert_null(tide_strbuf_detach(&b));
    tide_strbuf_fini(&b);
}

static void appended_texts_stand_in_order_behind_a_nul(void **state)
{
    struct tide_strbuf b = {0};
    tide_strbuf_puts(&b, "a=");
    tide_strbuf_printf(&b, "%d%s", 12, ";");
    tide_strbuf_append(&b, "x\0y", 3);
    tide_strbuf_append(&b, NULL, 0);
    assert_int_equal(b.size, 8);
    assert_memory_equal(b.data, "a=12;x\0y", 9);
    tide_strbuf_clear(&b);
    assert_string_equal(tide_strbuf_text(&b) + b.size, tide_strbuf_text(&b));
    tide_strbuf_fini(&b);
    assert_null(b.data);
}

static void it_grows_through_every_size(void **state)
{
    struct tide_strbuf b = {0};
    for (int i = 0; i < 5000; i++) {
        tide_strbuf_append(&b, i % 2 ? "b" : "a", 1);
        assert_true(b.size <= b.room);
        assert_int_equal(b.data[b.size], '\0');
    }
    for (int i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], i % 2 ? 'b' : 'a');
    assert_false(b.failed);
    tide_strbuf_fini(&b);
}

static void printf_of_a_long_text_is_not_cut(void **state)
{
    struct tide_strbuf b = {0};
    tide_strbuf_printf(&b, "%*d|", 1000, 7);
    tide_strbuf_printf(&b, "%s", "end");
    assert_int_equal(b.size, 1004);
    assert_string_equal(b.data + 999, "7|end");
    tide_strbuf_fini(&b);
}

static void reserve_makes_room_without_a_change(void **state)
{
    struct tide_strbuf b = {0};
    tide_strbuf_puts(&b, "x");
    assert_true(tide_strbuf_reserve(&b, 10000));
    const char *before = b.data;
    assert_true(b.room - b.size >= 10000);
    for (int i = 0; i < 1000; i++)
        tide_strbuf_puts(&b, "0123456789");
    assert_ptr_equal(b.data, before);
    tide_strbuf_fini(&b);
}

static void a_failed_allocation_sticks_and_keeps_the_text(void **state)
{
    struct tide_strbuf b = {0};
    tide_strbuf_puts(&b, "kept");
    tide_alloc_fail_after(0);
    tide_strbuf_printf(&b, "%200d", 1);
    tide_alloc_fail_after(-1);
    assert_true(b.failed);
    assert_string_equal(tide_strbuf_text(&b), "kept");
    assert_false(tide_strbuf_reserve(&b, 1000));
    assert_null(tide_strbuf_detach(&b));
    assert_null(b.data);
}

static void clear_ends_a_failure(void **state)
{
    struct tide_strbuf b = {0};
    tide_alloc_fail_after(0);
    tide_strbuf_puts(&b, "x");
    tide_alloc_fail_after(-1);
    assert_true(b.failed);
    tide_strbuf_clear(&b);
    tide_strbuf_puts(&b, "y");
    assert_string_equal(tide_strbuf_text(&b), "y");
    tide_strbuf_fini(&b);
}

static void an_absurd_size_fails_without_an_overflow(void **state)
{
    struct tide_strbuf b = {0};
    assert_false(tide_strbuf_reserve(&b, SIZE_MAX - 1));
    assert_true(b.failed);
    tide_strbuf_fini(&b);
}

static void detach_hands_the_bytes_over(void **state)
{
    struct tide_strbuf b = {0};
    tide_strbuf_puts(&b, "mine");
    char *text = tide_strbuf_detach(&b);
    assert_string_equal(text, "mine");
    assert_null(b.data);
    assert_int_equal(b.size, 0);
    tide_strbuf_puts(&b, "next");
    assert_string_equal(text, "mine");
    tide_strbuf_fini(&b);
    tide_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_buffer_is_an_empty_text),
        cmocka_unit_test(appended_texts_stand_in_order_behind_a_nul),
        cmocka_unit_test(it_grows_through_every_size),
        cmocka_unit_test(printf_of_a_long_text_is_not_cut),
        cmocka_unit_test(reserve_makes_room_without_a_change),
        cmocka_unit_test(a_failed_allocation_sticks_and_keeps_the_text),
        cmocka_unit_test(clear_ends_a_failure),
        cmocka_unit_test(an_absurd_size_fails_without_an_overflow),
        cmocka_unit_test(detach_hands_the_bytes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
