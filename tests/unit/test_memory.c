#include "unit.h"

#include "base/thread.h"
#include "bindings/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MIB = 1024 * 1024, LIMIT = 16 * MIB, LARGE = 4 * MIB, THREADS = 3, ROUNDS = 300 };

static struct tide_memory memory, other;

static int setup(void **state)
{
    tide_memory_set_limit(LIMIT);
    return 0;
}

/* By then each test has freed its blocks, or lives on their being in the slab. */
static int teardown(void **state)
{
    tide_memory_fini(&memory);
    tide_memory_fini(&other);
    return 0;
}

static void *allocate(struct tide_memory *m, size_t size)
{
    return tide_memory_alloc(m, NULL, 0, size);
}

static void release(struct tide_memory *m, void *block, size_t size)
{
    assert_null(tide_memory_alloc(m, block, size, 0));
}

/* The whole budget is there: one block of nearly all of it can be had. */
static void assert_budget_is_whole(void)
{
    struct tide_memory all = {0};
    void *block = allocate(&all, LIMIT);
    assert_non_null(block);
    release(&all, block, LIMIT);
    tide_memory_fini(&all);
}

/* Takes what is left in large blocks; the caller gives them back. */
static int fill(struct tide_memory *m, void **blocks, size_t size, int room)
{
    int count = 0;
    while (count < room && (blocks[count] = allocate(m, size)) != NULL)
        count++;
    assert_true(count < room);
    return count;
}

static void drain(struct tide_memory *m, void **blocks, size_t size, int count)
{
    while (count > 0)
        release(m, blocks[--count], size);
}

/* ---- what Lua asks of an allocator ---- */

static void used_counts_the_bytes_asked_for(void **state)
{
    void *small = allocate(&memory, 10), *large = allocate(&memory, 5000);
    assert_int_equal(memory.used, 5010);
    small = tide_memory_alloc(&memory, small, 10, 16);
    large = tide_memory_alloc(&memory, large, 5000, 7000);
    assert_int_equal(memory.used, 7016);
    small = tide_memory_alloc(&memory, small, 16, 3);
    assert_int_equal(memory.used, 7003);
    release(&memory, small, 3);
    release(&memory, large, 7000);
    assert_int_equal(memory.used, 0);
    assert_int_equal(memory.large, 0);
    assert_false(memory.failed);
}

static void a_new_block_takes_the_old_size_for_a_kind(void **state)
{
    void *block = tide_memory_alloc(&memory, NULL, 8, 40); /* 8: a thread, in Lua's numbers */
    assert_int_equal(memory.used, 40);
    assert_null(tide_memory_alloc(&memory, NULL, 8, 0));
    assert_int_equal(memory.used, 40);
    release(&memory, block, 40);
}

static void contents_move_along(void **state)
{
    static const size_t sizes[] = {1, 16, 17, 100, 1023, 1024, 1025, 5000, 100000, 3000, 1024, 700, 33, 16, 2};
    unsigned char *block = allocate(&memory, sizes[0]);
    block[0] = 7;
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        size_t before = sizes[i - 1], size = sizes[i], kept = before < size ? before : size;
        for (size_t j = 0; j < before; j++)
            block[j] = (unsigned char)(j * 31 + i);
        block = tide_memory_alloc(&memory, block, before, size);
        assert_non_null(block);
        for (size_t j = 0; j < kept; j++)
            assert_int_equal(block[j], (unsigned char)(j * 31 + i));
        assert_int_equal(memory.used, size);
    }
    release(&memory, block, 2);
    assert_int_equal(memory.used, 0);
}

static void a_size_within_the_class_moves_nothing(void **state)
{
    if (!TIDE_SLAB_MAX)
        skip();
    void *block = allocate(&memory, 33);
    assert_ptr_equal(tide_memory_alloc(&memory, block, 33, 48), block);
    assert_ptr_equal(tide_memory_alloc(&memory, block, 48, 40), block);
    assert_int_equal(memory.used, 40);
    assert_ptr_not_equal(tide_memory_alloc(&memory, block, 40, 49), block);
}

static void small_blocks_are_used_again_and_large_ones_are_the_heaps(void **state)
{
    if (!TIDE_SLAB_MAX)
        skip();
    void *small = allocate(&memory, TIDE_SLAB_MAX), *large = allocate(&memory, TIDE_SLAB_MAX + 1);
    assert_int_equal(memory.large, TIDE_SLAB_MAX + 1);
    assert_true(memory.slab.size > 0);
    release(&memory, small, TIDE_SLAB_MAX);
    release(&memory, large, TIDE_SLAB_MAX + 1);
    assert_int_equal(memory.large, 0);
    assert_ptr_equal(allocate(&memory, TIDE_SLAB_MAX - 1), small);
}

/* ---- the limit ---- */

