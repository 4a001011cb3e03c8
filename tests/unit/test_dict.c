#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "fake_worker.h"
#include "sync/dict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 500, STEPS = 200000, THREADS = 4, ADDS = 50000 };

static struct tide_dict *dict;

static int setup(void **state)
{
    dict = tide_dict_new();
    return dict ? 0 : -1;
}

static int teardown(void **state)
{
    tide_object_unref(&dict->holder.object);
    return 0;
}

static struct tide_item integer(int64_t i)
{
    return (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = i};
}

static const struct tide_item none = {.kind = TIDE_ITEM_NONE};

static struct tide_item text(const char *bytes)
{
    struct tide_text *t = tide_text_new(bytes, strlen(bytes));
    if (!t)
        abort();
    return (struct tide_item){.kind = TIDE_ITEM_TEXT, .as.text = t};
}

static int put(struct tide_dict_key key, struct tide_item value)
{
    struct tide_item old;
    int failed = tide_dict_exchange(dict, &key, &value, &old);
    if (failed == 0)
        tide_item_drop(&old);
    return failed;
}

static int64_t got(struct tide_dict_key key)
{
    struct tide_item item = tide_dict_get(dict, &key);
    return item.kind == TIDE_ITEM_INTEGER ? item.as.integer : -1;
}

static struct tide_dict_key named(const char *name)
{
    return tide_dict_key_text(name, strlen(name));
}

/* ---- keys ---- */

static void a_float_with_an_integers_value_is_that_integer(void **state)
{
    struct tide_dict_key key;
    assert_true(tide_dict_key_float(3.0, &key));
    assert_int_equal(key.kind, TIDE_ITEM_INTEGER);
    assert_int_equal(put(key, integer(30)), 0);
    assert_int_equal(got(tide_dict_key_integer(3)), 30);
    assert_true(tide_dict_key_float(-0.0, &key));
    assert_int_equal(put(key, integer(40)), 0);
    assert_int_equal(got(tide_dict_key_integer(0)), 40);
    assert_true(tide_dict_key_float(-0x1p63, &key));
    assert_int_equal(key.kind, TIDE_ITEM_INTEGER);
    assert_true(tide_dict_key_float(0x1p63, &key));
    assert_int_equal(key.kind, TIDE_ITEM_FLOAT);
    assert_true(tide_dict_key_float(HUGE_VAL, &key));
    assert_int_equal(key.kind, TIDE_ITEM_FLOAT);
    assert_false(tide_dict_key_float(nan(""), &key));
}

