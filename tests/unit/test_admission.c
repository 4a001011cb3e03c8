#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "reactor/admission.h"

#include <string.h>

/* ---- places that record when they are admitted ---- */

struct asker {
    struct tide_place place;
    int turn;                 /* the how-manieth to be admitted, from 1; 0: not yet */
    bool leaves_at_once;
    struct asker *asks_next;  /* asks for `next_key` while it is admitted */
    const char *next_key;
};

static int turns;

static void ask(struct asker *asker, const char *key);

static void admitted(struct tide_place *place)
{
    struct asker *asker = tide_container(place, struct asker, place);
    assert_int_equal(asker->turn, 0);
    assert_true(place->held);
    asker->turn = ++turns;
    if (asker->asks_next)
        ask(asker->asks_next, asker->next_key);
    if (asker->leaves_at_once)
        tide_admission_leave(place);
}

static void ask(struct asker *asker, const char *key)
{
    asker->place.admitted = admitted;
    assert_int_equal(tide_admission_ask(&asker->place, key), 0);
}

static void ask_all(struct asker *askers, int n, const char *key)
{
    for (int i = 0; i < n; i++)
        ask(&askers[i], key);
}

static void leave_all(struct asker *askers, int n)
{
    for (int i = n; i-- > 0;)
        tide_admission_leave(&askers[i].place);
}

static void counts_are(uint32_t running, uint32_t waiting)
{
    uint32_t now_running, now_waiting;
    tide_admission_counts(&now_running, &now_waiting);
    assert_int_equal(now_running, running);
    assert_int_equal(now_waiting, waiting);
}

static int setup(void **state)
{
    turns = 0;
    tide_admission_set_limits(4, 2);
    return 0;
}

static int teardown(void **state)
{
    counts_are(0, 0);
    tide_admission_stop();
    return 0;
}

/* ---- limits and order ---- */

static void who_finds_room_is_admitted_at_once(void **state)
{
    struct asker a = {0};
    ask(&a, "a");
    assert_int_equal(a.turn, 1);
    counts_are(1, 0);
    tide_admission_leave(&a.place);
    tide_admission_leave(&a.place); /* once more does no harm */
    counts_are(0, 0);
}

static void who_never_asked_may_leave(void **state)
{
    struct asker a = {0};
    tide_admission_leave(&a.place);
    counts_are(0, 0);
}

static void an_origin_has_its_limit(void **state)
{
    struct asker a[5] = {0};
    ask_all(a, 5, "a");
    counts_are(2, 3);
    tide_admission_leave(&a[0].place);
    counts_are(2, 2);
    assert_int_equal(a[2].turn, 3); /* first come, first served */
    assert_int_equal(a[3].turn, 0);
    tide_admission_leave(&a[2].place);
    assert_int_equal(a[3].turn, 4);
    leave_all(a, 5);
}

static void all_together_have_a_limit(void **state)
{
    struct asker a[2] = {0}, b[2] = {0}, c[2] = {0};
    ask_all(a, 2, "a");
    ask_all(b, 2, "b");
    ask_all(c, 2, "c");
    counts_are(4, 2);
    tide_admission_leave(&a[1].place);
    assert_int_equal(c[0].turn, 5);
    counts_are(4, 1);
    leave_all(a, 2);
    leave_all(b, 2);
    leave_all(c, 2);
}

static void origins_take_turns(void **state)
{
    struct asker hog[2] = {0}, a[3] = {0}, b[3] = {0}, c[3] = {0};
    tide_admission_set_limits(1, 1);
    ask(&hog[0], "hog");
    ask_all(a, 3, "a");
    ask_all(b, 3, "b");
    ask_all(c, 3, "c");
    struct asker *order[] = {&hog[0], &a[0], &b[0], &c[0], &a[1], &b[1], &c[1], &a[2], &b[2], &c[2]};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(order[i]->turn, i + 1);
        tide_admission_leave(&order[i]->place);
    }
}

static void an_origin_at_its_limit_holds_nobody_up(void **state)
{
    struct asker slow[4] = {0}, a = {0}, b = {0};
    ask_all(slow, 4, "slow");
    ask(&a, "a");
    ask(&b, "b");
    counts_are(4, 2);
    assert_true(a.turn && b.turn);
    leave_all(slow, 4);
    tide_admission_leave(&a.place);
    tide_admission_leave(&b.place);
}

static void who_waits_may_leave(void **state)
{
    struct asker a[5] = {0};
    ask_all(a, 5, "a");
    tide_admission_leave(&a[2].place); /* the first, the last and all of those that wait */
    tide_admission_leave(&a[4].place);
    tide_admission_leave(&a[0].place);
    assert_int_equal(a[2].turn, 0);
    assert_int_equal(a[3].turn, 3);
    tide_admission_leave(&a[3].place);
    tide_admission_leave(&a[1].place);
    assert_int_equal(a[4].turn, 0);
}

static void a_place_may_be_used_again(void **state)
{
    struct asker a = {0};
    for (int i = 1; i <= 3; i++) {
        a.turn = 0;
        ask(&a, i % 2 ? "a" : "b");
        assert_int_equal(a.turn, i);
        tide_admission_leave(&a.place);
    }
}

/* ---- callbacks that ask and leave ---- */