static void the_limit_is_what_was_set_or_what_the_machine_has(void **state)
{
    assert_int_equal(tide_memory_limit(), LIMIT);
    tide_memory_set_limit(0);
    assert_true(tide_memory_limit() > 0);
}

static void past_the_limit_an_allocation_is_refused(void **state)
{
    void *blocks[LIMIT / LARGE + 1];
    int count = fill(&memory, blocks, LARGE, LIMIT / LARGE + 1);
    assert_int_equal(count, LIMIT / LARGE);
    assert_true(memory.failed);
    assert_int_equal(memory.used, LIMIT);
    memory.failed = false;
    assert_null(tide_memory_alloc(&memory, blocks[0], LARGE, LARGE + 1)); /* the block stays as it is */
    assert_true(memory.failed);
    memory.failed = false;
    assert_null(allocate(&memory, 10)); /* a small one as well */
    assert_true(memory.failed);
    assert_int_equal(memory.used, LIMIT);
    memset(blocks[0], 1, LARGE);
    drain(&memory, blocks, LARGE, count);
    void *block = allocate(&memory, LARGE); /* there is room again */
    assert_non_null(block);
    release(&memory, block, LARGE);
}

static void an_absurd_size_is_refused(void **state)
{
    volatile size_t huge = SIZE_MAX; /* volatile: the compiler warns of what is tested here */
    void *block = allocate(&memory, 5000);
    assert_null(allocate(&memory, huge));
    assert_null(allocate(&memory, huge / 2));
    assert_null(tide_memory_alloc(&memory, block, 5000, huge - 4000));
    assert_true(memory.failed);
    assert_int_equal(memory.used, 5000);
    release(&memory, block, 5000);
}

static void all_states_share_one_budget(void **state)
{
    void *blocks[LIMIT / LARGE + 1], *more[LIMIT / LARGE + 1];
    void *mine = allocate(&other, 3 * LARGE);
    assert_non_null(mine);
    int count = fill(&memory, blocks, LARGE, LIMIT / LARGE + 1);
    assert_int_equal(count, 1);
    assert_true(memory.failed);
    assert_false(other.failed);
    release(&other, mine, 3 * LARGE);
    int again = fill(&memory, more, LARGE, LIMIT / LARGE + 1);
    assert_true(again == 2 || again == 3); /* the other one may keep a little for its next block */
    drain(&memory, blocks, LARGE, count);
    drain(&memory, more, LARGE, again);
}

static void fini_gives_the_budget_back(void **state)
{
    void *small = allocate(&other, 100), *large = allocate(&other, 3 * LARGE);
    release(&other, large, 3 * LARGE);
    release(&other, small, 100); /* as a state does that is closed */
    assert_true(other.drawn > 0);
    tide_memory_fini(&other);
    assert_int_equal(other.used, 0);
    assert_int_equal(other.drawn, 0);
    assert_budget_is_whole();
}

static void what_is_not_used_goes_back_before_fini(void **state)
{
    void *block = allocate(&memory, 3 * LARGE);
    size_t drawn = memory.drawn;
    assert_true(drawn >= 3 * LARGE);
    block = tide_memory_alloc(&memory, block, 3 * LARGE, LARGE);
    assert_non_null(block);
    assert_true(memory.drawn < drawn && memory.drawn >= LARGE && memory.drawn <= LARGE + 2 * MIB);
    release(&memory, block, LARGE);
    assert_true(memory.drawn <= 2 * MIB);
}

/* ---- the reserve ---- */

static void the_reserve_passes_the_limit(void **state)
{
    void *blocks[LIMIT / LARGE + 1];
    int count = fill(&memory, blocks, LARGE, LIMIT / LARGE + 1);
    memory.failed = false;
    memory.reserve = true;
    void *small = allocate(&memory, 100), *large = allocate(&memory, LARGE);
    large = tide_memory_alloc(&memory, large, LARGE, LARGE + MIB);
    memory.reserve = false;
    assert_non_null(small);
    assert_non_null(large);
    assert_false(memory.failed);
    assert_true(memory.drawn <= LIMIT);
    assert_null(allocate(&memory, LARGE)); /* without it the limit holds as ever */
    drain(&memory, blocks, LARGE, count);
    release(&memory, large, LARGE + MIB);
    release(&memory, small, 100);
    tide_memory_fini(&memory);
    assert_budget_is_whole(); /* the debt is nobody's */
}

static void a_debt_is_paid_before_more_is_had(void **state)
{
    void *blocks[LIMIT / LARGE + 1];
    int count = fill(&memory, blocks, LARGE, LIMIT / LARGE + 1);
    memory.reserve = true;
    void *debt = allocate(&memory, LARGE);
    memory.reserve = false;
    assert_non_null(debt);
    release(&memory, blocks[--count], LARGE);
    assert_null(allocate(&memory, LARGE)); /* what came free covers the debt only */
    release(&memory, blocks[--count], LARGE);
    void *block = allocate(&memory, LARGE);
    assert_non_null(block);
    release(&memory, block, LARGE);
    release(&memory, debt, LARGE);
    drain(&memory, blocks, LARGE, count);
}

