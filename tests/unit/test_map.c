#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/list.h"
#include "base/map.h"

#include <stdio.h>

enum { MANY = 1000 };

struct thing {
    struct tide_map_entry entry;
    char name[16];
    bool seen;
};

static struct thing things[MANY];

static struct thing *named(int i)
{
    things[i] = (struct thing){0};
    snprintf(things[i].name, sizeof things[i].name, "name %d", i);
    things[i].entry.key = things[i].name;
    return &things[i];
}

static void fill(struct tide_map *map)
{
    for (int i = 0; i < MANY; i++)
        assert_int_equal(tide_map_add(map, &named(i)->entry), 0);
    assert_int_equal(map->count, MANY);
}

static void an_empty_map_has_nothing(void **state)
{
    struct tide_map map = {0};
    assert_null(tide_map_find(&map, "x"));
    assert_null(tide_map_next(&map, NULL));
    tide_map_fini(&map);
    tide_map_fini(&map);
}

static void what_was_added_is_found(void **state)
{
    struct tide_map map = {0};
    fill(&map);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(tide_map_find(&map, things[i].name), &things[i].entry);
    assert_null(tide_map_find(&map, "name"));
    assert_null(tide_map_find(&map, ""));
    assert_null(tide_map_find(&map, "name 1000"));
    tide_map_fini(&map);
}

static void what_was_removed_is_not_found(void **state)
{
    struct tide_map map = {0};
    fill(&map);
    for (int i = 0; i < MANY; i += 2)
        tide_map_remove(&map, &things[i].entry);
    assert_int_equal(map.count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(tide_map_find(&map, things[i].name), i % 2 ? &things[i].entry : NULL);
    assert_int_equal(tide_map_add(&map, &things[0].entry), 0);
    assert_non_null(tide_map_find(&map, "name 0"));
    tide_map_fini(&map);
}

static void a_walk_meets_each_once(void **state)
{
    struct tide_map map = {0};
    int met = 0;
    fill(&map);
    for (struct tide_map_entry *each = tide_map_next(&map, NULL); each; each = tide_map_next(&map, each)) {
        struct thing *thing = tide_container(each, struct thing, entry);
        assert_false(thing->seen);
        thing->seen = true;
        met++;
    }
    assert_int_equal(met, MANY);
    tide_map_fini(&map);
}

static void a_walk_may_remove_what_it_has_passed(void **state)
{
    struct tide_map map = {0};
    int met = 0;
    fill(&map);
    for (struct tide_map_entry *each = tide_map_next(&map, NULL), *next; each; each = next) {
        next = tide_map_next(&map, each);
        tide_map_remove(&map, each);
        each->next = NULL; /* as if it were freed */
        met++;
    }
    assert_int_equal(met, MANY);
    assert_int_equal(map.count, 0);
    assert_null(tide_map_next(&map, NULL));
    tide_map_fini(&map);
}

static void keys_with_one_hash_stay_apart(void **state)
{
    struct tide_map map = {0};
    struct thing *a = named(0), *b = named(1);
    a->entry.key = "costarring"; /* FNV-1a of 32 bits gives both of each pair the same */
    b->entry.key = "liquid";
    assert_int_equal(tide_map_add(&map, &a->entry), 0);
    assert_int_equal(tide_map_add(&map, &b->entry), 0);
    assert_int_equal(a->entry.hash, b->entry.hash);
    assert_ptr_equal(tide_map_find(&map, "costarring"), &a->entry);
    assert_ptr_equal(tide_map_find(&map, "liquid"), &b->entry);
    tide_map_remove(&map, &b->entry);
    assert_null(tide_map_find(&map, "liquid"));
    assert_ptr_equal(tide_map_find(&map, "costarring"), &a->entry);
    tide_map_fini(&map);
}

static void without_memory_it_stays_as_it_was(void **state)
{
    struct tide_map map = {0};
    tide_alloc_fail_after(0);
    int failed = tide_map_add(&map, &named(0)->entry);
    tide_alloc_fail_after(-1);
    assert_int_equal(failed, TIDE_ENOMEM);
    assert_int_equal(map.count, 0);

    assert_int_equal(tide_map_add(&map, &named(0)->entry), 0);
    failed = 0;
    tide_alloc_fail_after(0); /* one that cannot grow takes more all the same */
    for (int i = 1; i < MANY; i++)
        failed |= tide_map_add(&map, &named(i)->entry) != 0;
    tide_alloc_fail_after(-1);
    assert_int_equal(failed, 0);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(tide_map_find(&map, things[i].name), &things[i].entry);
    tide_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(what_was_removed_is_not_found),
        cmocka_unit_test(a_walk_meets_each_once),
        cmocka_unit_test(a_walk_may_remove_what_it_has_passed),
        cmocka_unit_test(keys_with_one_hash_stay_apart),
        cmocka_unit_test(without_memory_it_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