static void who_is_admitted_may_leave_at_once(void **state)
{
    struct asker a[100] = {0};
    tide_admission_set_limits(1, 1);
    for (int i = 1; i < 100; i++)
        a[i].leaves_at_once = true;
    ask_all(a, 100, "a");
    counts_are(1, 99);
    tide_admission_leave(&a[0].place); /* and with that all the others */
    counts_are(0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(a[i].turn, i + 1);
}

static void a_callback_may_ask_for_others(void **state)
{
    struct asker a[4] = {0};
    for (int i = 0; i < 3; i++) {
        a[i].asks_next = &a[i + 1];
        a[i].next_key = i % 2 ? "a" : "b";
        a[i].leaves_at_once = i != 1;
    }
    ask(&a[0], "a");
    for (int i = 0; i < 4; i++)
        assert_int_equal(a[i].turn, i + 1);
    counts_are(2, 0);
    leave_all(a, 4);
}

static void a_long_chain_needs_no_deep_stack(void **state)
{
    enum { LONG = 100000 };
    struct asker *a = tide_calloc(LONG, sizeof *a);
    for (int i = 0; i < LONG; i++) {
        a[i].leaves_at_once = true;
        a[i].asks_next = i + 1 < LONG ? &a[i + 1] : NULL;
        a[i].next_key = "a";
    }
    ask(&a[0], "a");
    assert_int_equal(a[LONG - 1].turn, LONG);
    tide_free(a);
}

/* ---- limits that change ---- */

static void a_lower_limit_throws_nobody_out(void **state)
{
    struct asker a[4] = {0};
    ask_all(a, 4, "a");
    tide_admission_set_limits(4, 1);
    counts_are(2, 2);
    tide_admission_leave(&a[0].place);
    counts_are(1, 2);
    tide_admission_leave(&a[1].place);
    counts_are(1, 1);
    assert_int_equal(a[2].turn, 3);
    leave_all(a, 4);
}

static void a_lower_limit_holds_for_who_waited_for_a_place_in_all(void **state)
{
    struct asker a[3] = {0}, b[2] = {0};
    tide_admission_set_limits(3, 3);
    ask(&a[0], "a");
    ask_all(b, 2, "b");
    ask(&a[1], "a"); /* "a" stands in the ring: it had room, only all together had none */
    tide_admission_set_limits(3, 1);
    tide_admission_leave(&b[0].place);
    assert_int_equal(a[1].turn, 0);
    counts_are(2, 1);
    tide_admission_leave(&a[0].place);
    assert_int_equal(a[1].turn, 4);
    leave_all(a, 3);
    leave_all(b, 2);
}

static void a_higher_limit_lets_in_who_waits(void **state)
{
    struct asker a[6] = {0}, b[2] = {0};
    ask_all(a, 6, "a");
    counts_are(2, 4);
    tide_admission_set_limits(8, 5);
    tide_admission_refresh();
    counts_are(5, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(a[i].turn, i + 1);
    tide_admission_refresh();
    counts_are(5, 1);
    ask_all(b, 2, "b");
    counts_are(7, 1);
    leave_all(a, 6);
    leave_all(b, 2);
}

static void no_limit_is_above_the_ceiling(void **state)
{
    uint32_t in_all, per_origin;
    tide_admission_set_limits(100, 90);
    tide_admission_set_ceiling(70);
    tide_admission_limits(&in_all, &per_origin);
    assert_int_equal(in_all, 70);
    assert_int_equal(per_origin, 90);
    tide_admission_set_limits(60, 90);
    tide_admission_limits(&in_all, &per_origin);
    assert_int_equal(in_all, 60);
    tide_admission_set_ceiling(UINT32_MAX);
    tide_admission_set_limits(100, 90);
    tide_admission_limits(&in_all, &per_origin);
    assert_int_equal(in_all, 100);
}

static void limits_are_as_they_were_set(void **state)
{
    uint32_t in_all, per_origin;
    tide_admission_set_limits(7, 3);
    tide_admission_limits(&in_all, &per_origin);
    assert_int_equal(in_all, 7);
    assert_int_equal(per_origin, 3);
}

/* ---- memory ---- */

static void without_memory_nobody_asks(void **state)
{
    struct asker a = {0};
    int failures = 0;
    for (int allowed = 0;; allowed++) {
        tide_alloc_fail_after(allowed);
        a.turn = 0;
        a.place.admitted = admitted;
        int failed = tide_admission_ask(&a.place, "some origin");
        tide_alloc_fail_after(-1);
        if (!failed)
            break;
        assert_int_equal(failed, TIDE_ENOMEM);
        assert_int_equal(a.turn, 0);
        counts_are(0, 0);
        failures++;
    }
    assert_int_equal(failures, 3); /* the origin, its key, the first buckets */
    tide_admission_leave(&a.place);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_memory_nobody_asks), /* first, while there is no table yet */
        TEST(who_finds_room_is_admitted_at_once),
        TEST(who_never_asked_may_leave),
        TEST(an_origin_has_its_limit),
        TEST(all_together_have_a_limit),
        TEST(origins_take_turns),
        TEST(an_origin_at_its_limit_holds_nobody_up),
        TEST(who_waits_may_leave),
        TEST(a_place_may_be_used_again),
        TEST(who_is_admitted_may_leave_at_once),
        TEST(a_callback_may_ask_for_others),
        TEST(a_long_chain_needs_no_deep_stack),
        TEST(a_lower_limit_throws_nobody_out),
        TEST(a_lower_limit_holds_for_who_waited_for_a_place_in_all),
        TEST(a_higher_limit_lets_in_who_waits),
        TEST(no_limit_is_above_the_ceiling),
        TEST(limits_are_as_they_were_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