/* ---- Lua counts on it that a block can be made smaller ---- */

static void shrinking_never_fails_at_the_limit(void **state)
{
    void *blocks[LIMIT / LARGE + 1];
    char *block = allocate(&memory, LARGE), *small = allocate(&memory, 1000);
    void *rest[512];
    memset(block, 1, 10);
    memset(small, 2, 1000);
    int count = fill(&memory, blocks, LARGE, LIMIT / LARGE + 1), pieces = fill(&memory, rest, 65000, 512);
    assert_true(memory.failed);
    memory.failed = false;
    block = tide_memory_alloc(&memory, block, LARGE, 2000);
    assert_non_null(block);
    block = tide_memory_alloc(&memory, block, 2000, 10);
    assert_non_null(block);
    small = tide_memory_alloc(&memory, small, 1000, 24);
    assert_non_null(small);
    assert_false(memory.failed);
    assert_false(memory.reserve);
    for (int i = 0; i < 10; i++)
        assert_int_equal(block[i], 1);
    for (int i = 0; i < 24; i++)
        assert_int_equal(small[i], 2);
    drain(&memory, rest, 65000, pieces);
    drain(&memory, blocks, LARGE, count);
    release(&memory, block, 10);
    release(&memory, small, 24);
    assert_int_equal(memory.used, 0);
}

/* Not under the sanitizers, which need address space of their own. */
static void a_small_block_stays_where_the_system_gives_no_smaller_one(void **state)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip();
#endif
    struct rlimit old, none;
    char *block = allocate(&memory, 1000);
    memset(block, 3, 1000);
    while (tide_slab_take(&memory.slab, tide_slab_class(24))) /* so that none of its class is at hand */
        ;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    char *shrunk = tide_memory_alloc(&memory, block, 1000, 24);
    void *refused = allocate(&memory, 500);
    setrlimit(RLIMIT_AS, &old);
    assert_ptr_equal(shrunk, block);
    assert_int_equal(memory.used, 24);
    assert_int_equal(shrunk[23], 3);
    assert_null(refused);
    assert_true(memory.failed);
    release(&memory, shrunk, 24); /* into the class that it was called by */
    assert_ptr_equal(allocate(&memory, 24), block);
}

/* ---- many states at once ---- */

struct owner {
    pthread_t thread;
    struct tide_memory memory;
    long refused, wrong;
};

static void *come_and_go(void *arg)
{
    struct owner *me = arg;
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = (size_t)(i % 5 * 2 + 1) * MIB + (size_t)i;
        void *large = tide_memory_alloc(&me->memory, NULL, 0, size), *small = tide_memory_alloc(&me->memory, NULL, 0, 64);
        me->refused += !large;
        me->wrong += me->memory.drawn > LIMIT || (large && me->memory.drawn < size);
        if (large)
            tide_memory_alloc(&me->memory, large, size, 0);
        if (small)
            tide_memory_alloc(&me->memory, small, 64, 0);
        if (i % 10 == 9)
            tide_memory_fini(&me->memory);
    }
    tide_memory_fini(&me->memory);
    return NULL;
}

static void no_budget_is_lost_between_threads(void **state)
{
    static struct owner owners[THREADS];
    long refused = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&owners[i].thread, 0, "owner", come_and_go, &owners[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(owners[i].thread, NULL);
        refused += owners[i].refused;
        assert_int_equal(owners[i].wrong, 0);
    }
    print_message("refused %ld of %d\n", refused, THREADS * ROUNDS);
    assert_budget_is_whole();
    assert_null(allocate(&memory, LIMIT + 1));
}

#define MEMORY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(used_counts_the_bytes_asked_for),
        MEMORY_TEST(a_new_block_takes_the_old_size_for_a_kind),
        MEMORY_TEST(contents_move_along),
        MEMORY_TEST(a_size_within_the_class_moves_nothing),
        MEMORY_TEST(small_blocks_are_used_again_and_large_ones_are_the_heaps),
        MEMORY_TEST(the_limit_is_what_was_set_or_what_the_machine_has),
        MEMORY_TEST(past_the_limit_an_allocation_is_refused),
        MEMORY_TEST(an_absurd_size_is_refused),
        MEMORY_TEST(all_states_share_one_budget),
        MEMORY_TEST(fini_gives_the_budget_back),
        MEMORY_TEST(what_is_not_used_goes_back_before_fini),
        MEMORY_TEST(the_reserve_passes_the_limit),
        MEMORY_TEST(a_debt_is_paid_before_more_is_had),
        MEMORY_TEST(shrinking_never_fails_at_the_limit),
        MEMORY_TEST(a_small_block_stays_where_the_system_gives_no_smaller_one),
        MEMORY_TEST(no_budget_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
