#include "unit.h"

#include "base/alloc.h"
#include "base/item.h"
#include "sync/holder.h"

enum { LONG = 1000000 };

/* A holder of one item. */
struct box {
    struct tide_holder holder;
    struct tide_item item;
};

static int alive, emptied, deepest, depth;

static void release(struct tide_holder *holder)
{
    struct box *box = tide_container(holder, struct box, holder);
    deepest = ++depth > deepest ? depth : deepest;
    tide_item_drop(&box->item);
    depth--;
    alive--;
    tide_free(box);
}

static void destroy(struct tide_object *object)
{
    tide_holder_end(tide_container(object, struct tide_holder, object), release);
}

static void empty(struct tide_holder *holder)
{
    emptied++;
    tide_item_drop(&tide_container(holder, struct box, holder)->item);
}

static const struct tide_class class = {"test.box", destroy};

static int setup(void **state)
{
    alive = emptied = deepest = 0;
    return 0;
}

static struct box *new_box(void)
{
    struct box *box = tide_calloc(1, sizeof *box);
    assert_non_null(box);
    tide_holder_init(&box->holder, &class, empty);
    alive++;
    return box;
}

static void put(struct box *into, struct box *what)
{
    into->item = tide_item_ref((struct tide_item){.kind = TIDE_ITEM_OBJECT, .as.object = &what->holder.object});
}

static void unref(struct box *box)
{
    tide_object_unref(&box->holder.object);
}

static void one_that_is_gone_is_not_emptied(void **state)
{
    struct box *first = new_box(), *second = new_box();
    unref(first);
    tide_holders_empty();
    assert_int_equal(emptied, 1);
    assert_int_equal(alive, 1);
    unref(second);
    assert_int_equal(alive, 0);
}

static void one_that_holds_itself_goes_at_the_end(void **state)
{
    struct box *box = new_box();
    put(box, box);
    unref(box);
    assert_int_equal(alive, 1);
    tide_holders_empty();
    assert_int_equal(alive, 0);
}

static void circles_go_at_the_end(void **state)
{
    struct box *boxes[3];
    for (int i = 0; i < 3; i++)
        boxes[i] = new_box();
    for (int i = 0; i < 3; i++)
        put(boxes[i], boxes[(i + 1) % 3]);
    for (int i = 0; i < 3; i++)
        unref(boxes[i]);
    assert_int_equal(alive, 3);
    tide_holders_empty();
    assert_int_equal(emptied, 3);
    assert_int_equal(alive, 0);
}

static void those_that_others_keep_stay_empty(void **state)
{
    struct box *box = new_box();
    put(box, box);
    tide_holders_empty();
    assert_int_equal(alive, 1);
    assert_int_equal(box->item.kind, TIDE_ITEM_NONE);
    tide_holders_empty(); /* it is on no list any more */
    assert_int_equal(emptied, 1);
    unref(box);
    assert_int_equal(alive, 0);
}

static struct box *chain(int length)
{
    struct box *first = new_box();
    for (int i = 1; i < length; i++) {
        struct box *next = new_box();
        put(next, first);
        unref(first);
        first = next;
    }
    return first;
}

static void a_long_chain_goes_without_a_deep_stack(void **state)
{
    unref(chain(LONG));
    assert_int_equal(alive, 0);
    assert_int_equal(deepest, 1);
}

static void a_long_chain_goes_at_the_end_too(void **state)
{
    struct box *last = new_box(), *first = last;
    for (int i = 1; i < LONG; i++) {
        struct box *next = new_box();
        put(next, first);
        unref(first);
        first = next;
    }
    put(last, first); /* a ring of them */
    unref(first);
    assert_int_equal(alive, LONG);
    tide_holders_empty();
    assert_int_equal(alive, 0);
    assert_true(deepest <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_that_is_gone_is_not_emptied, setup),
        cmocka_unit_test_setup(one_that_holds_itself_goes_at_the_end, setup),
        cmocka_unit_test_setup(circles_go_at_the_end, setup),
        cmocka_unit_test_setup(those_that_others_keep_stay_empty, setup),
        cmocka_unit_test_setup(a_long_chain_goes_without_a_deep_stack, setup),
        cmocka_unit_test_setup(a_long_chain_goes_at_the_end_too, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