static void keys_of_different_kinds_differ(void **state)
{
    struct tide_dict_key keys[] = {
        tide_dict_key_integer(1), tide_dict_key_boolean(true), tide_dict_key_boolean(false), named("1"), named(""),
        tide_dict_key_pointer((void *)1), tide_dict_key_integer(0), tide_dict_key_object(&dict->holder.object),
        tide_dict_key_pointer(dict), tide_dict_key_text("a\0b", 3), tide_dict_key_text("a\0c", 3)};
    int count = (int)(sizeof keys / sizeof *keys);
    for (int i = 0; i < count; i++)
        assert_int_equal(put(keys[i], integer(i)), 0);
    assert_int_equal(tide_dict_count(dict), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(got(keys[i]), i);
    tide_dict_clear(dict); /* it holds itself */
}

static void texts_of_every_length_are_told_apart(void **state)
{
    char a[80], b[80];
    memset(a, 'x', sizeof a);
    memcpy(b, a, sizeof a);
    for (size_t n = 1; n <= sizeof a; n++) {
        for (size_t i = 0; i < n; i++) {
            b[i] = 'y';
            struct tide_dict_key x = tide_dict_key_text(a, n), y = tide_dict_key_text(b, n);
            assert_true(x.hash != y.hash);
            b[i] = 'x';
        }
        assert_true(tide_dict_key_text(a, n).hash == tide_dict_key_text(b, n).hash);
        assert_true(tide_dict_key_text(a, n).hash != tide_dict_key_text(a, n - 1).hash);
    }
}

/* ---- the table ---- */

static void it_agrees_with_an_array(void **state)
{
    static int64_t model[KEYS];
    uint32_t seed = fake_seed();
    size_t count = 0;
    for (int i = 0; i < KEYS; i++)
        model[i] = -1;
    for (int step = 0; step < STEPS; step++) {
        /* long stretches of adding, then of removing, so that tables grow and shrink */
        int k = (int)(fake_random(&seed) % KEYS);
        bool adds = fake_random(&seed) % 10 < (step / 20000 % 2 ? 1u : 9u);
        char name[16];
        snprintf(name, sizeof name, "key%d", k);
        struct tide_dict_key key = k % 2 ? tide_dict_key_integer(k) : named(name);
        assert_int_equal(got(key), model[k]);
        count += adds && model[k] < 0;
        count -= !adds && model[k] >= 0;
        assert_int_equal(put(key, adds ? integer(step) : none), 0);
        model[k] = adds ? step : -1;
    }
    assert_int_equal(tide_dict_count(dict), count);
}

static void removed_keys_leave_no_room_behind(void **state)
{
    for (int i = 0; i < 100000; i++)
        assert_int_equal(put(tide_dict_key_integer(i), integer(i)), 0);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(put(tide_dict_key_integer(i), none), 0);
    assert_int_equal(tide_dict_count(dict), 0);
    for (int i = 0; i < TIDE_DICT_SHARDS; i++)
        assert_true(dict->shards[i].values.room <= 8);
}

static void values_are_dropped_when_replaced_removed_and_at_the_end(void **state)
{
    static _Atomic int alive;
    struct tide_dict_pairs pairs = {0};
    for (int i = 0; i < 100; i++)
        put(tide_dict_key_integer(i % 50), (struct tide_item){.kind = TIDE_ITEM_MESSAGE, .as.message = fake_message(&alive)});
    assert_int_equal(alive, 50);
    put(tide_dict_key_integer(0), none);
    put(tide_dict_key_integer(0), none);
    assert_int_equal(alive, 49);
    assert_int_equal(tide_dict_snapshot(dict, &pairs), 0);
    assert_int_equal(pairs.count, 49);
    tide_dict_clear(dict);
    assert_int_equal(alive, 49);
    tide_dict_pairs_fini(&pairs);
    assert_int_equal(alive, 0);
}

static void setdefault_keeps_what_stands(void **state)
{
    struct tide_dict_key key = named("k");
    struct tide_item value = text("first"), present, second = integer(2);
    assert_int_equal(tide_dict_setdefault(dict, &key, &value, &present), 0);
    assert_int_equal(present.kind, TIDE_ITEM_NONE);
    assert_int_equal(value.kind, TIDE_ITEM_NONE);
    assert_int_equal(tide_dict_setdefault(dict, &key, &second, &present), 0);
    assert_int_equal(present.kind, TIDE_ITEM_TEXT);
    assert_int_equal(second.kind, TIDE_ITEM_INTEGER);
    tide_item_drop(&present);
}

static void add_follows_lua(void **state)
{
    struct tide_dict_key key = named("n");
    struct tide_item sum, one = integer(1), half = {.kind = TIDE_ITEM_FLOAT, .as.number = 0.5};
    assert_int_equal(tide_dict_add(dict, &key, &one, &sum), 0);
    assert_int_equal(sum.as.integer, 1);
    put(key, integer(INT64_MAX));
    assert_int_equal(tide_dict_add(dict, &key, &one, &sum), 0);
    assert_true(sum.as.integer == INT64_MIN);
    put(key, integer(1));
    assert_int_equal(tide_dict_add(dict, &key, &half, &sum), 0);
    assert_int_equal(sum.kind, TIDE_ITEM_FLOAT);
    assert_true(sum.as.number == 1.5);
    put(key, text("x"));
    assert_int_equal(tide_dict_add(dict, &key, &one, &sum), TIDE_EINVAL);
    assert_int_equal(sum.kind, TIDE_ITEM_TEXT);
    tide_item_drop(&sum);
}

static void without_memory_nothing_changes(void **state)
{
    struct tide_item value = integer(1), old, sum;
    struct tide_dict_pairs pairs = {0};
    struct tide_dict_key key = named("a key");
    for (int i = 0;; i++) {
        tide_alloc_fail_after(i);
        int failed = tide_dict_exchange(dict, &key, &value, &old);
        tide_alloc_fail_after(-1);
        if (!failed)
            break;
        assert_int_equal(failed, TIDE_ENOMEM);
        assert_int_equal(value.kind, TIDE_ITEM_INTEGER);
        assert_int_equal(tide_dict_count(dict), 0);
        tide_alloc_fail_after(i);
        assert_int_equal(tide_dict_add(dict, &key, &value, &sum), TIDE_ENOMEM);
        tide_alloc_fail_after(-1);
    }
    assert_int_equal(got(key), 1);
    tide_alloc_fail_after(0);
    assert_int_equal(tide_dict_snapshot(dict, &pairs), TIDE_ENOMEM);
    assert_null(tide_dict_new());
    tide_alloc_fail_after(-1);
    tide_dict_pairs_fini(&pairs);
}

/* ---- threads ---- */

static void *add_often(void *arg)
{
    uint32_t seed = (uint32_t)(uintptr_t)arg;
    for (int i = 0; i < ADDS; i++) {
        char name[16];
        uint32_t k = fake_random(&seed) % 64;
        struct tide_item one = integer(1), sum, old, value;
        snprintf(name, sizeof name, "n%u", k);
        struct tide_dict_key key = named(name), own = tide_dict_key_integer((int64_t)(k << 8 | (uintptr_t)arg));
        tide_dict_add(dict, &key, &one, &sum);
        value = text(name); /* others read it, remove it and take snapshots meanwhile */
        if (tide_dict_exchange(dict, &own, &value, &old) == 0)
            tide_item_drop(&old);
        struct tide_item read = tide_dict_get(dict, &key);
        tide_item_drop(&read);
        if (i % 1000 == 0) {
            struct tide_dict_pairs pairs = {0};
            tide_dict_snapshot(dict, &pairs);
            tide_dict_pairs_fini(&pairs);
        }
    }
    for (int64_t k = 0; k < 64; k++) {
        struct tide_dict_key own = tide_dict_key_integer(k << 8 | (int64_t)(uintptr_t)arg);
        struct tide_item gone = none, old;
        tide_dict_exchange(dict, &own, &gone, &old);
        tide_item_drop(&old);
    }
    return NULL;
}

static void no_addition_is_lost_between_threads(void **state)
{
    pthread_t threads[THREADS];
    int64_t sum = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(tide_thread_start(&threads[i], 0, "add", add_often, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int k = 0; k < 64; k++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", k);
        sum += got(named(name));
    }
    assert_int_equal(sum, THREADS * ADDS);
    assert_int_equal(tide_dict_count(dict), 64);
}

#define DICT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DICT_TEST(a_float_with_an_integers_value_is_that_integer),
        DICT_TEST(keys_of_different_kinds_differ),
        DICT_TEST(texts_of_every_length_are_told_apart),
        DICT_TEST(it_agrees_with_an_array),
        DICT_TEST(removed_keys_leave_no_room_behind),
        DICT_TEST(values_are_dropped_when_replaced_removed_and_at_the_end),
        DICT_TEST(setdefault_keeps_what_stands),
        DICT_TEST(add_follows_lua),
        DICT_TEST(without_memory_nothing_changes),
        DICT_TEST(no_addition_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
