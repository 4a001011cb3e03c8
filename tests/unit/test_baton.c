#include "unit.h"

#include "base/error.h"
#include "base/time.h"
#include "fake_worker.h"

#include <stdlib.h>

/* Workers whose entries are stretches of C, in a runtime with virtual time: each entry notes who runs it. */

enum { WORKERS = 3, ENTRIES = 40 };

static struct tide_runtime runtime;
static _Atomic int deadlocks, inside;
static int ran;
static uint32_t by[ENTRIES];
static struct tide_entry entries[ENTRIES];

static int open_state(struct tide_worker *worker)
{
    (void)worker;
    return 0;
}

static void nothing(struct tide_worker *worker)
{
    (void)worker;
}

static void deadlock(struct tide_runtime *r)
{
    deadlocks++;
    tide_runtime_hold(r); /* posts main */
    tide_runtime_release(r);
}

static const struct tide_engine engine = {.open = open_state, .close = nothing, .tend = nothing, .deadlock = deadlock};

static void open_runtime(uint64_t seed)
{
    struct tide_runtime_options options = {
        .workers = WORKERS, .grace_ns = TIDE_MS(60000), .virtual_time = true, .seed = seed, .wall_ns = TIDE_MS(5000)};
    deadlocks = ran = 0;
    assert_int_equal(tide_runtime_init(&runtime, &options, &engine), 0);
}

static int teardown(void **state)
{
    (void)state;
    tide_runtime_fini(&runtime);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    open_runtime(1);
    return 0;
}

static void start(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    if (atomic_fetch_add(&inside, 1) != 0)
        abort(); /* two at once */
    by[ran++] = worker->index;
    atomic_fetch_sub(&inside, 1);
    if (ran == ENTRIES)
        tide_runtime_release(worker->runtime);
}

static bool all_ran(void *unused)
{
    (void)unused;
    return ran == ENTRIES;
}

static void run_entries(uint32_t *out)
{
    tide_runtime_hold(&runtime);
    for (int i = 0; i < ENTRIES; i++) {
        entries[i] = (struct tide_entry){.start = start};
        assert_int_equal(tide_runtime_push(&runtime, &entries[i]), 0);
    }
    tide_worker_loop(runtime.workers[0], all_ran, NULL);
    for (int i = 0; i < ENTRIES; i++)
        out[i] = by[i];
}

static void the_seed_decides_who_runs_what(void **state)
{
    uint32_t first[ENTRIES], again[ENTRIES], other[ENTRIES];
    (void)state;
    for (int i = 0; i < 5; i++) {
        open_runtime(42);
        run_entries(i == 0 ? first : again);
        tide_runtime_fini(&runtime);
        if (i)
            assert_memory_equal(first, again, sizeof first);
    }
    open_runtime(43);
    run_entries(other);
    tide_runtime_fini(&runtime);
    assert_memory_not_equal(first, other, sizeof first);
}

static struct tide_timer timer;

static bool timer_fired(void *unused)
{
    (void)unused;
    return !tide_timer_armed(&timer);
}

static void the_clock_jumps_to_the_next_timer(void **state)
{
    int64_t before = tide_now_ns(), real = tide_real_now_ns();
    (void)state;
    assert_int_equal(before, TIDE_MS(TIDE_VIRTUAL_START_MS));
    timer = (struct tide_timer){.kind = TIDE_TIMER_OTHER};
    assert_int_equal(tide_worker_timer_add(runtime.workers[0], &timer, before + TIDE_MS(3600000)), 0);
    tide_worker_loop(runtime.workers[0], timer_fired, NULL);
    assert_int_equal(tide_now_ns() - before, TIDE_MS(3600000));
    assert_true(tide_real_now_ns() - real < TIDE_MS(60000));
    assert_true(tide_wall_seconds() == 3605);
    assert_int_equal(deadlocks, 0);
}

static bool reported(void *unused)
{
    (void)unused;
    return deadlocks > 0;
}

static void it_is_a_deadlock_where_nothing_can_come(void **state)
{
    (void)state;
    tide_worker_loop(runtime.workers[0], reported, NULL);
    assert_int_equal(deadlocks, 1);
}

static void deadlines_saturate(void **state)
{
    (void)state;
    tide_virtual_set(INT64_MAX - TIDE_MS(1000));
    assert_int_equal(tide_deadline_after(2), TIDE_NEVER);
    assert_int_equal(tide_deadline_after(0), INT64_MAX - TIDE_MS(1000));
    tide_virtual_end();
    assert_int_equal(tide_deadline_after(1e300), TIDE_NEVER);
    tide_virtual_begin(0);
}

static void much_computing_moves_the_clock(void **state)
{
    struct tide_baton *baton = runtime.baton;
    int64_t before = tide_now_ns();
    int ends = 0;
    (void)state;
    for (int i = 0; i < 1000; i++)
        ends += tide_baton_spend(baton, 1000);
    assert_int_equal(tide_now_ns(), before);
    assert_in_range(ends, 20, 150); /* one in sixteen */
    for (int i = 0; i < 20000; i++)
        tide_baton_spend(baton, 1000);
    assert_int_equal(tide_now_ns() - before, 11000 * 1000 * INT64_C(10)); /* ten million are free */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_decides_who_runs_what),
        cmocka_unit_test_setup_teardown(the_clock_jumps_to_the_next_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_a_deadlock_where_nothing_can_come, setup, teardown),
        cmocka_unit_test_setup_teardown(deadlines_saturate, setup, teardown),
        cmocka_unit_test_setup_teardown(much_computing_moves_the_clock, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
