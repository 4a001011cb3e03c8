#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "fake_http.h"
#include "fake_names.h"
#include "reactor/reactor.h"
#include "reactor/resolver.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 32 };

/* ---- askers, whose answers are recorded on the reactor ---- */

struct asker {
    struct tide_name_waiter waiter;
    const char *host;
    int allowed;            /* allocations, or -1 */
    int failed;             /* what ask returned */
    struct asker *leaves;   /* is left when this one is told */
    char addresses[64], problem[160];
    _Atomic int told;
};

static void leave_now(void *arg)
{
    struct asker *asker = arg;
    tide_resolver_leave(&asker->waiter);
}

static void found(struct tide_name_waiter *waiter, const char *addresses, const char *problem)
{
    struct asker *asker = tide_container(waiter, struct asker, waiter);
    if (addresses)
        snprintf(asker->addresses, sizeof asker->addresses, "%s", addresses);
    else
        snprintf(asker->problem, sizeof asker->problem, "%s", problem);
    if (asker->leaves)
        leave_now(asker->leaves);
    asker->told++;
}

static void ask_now(void *arg)
{
    struct asker *asker = arg;
    asker->waiter.found = found;
    tide_alloc_fail_after(asker->allowed);
    asker->failed = tide_resolver_ask(asker->host, &asker->waiter);
    tide_alloc_fail_after(-1);
}

static void ask(struct asker *asker, const char *host)
{
    asker->host = host;
    asker->allowed = -1;
    fake_on_reactor(ask_now, asker);
    assert_int_equal(asker->failed, 0);
}

static bool is_told(void *arg)
{
    return ((struct asker *)arg)->told > 0;
}

static void told(struct asker *asker)
{
    fake_until(is_told, asker);
    assert_int_equal(asker->told, 1);
}

static bool hang_as_many(void *arg)
{
    return fake_names_hanging() == *(int *)arg;
}

static void hanging(int n)
{
    fake_until(hang_as_many, &n);
}

static int64_t sweep_at;

static void sweep_now(void *arg)
{
    (void)arg;
    tide_resolver_sweep(tide_reactor_now_ns() + sweep_at);
}

/* As if so much time had passed. */
static void forget_after(int seconds)
{
    sweep_at = TIDE_MS(seconds * 1000);
    fake_on_reactor(sweep_now, NULL);
}

static int setup(void **state)
{
    fake_names_release(0);
    forget_after(100);
    return 0;
}

static int teardown(void **state)
{
    fake_names_release(1);
    hanging(0);
    return 0;
}

/* ---- tests ---- */

static void a_name_has_addresses(void **state)
{
    struct asker one = {0}, two = {0};
    ask(&one, "ok.test");
    ask(&two, "two.test");
    told(&one);
    told(&two);
    assert_string_equal(one.addresses, "127.0.0.1");
    assert_string_equal(two.addresses, "127.0.0.1,[::1]");
}

static void a_failure_has_a_reason(void **state)
{
    struct asker missing = {0}, broken = {0};
    ask(&missing, "missing.test");
    ask(&broken, "broken.test");
    told(&missing);
    told(&broken);
    assert_string_equal(missing.problem, "Name or service not known");
    assert_string_equal(broken.problem, "Temporary failure in name resolution");
}

static void many_ask_and_one_looks_up(void **state)
{
    enum { MANY = 100 };
    static struct asker askers[MANY];
    int before = fake_names_count();
    memset(askers, 0, sizeof askers);
    for (int i = 0; i < MANY; i++)
        ask(&askers[i], "hang.test");
    hanging(1);
    fake_names_release(1);
    for (int i = 0; i < MANY; i++) {
        told(&askers[i]);
        assert_string_equal(askers[i].addresses, "127.0.0.1");
    }
    assert_int_equal(fake_names_count(), before + 1);
}

static void addresses_are_kept_for_a_minute(void **state)
{
    struct asker first = {0}, second = {0}, third = {0};
    int before = fake_names_count();
    ask(&first, "ok.test");
    told(&first);
    forget_after(58);
    ask(&second, "ok.test");
    assert_int_equal(second.told, 1); /* before ask returned */
    assert_string_equal(second.addresses, "127.0.0.1");
    assert_int_equal(fake_names_count(), before + 1);
    forget_after(61);
    ask(&third, "ok.test");
    told(&third);
    assert_int_equal(fake_names_count(), before + 2);
}

static void a_name_that_does_not_exist_is_kept_for_five_seconds(void **state)
{
    struct asker first = {0}, second = {0}, third = {0};
    int before = fake_names_count();
    ask(&first, "missing.test");
    told(&first);
    forget_after(4);
    ask(&second, "missing.test");
    assert_int_equal(second.told, 1);
    assert_string_equal(second.problem, first.problem);
    assert_int_equal(fake_names_count(), before + 1);
    forget_after(6);
    ask(&third, "missing.test");
    told(&third);
    assert_int_equal(fake_names_count(), before + 2);
}

