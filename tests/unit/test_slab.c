#include "unit.h"

#include "base/error.h"
#include "bindings/slab.h"

#include <string.h>
#include <sys/resource.h>

enum { PIECE = 64 * 1024, LARGEST = TIDE_SLAB_STEP * TIDE_SLAB_CLASSES };

static struct tide_slab slab;

static int teardown(void **state)
{
    tide_slab_fini(&slab);
    return 0;
}

static size_t size_of(size_t class)
{
    return (class + 1) * TIDE_SLAB_STEP;
}

static void grow(void)
{
    assert_int_equal(tide_slab_grow(&slab, tide_slab_next_piece(&slab)), 0);
}

static void a_class_is_the_smallest_that_fits(void **state)
{
    assert_int_equal(tide_slab_class(1), 0);
    assert_int_equal(tide_slab_class(TIDE_SLAB_STEP), 0);
    assert_int_equal(tide_slab_class(TIDE_SLAB_STEP + 1), 1);
    assert_int_equal(tide_slab_class(LARGEST), TIDE_SLAB_CLASSES - 1);
    for (size_t size = 1; size <= LARGEST; size++)
        assert_true(size_of(tide_slab_class(size)) >= size && size_of(tide_slab_class(size)) - size < TIDE_SLAB_STEP);
}

static void an_empty_slab_has_nothing_at_hand(void **state)
{
    for (size_t class = 0; class < TIDE_SLAB_CLASSES; class++)
        assert_null(tide_slab_take(&slab, class));
    assert_int_equal(slab.size, 0);
}

static void blocks_are_aligned_and_do_not_overlap(void **state)
{
    char *blocks[TIDE_SLAB_CLASSES];
    grow();
    for (size_t class = 0; class < TIDE_SLAB_CLASSES; class++) {
        blocks[class] = tide_slab_take(&slab, class);
        assert_non_null(blocks[class]);
        assert_int_equal((uintptr_t)blocks[class] % TIDE_SLAB_STEP, 0);
        memset(blocks[class], (int)class, size_of(class));
    }
    for (size_t class = 0; class < TIDE_SLAB_CLASSES; class++)
        for (size_t i = 0; i < size_of(class); i++)
            assert_int_equal(blocks[class][i], class);
}

static void a_block_given_back_is_the_next_of_its_class(void **state)
{
    grow();
    void *first = tide_slab_take(&slab, 3), *second = tide_slab_take(&slab, 3);
    tide_slab_give(&slab, first, 3);
    tide_slab_give(&slab, second, 3);
    assert_ptr_not_equal(tide_slab_take(&slab, 2), second); /* of no other */
    assert_ptr_equal(tide_slab_take(&slab, 3), second);
    assert_ptr_equal(tide_slab_take(&slab, 3), first);
}

static void a_piece_is_used_up(void **state)
{
    size_t blocks = 0;
    grow();
    while (tide_slab_take(&slab, TIDE_SLAB_CLASSES - 1))
        blocks++;
    assert_int_equal(blocks, PIECE / LARGEST - 1); /* the piece's own head takes the last one */
    while (tide_slab_take(&slab, 0))
        blocks++;
    assert_null(tide_slab_take(&slab, 0));
}

static void the_rest_of_a_piece_is_not_lost(void **state)
{
    size_t bytes = 0;
    grow();
    assert_non_null(tide_slab_take(&slab, 0));
    grow(); /* while nearly all of the first is left */
    for (size_t class = TIDE_SLAB_CLASSES; class-- > 0;)
        while (tide_slab_take(&slab, class))
            bytes += size_of(class);
    assert_true(bytes >= 2 * PIECE - 4 * TIDE_SLAB_STEP);
}

static void pieces_grow_with_the_slab_up_to_a_bound(void **state)
{
    size_t last = 0;
    for (int i = 0; i < 24; i++) {
        size_t next = tide_slab_next_piece(&slab);
        assert_true(next >= last && next <= 2 * 1024 * 1024);
        assert_int_equal(next & (next - 1), 0);
        assert_true(next == PIECE || next <= slab.size); /* it is never doubled at once */
        last = next;
        size_t before = slab.size;
        grow();
        assert_int_equal(slab.size, before + next);
        memset(tide_slab_take(&slab, 0), 1, TIDE_SLAB_STEP);
    }
    assert_int_equal(last, 2 * 1024 * 1024);
    assert_int_equal((uintptr_t)slab.pieces % last, 0); /* where a huge page can back it */
}

static void fini_leaves_an_empty_slab(void **state)
{
    grow();
    tide_slab_give(&slab, tide_slab_take(&slab, 5), 5);
    tide_slab_fini(&slab);
    assert_int_equal(slab.size, 0);
    an_empty_slab_has_nothing_at_hand(state);
    grow(); /* and a usable one */
    assert_non_null(tide_slab_take(&slab, 5));
}

/* Not under the sanitizers, which need address space of their own. */
static void grow_fails_where_the_system_gives_nothing(void **state)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip();
#endif
    struct rlimit old, none;
    grow();
    struct tide_slab before = slab;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    int small = tide_slab_grow(&slab, PIECE), large = tide_slab_grow(&slab, 2 * 1024 * 1024);
    setrlimit(RLIMIT_AS, &old);
    assert_int_equal(small, TIDE_ENOMEM);
    assert_int_equal(large, TIDE_ENOMEM);
    assert_memory_equal(&slab, &before, sizeof slab);
}

#define SLAB_TEST(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLAB_TEST(a_class_is_the_smallest_that_fits),
        SLAB_TEST(an_empty_slab_has_nothing_at_hand),
        SLAB_TEST(blocks_are_aligned_and_do_not_overlap),
        SLAB_TEST(a_block_given_back_is_the_next_of_its_class),
        SLAB_TEST(a_piece_is_used_up),
        SLAB_TEST(the_rest_of_a_piece_is_not_lost),
        SLAB_TEST(pieces_grow_with_the_slab_up_to_a_bound),
        SLAB_TEST(fini_leaves_an_empty_slab),
        SLAB_TEST(grow_fails_where_the_system_gives_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
