#include "unit.h"

#include "base/fifo.h"
#include "base/list.h"

struct item {
    int value;
    struct tide_list link;
    struct tide_link next;
};

static struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};

static void assert_order(const struct tide_list *head, const int *values, int count)
{
    int i = 0;
    tide_list_each(link, head) {
        assert_true(i < count);
        assert_int_equal(tide_container(link, struct item, link)->value, values[i++]);
    }
    assert_int_equal(i, count);
}

static void a_new_list_is_empty(void **state)
{
    struct tide_list head;
    tide_list_init(&head);
    assert_true(tide_list_empty(&head));
    assert_null(tide_list_pop(&head));
}

static void append_and_prepend_keep_order(void **state)
{
    struct tide_list head;
    tide_list_init(&head);
    tide_list_append(&head, &b.link);
    tide_list_append(&head, &c.link);
    tide_list_prepend(&head, &a.link);
    assert_order(&head, (const int[]){1, 2, 3}, 3);
    assert_ptr_equal(tide_list_pop(&head), &a.link);
    assert_ptr_equal(tide_list_pop(&head), &b.link);
    assert_ptr_equal(tide_list_pop(&head), &c.link);
    assert_true(tide_list_empty(&head));
}

static void remove_takes_out_first_middle_and_last(void **state)
{
    struct item *const items[] = {&a, &b, &c};
    static const int left[3][2] = {{2, 3}, {1, 3}, {1, 2}};
    for (int gone = 0; gone < 3; gone++) {
        struct tide_list head;
        tide_list_init(&head);
        for (int i = 0; i < 3; i++)
            tide_list_append(&head, &items[i]->link);
        tide_list_remove(&items[gone]->link);
        assert_false(tide_list_linked(&items[gone]->link));
        assert_order(&head, left[gone], 2);
        while (tide_list_pop(&head))
            continue;
    }
}

static void remove_of_an_unlinked_element_does_nothing(void **state)
{
    struct tide_list link = {0};
    tide_list_remove(&link);
    assert_false(tide_list_linked(&link));
}

static void fifo_gives_back_in_order_of_push(void **state)
{
    struct tide_fifo q = {0};
    assert_null(tide_fifo_pop(&q));
    tide_fifo_push(&q, &a.next);
    tide_fifo_push(&q, &b.next);
    assert_ptr_equal(tide_fifo_pop(&q), &a.next);
    tide_fifo_push(&q, &c.next);
    assert_ptr_equal(tide_fifo_pop(&q), &b.next);
    assert_ptr_equal(tide_fifo_pop(&q), &c.next);
    assert_null(tide_fifo_pop(&q));
}

static void fifo_push_front_overtakes_and_works_on_an_empty_one(void **state)
{
    struct tide_fifo q = {0};
    tide_fifo_push_front(&q, &b.next);
    tide_fifo_push(&q, &c.next);
    tide_fifo_push_front(&q, &a.next);
    assert_ptr_equal(tide_fifo_pop(&q), &a.next);
    assert_ptr_equal(tide_fifo_pop(&q), &b.next);
    assert_ptr_equal(tide_fifo_pop(&q), &c.next);
    assert_null(tide_fifo_pop(&q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_list_is_empty),
        cmocka_unit_test(append_and_prepend_keep_order),
        cmocka_unit_test(remove_takes_out_first_middle_and_last),
        cmocka_unit_test(remove_of_an_unlinked_element_does_nothing),
        cmocka_unit_test(fifo_gives_back_in_order_of_push),
        cmocka_unit_test(fifo_push_front_overtakes_and_works_on_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