static void other_failures_are_not_kept(void **state)
{
    struct asker first = {0}, second = {0};
    int before = fake_names_count();
    ask(&first, "broken.test");
    told(&first);
    ask(&second, "broken.test");
    told(&second);
    assert_int_equal(fake_names_count(), before + 2);
}

static void who_leaves_is_not_told(void **state)
{
    struct asker stays = {0}, leaves = {0};
    ask(&leaves, "hang.test");
    ask(&stays, "hang.test");
    hanging(1);
    fake_on_reactor(leave_now, &leaves);
    fake_on_reactor(leave_now, &leaves); /* twice does no harm */
    fake_names_release(1);
    told(&stays);
    assert_int_equal(leaves.told, 0);
}

static void who_is_told_may_make_another_leave(void **state)
{
    struct asker second = {0}, first = {.leaves = &second};
    ask(&first, "hang.test");
    ask(&second, "hang.test");
    hanging(1);
    fake_names_release(1);
    told(&first);
    assert_int_equal(second.told, 0);
}

static void a_look_up_that_nobody_waits_for_is_of_use_later(void **state)
{
    struct asker leaves = {0}, later = {0};
    int before = fake_names_count();
    ask(&leaves, "hang.test");
    hanging(1);
    fake_on_reactor(leave_now, &leaves);
    ask(&later, "hang.test");
    fake_names_release(1);
    told(&later);
    assert_int_equal(fake_names_count(), before + 1);
    assert_int_equal(leaves.told, 0);
}

static void a_name_that_hangs_holds_up_no_other(void **state)
{
    struct asker hangs = {0}, other = {0};
    ask(&hangs, "hang.test");
    hanging(1);
    ask(&other, "ok.test");
    told(&other);
    assert_int_equal(hangs.told, 0);
    fake_names_release(1);
    told(&hangs);
}

static void no_more_than_32_look_up_at_once(void **state)
{
    static struct asker hang[THREADS], queued = {0}, left = {0};
    static char hosts[THREADS][32];
    memset(hang, 0, sizeof hang);
    for (int i = 0; i < THREADS; i++) {
        snprintf(hosts[i], sizeof hosts[i], "hang-%d.test", i);
        ask(&hang[i], hosts[i]);
    }
    hanging(THREADS);
    int before = fake_names_count();
    ask(&left, "many-1.test");
    ask(&queued, "many-2.test");
    fake_on_reactor(leave_now, &left);
    forget_after(100); /* the sweep leaves those alone that wait for a thread */
    assert_int_equal(fake_names_count(), before);
    fake_names_release(1);
    told(&queued);
    for (int i = 0; i < THREADS; i++)
        told(&hang[i]);
    assert_int_equal(left.told, 0);
    assert_int_equal(fake_names_count(), before + 1); /* nobody waited for the other */
}

static void without_memory_it_fails_and_may_be_asked_again(void **state)
{
    int failures = 0;
    for (int allowed = 0;; allowed++) {
        struct asker asker = {.host = "many-of-a-new-name.test", .allowed = allowed};
        fake_on_reactor(ask_now, &asker);
        if (asker.failed) {
            assert_int_equal(asker.failed, TIDE_ENOMEM);
            assert_int_equal(asker.told, 0);
        } else {
            told(&asker);
        }
        forget_after(100);
        if (asker.addresses[0])
            break;
        if (!asker.failed) /* the name was there, its look-up could not begin */
            assert_string_equal(asker.problem, tide_strerror(TIDE_ENOMEM));
        failures++;
    }
    assert_true(failures >= 4);
}

/* A look-up hangs over the end of the reactor: nobody waits for it, and what it finds goes nowhere. */
static struct asker at_the_end;

static void the_end_does_not_wait_for_a_look_up(void **state)
{
    at_the_end = (struct asker){0};
    ask(&at_the_end, "hang.test");
    hanging(1);
}

static int close_reactor(void **state)
{
    int64_t start = tide_now_ns();
    int failed = fake_reactor_close(state);
    if (tide_now_ns() - start > TIDE_MS(5000)) {
        print_error("the end took %.1f s\n", (double)(tide_now_ns() - start) * 1e-9);
        failed = -1;
    }
    fake_names_release(1);
    hanging(0);
    return failed || at_the_end.told ? -1 : 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_name_has_addresses),
        TEST(a_failure_has_a_reason),
        TEST(many_ask_and_one_looks_up),
        TEST(addresses_are_kept_for_a_minute),
        TEST(a_name_that_does_not_exist_is_kept_for_five_seconds),
        TEST(other_failures_are_not_kept),
        TEST(who_leaves_is_not_told),
        TEST(who_is_told_may_make_another_leave),
        TEST(a_look_up_that_nobody_waits_for_is_of_use_later),
        TEST(a_name_that_hangs_holds_up_no_other),
        TEST(no_more_than_32_look_up_at_once),
        TEST(without_memory_it_fails_and_may_be_asked_again),
        cmocka_unit_test_setup(the_end_does_not_wait_for_a_look_up, setup),
    };
    return cmocka_run_group_tests(tests, fake_reactor_open, close_reactor);
}
