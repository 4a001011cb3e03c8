#include "unit.h"

#include "base/alloc.h"

#include <pthread.h>
#include <string.h>

static void blocks_of_size_zero_are_blocks(void **state)
{
    void *block = tide_malloc(0);
    void *other = tide_calloc(0, 8);
    assert_non_null(block);
    assert_non_null(other);
    block = tide_realloc(block, 0);
    assert_non_null(block);
    tide_free(block);
    tide_free(other);
    tide_free(NULL);
}

static void three_texts_become_one(void **state)
{
    char *text = tide_concat("ebb-", 4, "and", 3, "-flow", 5);
    assert_string_equal(text, "ebb-and-flow");
    tide_free(text);
    text = tide_concat("", 0, "", 0, "", 0);
    assert_string_equal(text, "");
    tide_free(text);
    tide_alloc_fail_after(0);
    assert_null(tide_concat("a", 1, "b", 1, "c", 1));
    tide_alloc_fail_after(-1);
}

static void calloc_clears_and_refuses_an_overflow(void **state)
{
    static const char zeros[64];
    char *block = tide_calloc(8, 8);
    assert_memory_equal(block, zeros, sizeof zeros);
    tide_free(block);
    volatile size_t huge = SIZE_MAX; /* volatile: the compiler warns of what is tested here */
    assert_null(tide_calloc(huge, 2));
}

static void strdup_copies(void **state)
{
    const char *text = "tide";
    char *copy = tide_strdup(text);
    assert_string_equal(copy, text);
    assert_ptr_not_equal(copy, text);
    tide_free(copy);
}

static void fail_after_counts_successes_of_every_kind(void **state)
{
    tide_alloc_fail_after(3);
    void *a = tide_malloc(1), *b = tide_calloc(1, 1);
    char *c = tide_strdup("x");
    void *refused = tide_malloc(1), *grown = tide_realloc(a, 100);
    char *again = tide_strdup("x");
    tide_alloc_fail_after(-1);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_null(refused);
    assert_null(grown); /* and a is still ours */
    assert_null(again);
    tide_free(a);
    tide_free(b);
    tide_free(c);
    void *after = tide_malloc(1);
    assert_non_null(after);
    tide_free(after);
}

static void *allocate(void *result)
{
    *(void **)result = tide_malloc(1);
    return NULL;
}

static void failing_concerns_the_calling_thread_only(void **state)
{
    pthread_t thread;
    void *block = NULL;
    tide_alloc_fail_after(0);
    int started = pthread_create(&thread, NULL, allocate, &block);
    if (started == 0)
        pthread_join(thread, NULL);
    tide_alloc_fail_after(-1);
    assert_int_equal(started, 0);
    assert_non_null(block);
    tide_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_size_zero_are_blocks),
        cmocka_unit_test(three_texts_become_one),
        cmocka_unit_test(calloc_clears_and_refuses_an_overflow),
        cmocka_unit_test(strdup_copies),
        cmocka_unit_test(fail_after_counts_successes_of_every_kind),
        cmocka_unit_test(failing_concerns_the_calling_thread_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
