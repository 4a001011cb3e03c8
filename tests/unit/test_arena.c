#include "unit.h"

#include "bindings/arena.h"

#include <stdint.h>
#include <string.h>

static void blocks_are_apart_and_aligned(void **state)
{
    struct tide_memory memory = {0};
    struct tide_arena arena = {.memory = &memory};
    unsigned char *blocks[2000];
    tide_memory_set_limit(64 << 20);
    for (size_t i = 0; i < 2000; i++) {
        blocks[i] = tide_arena_alloc(&arena, i % 700);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)(i % 251), i % 700);
    }
    for (size_t i = 0; i < 2000; i++)
        for (size_t k = 0; k < i % 700; k++)
            assert_int_equal(blocks[i][k], i % 251);
    assert_true(memory.used > 600000);
    tide_arena_fini(&arena);
    assert_int_equal(memory.used, 0);
    tide_memory_fini(&memory);
}

static void a_block_may_be_larger_than_a_chunk(void **state)
{
    struct tide_memory memory = {0};
    struct tide_arena arena = {.memory = &memory};
    tide_memory_set_limit(64 << 20);
    char *block = tide_arena_alloc(&arena, 5 << 20);
    assert_non_null(block);
    memset(block, 1, 5 << 20);
    assert_non_null(tide_arena_alloc(&arena, 10));
    tide_arena_fini(&arena);
    assert_int_equal(memory.used, 0);
    tide_memory_fini(&memory);
}

static void the_limit_of_memory_holds(void **state)
{
    struct tide_memory memory = {0};
    struct tide_arena arena = {.memory = &memory};
    tide_memory_set_limit(4 << 20);
    for (int i = 0; i < 100000 && !arena.failed; i++)
        tide_arena_alloc(&arena, 100);
    assert_true(arena.failed);
    assert_true(memory.used <= 4 << 20 && memory.used > 3 << 20);
    assert_null(tide_arena_alloc(&arena, SIZE_MAX));
    tide_arena_fini(&arena);
    assert_false(arena.failed);
    assert_int_equal(memory.used, 0);
    assert_non_null(tide_arena_alloc(&arena, 100)); /* and it may be used again */
    tide_arena_fini(&arena);
    tide_memory_fini(&memory);
}

static void an_empty_one_may_be_ended(void **state)
{
    struct tide_memory memory = {0};
    struct tide_arena arena = {.memory = &memory};
    tide_arena_fini(&arena);
    assert_int_equal(memory.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_apart_and_aligned),
        cmocka_unit_test(a_block_may_be_larger_than_a_chunk),
        cmocka_unit_test(the_limit_of_memory_holds),
        cmocka_unit_test(an_empty_one_may_be_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
