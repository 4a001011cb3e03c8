#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "exec/periodic.h"
#include "fake_worker.h"
#include "sched/runtime.h"

#include <math.h>

enum { MOST = 64 };

/* What the timer under test did. */
static struct {
    struct tide_tick ticks[MOST];
    int count, retired;
    bool fails, keeps_running, no_memory;
} seen;
static double calendar_step;

static int run(struct tide_periodic *p, const struct tide_tick *tick)
{
    if (seen.count < MOST) {
        seen.ticks[seen.count] = *tick;
        seen.ticks[seen.count].late = (double)(tide_now_ns() - tick->due) * 1e-9;
    }
    seen.count++;
    if (seen.no_memory)
        return TIDE_ENOMEM;
    if (!seen.keeps_running)
        tide_periodic_ended(p, seen.fails);
    return 0;
}

static void retired(struct tide_periodic *p)
{
    seen.retired++;
}

static double next(struct tide_periodic *p, double after)
{
    assert_int_equal(seen.retired, 0); /* the calendar is gone by then */
    return (floor(after / calendar_step) + 1) * calendar_step;
}

static const struct tide_periodic_calls grid = {.run = run, .retired = retired};
static const struct tide_periodic_calls calendar = {.run = run, .next = next, .retired = retired};

static int setup(void **state)
{
    seen.count = seen.retired = 0;
    seen.fails = seen.keeps_running = seen.no_memory = false;
    calendar_step = 3600;
    fake_runtime_open(1, true);
    return 0;
}

static int teardown(void **state)
{
    fake_runtime_close();
    return 0;
}

static struct tide_periodic *started(const struct tide_periodic_calls *calls, struct tide_periodic_options options)
{
    struct tide_periodic *p = tide_periodic_new(&options, calls, NULL);
    assert_non_null(p);
    assert_int_equal(tide_periodic_start(p), 0);
    return p;
}

/* As if `ns` had passed, and its alarm had rung then. */
static void pass(struct tide_periodic *p, int64_t ns)
{
    p->start -= ns;
    p->alarm.ring(&p->alarm, p->home);
}

static void end(struct tide_periodic *p)
{
    tide_periodic_stop(p);
    assert_int_equal(seen.retired, 1);
    assert_int_equal(atomic_load(&p->object.refs), 1);
    tide_object_unref(&p->object);
}

static const struct tide_periodic_options minute = {
    .delay = TIDE_MS(60000), .interval = TIDE_MS(60000), .catch_up = TIDE_CATCH_UP_ONE};

static void a_late_tick_tells_what_was_missed(void **state)
{
    struct tide_periodic *p = started(&grid, minute);
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ticks[0].missed, 0);
    assert_true(seen.ticks[0].late >= 0 && seen.ticks[0].late < 30);
    pass(p, TIDE_MS(150000)); /* two and a half */
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.ticks[1].number, 2);
    assert_int_equal(seen.ticks[1].missed, 1);
    assert_true(seen.ticks[1].late >= 30 && seen.ticks[1].late < 59);
    assert_int_equal(atomic_load(&p->missed), 1);
    pass(p, TIDE_MS(30000)); /* back on the grid */
    assert_int_equal(seen.count, 3);
    assert_true(seen.ticks[2].late < 30);
    end(p);
}

static void catching_up_with_all_or_none(void **state)
{
    struct tide_periodic_options options = minute;
    options.catch_up = TIDE_CATCH_UP_ALL;
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(190000));
    assert_int_equal(seen.count, 3);
    assert_true(seen.ticks[0].late > 120 && seen.ticks[2].late < 60);
    assert_true(fabs(seen.ticks[2].instant - seen.ticks[0].instant - 120) < 1e-3);
    end(p);
    seen.count = seen.retired = 0;
    options.catch_up = TIDE_CATCH_UP_NONE;
    p = started(&grid, options);
    pass(p, TIDE_MS(190000));
    assert_int_equal(seen.count, 0);
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ticks[0].missed, 3);
    end(p);
}

/* Runs are tasks: none has ended when the next instant is looked at. */
static void all_come_one_after_the_other(void **state)
{
    struct tide_periodic_options options = minute;
    options.catch_up = TIDE_CATCH_UP_ALL;
    options.max_runs = 3;
    seen.keeps_running = true;
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(250000));
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(seen.count, i);
        assert_int_equal(p->running, 1);
        tide_periodic_ended(p, false);
    }
    assert_int_equal(seen.count, 3);
    assert_true(fabs(seen.ticks[2].instant - seen.ticks[0].instant - 120) < 1e-3);
    assert_int_equal(atomic_load(&p->missed), 0);
    end(p);

    seen.count = seen.retired = 0;
    options.max_runs = 0;
    p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(190000)); /* the first run goes on: an overlap, which skips */
    assert_int_equal(seen.count, 1);
    assert_int_equal(atomic_load(&p->missed), 3);
    tide_periodic_ended(p, false);
    end(p);
}

static void overlap_skips_or_queues_or_runs_beside(void **state)
{
    struct tide_periodic_options options = minute;
    seen.keeps_running = true;
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 1);
    assert_int_equal(atomic_load(&p->missed), 2);
    tide_periodic_ended(p, false);
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.ticks[1].missed, 2);
    tide_periodic_ended(p, false);
    end(p);

    seen.count = seen.retired = 0;
    options.overlap = TIDE_OVERLAP_QUEUE;
    p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 1);
    tide_periodic_ended(p, false);
    assert_int_equal(seen.count, 2);
    tide_periodic_ended(p, false);
    assert_int_equal(seen.count, 3);
    tide_periodic_ended(p, false);
    assert_int_equal(seen.count, 3);
    end(p);

    seen.count = seen.retired = 0;
    options.overlap = TIDE_OVERLAP_CONCURRENT;
    p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    assert_int_equal(p->running, 2);
    tide_periodic_stop(p);
    assert_int_equal(seen.retired, 0); /* not before both have ended */
    tide_periodic_ended(p, false);
    tide_periodic_ended(p, false);
    end(p);
}

static void limits_of_runs_and_failures_end_it(void **state)
{
    struct tide_periodic_options options = minute;
    options.max_runs = 2;
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    assert_false(atomic_load(&p->stopped));
    pass(p, TIDE_MS(60000));
    end(p);

    seen.count = seen.retired = 0;
    options.max_runs = 0;
    options.max_failures = 2;
    p = started(&grid, options);
    seen.fails = true;
    pass(p, TIDE_MS(60000));
    seen.fails = false;
    pass(p, TIDE_MS(60000)); /* in a row, not in all */
    seen.fails = true;
    pass(p, TIDE_MS(60000));
    assert_false(atomic_load(&p->stopped));
    pass(p, TIDE_MS(60000));
    assert_int_equal(atomic_load(&p->failures), 3);
    end(p);
}

static void one_instant_only(void **state)
{
    struct tide_periodic *p = started(&grid, (struct tide_periodic_options){.delay = TIDE_MS(60000)});
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 1);
    end(p);
}

static void a_calendar_follows_the_wall_clock(void **state)
{
    struct tide_periodic *p = started(&calendar, (struct tide_periodic_options){.catch_up = TIDE_CATCH_UP_ONE});
    double first = p->instant;
    p->alarm.ring(&p->alarm, p->home); /* a look in between */
    assert_int_equal(seen.count, 0);
    assert_true(p->instant == first);
    p->instant = first - 3 * calendar_step; /* as if the clock had been put forward, or had slept */
    p->alarm.ring(&p->alarm, p->home);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.ticks[0].missed, 2);
    assert_true(seen.ticks[0].instant == first - calendar_step);
    assert_true(p->instant == first);
    p->instant = first + 2 * calendar_step; /* put back a little: what has run does not run again */
    p->wall += 2 * calendar_step;
    p->alarm.ring(&p->alarm, p->home);
    assert_true(p->instant == first + 2 * calendar_step);
    p->instant = first + 3 * calendar_step; /* put back by more than three hours: corrected, it goes on from the present */
    p->wall += 1.5 * calendar_step;
    p->alarm.ring(&p->alarm, p->home);
    assert_true(p->instant == first);
    assert_int_equal(seen.count, 1);
    end(p);
}

/* However far away the next instant is: it is the step of the clock that counts. */
static void a_small_step_back_repeats_nothing(void **state)
{
    calendar_step = 86400;
    struct tide_periodic *p = started(&calendar, (struct tide_periodic_options){.catch_up = TIDE_CATCH_UP_ONE});
    p->instant += calendar_step; /* it has run, and now the clock is put back across its instant */
    double instant = p->instant;
    p->wall += 12;
    p->alarm.ring(&p->alarm, p->home);
    assert_true(p->instant == instant);
    assert_int_equal(seen.count, 0);
    end(p);
}

static void jitter_never_reaches_the_next_instant(void **state)
{
    struct tide_periodic_options options = {.catch_up = TIDE_CATCH_UP_ONE, .jitter = TIDE_MS(100 * 3600000.0)};
    struct tide_periodic *p = started(&calendar, options);
    for (int i = 0; i < 20; i++) {
        assert_true(p->shift >= 0 && p->shift < (int64_t)calendar_step * 1000000000);
        p->instant -= 1.5 * calendar_step; /* due, whatever the jitter */
        p->shift = 0;
        p->alarm.ring(&p->alarm, p->home);
        assert_int_equal(seen.count, i + 1);
    }
    end(p);
}

/* What was missed lies between the two that are queued. */
static void queued_runs_know_their_instants(void **state)
{
    struct tide_periodic_options options = minute;
    options.overlap = TIDE_OVERLAP_QUEUE;
    seen.keeps_running = true;
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(60000));
    pass(p, TIDE_MS(180000));
    tide_periodic_ended(p, false);
    tide_periodic_ended(p, false);
    tide_periodic_ended(p, false);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.ticks[1].missed, 0);
    assert_int_equal(seen.ticks[2].missed, 2);
    end(p);
}

static int64_t armed_for(struct tide_periodic *p)
{
    return p->home->timers.at[p->alarm.timer.place - 1].when;
}

/* A little late, so that one wake-up serves many: a 16,384th of the interval at most, and half a millisecond. */
static void ticks_of_long_intervals_come_together(void **state)
{
    static const struct {
        int64_t interval, unit;
    } cases[] = {{TIDE_MS(3600000), 1 << 19}, {TIDE_MS(10000), 1 << 19}, {TIDE_MS(1000), 1 << 15}, {TIDE_MS(1), 32},
                 {TIDE_US(20), 1}, {1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tide_periodic_options options = {.delay = cases[i].interval, .interval = cases[i].interval};
        struct tide_periodic *p = started(&grid, options);
        int64_t late = armed_for(p) - p->start;
        assert_true(late >= 0 && late < cases[i].unit);
        assert_int_equal(armed_for(p) % cases[i].unit, 0);
        seen.retired = 0;
        end(p);
    }
}

static void the_end_of_the_run_stops_it(void **state)
{
    struct tide_periodic *p = started(&grid, minute);
    struct tide_runtime *runtime = p->home->runtime;
    assert_int_equal(atomic_load(&runtime->holds), 1);
    atomic_store(&runtime->closing, 1);
    tide_worker_ring_all(p->home);
    assert_int_equal(atomic_load(&runtime->holds), 0);
    struct tide_periodic *late = tide_periodic_new(&minute, &grid, NULL);
    assert_int_equal(tide_periodic_start(late), TIDE_ESHUTDOWN);
    assert_int_equal(seen.retired, 1);
    tide_object_unref(&late->object); /* with what it holds */
    assert_int_equal(seen.retired, 2);
    seen.retired = 1;
    end(p);
}

static void who_waits_is_woken_when_it_is_retired(void **state)
{
    struct tide_periodic *p = started(&grid, minute);
    struct tide_task *task = fake_task();
    tide_wait_begin(task);
    assert_int_equal(tide_periodic_enqueue(p, &task->waiter, task), 0);
    tide_periodic_stop(p);
    assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_WOKEN);
    tide_periodic_leave(p, &task->waiter);
    tide_wait_begin(task);
    assert_int_equal(tide_periodic_enqueue(p, &task->waiter, task), 1);
    assert_true(tide_wait_abandon(task));
    tide_task_free(task);
    end(p);
}

static void without_memory_it_does_not_start(void **state)
{
    tide_alloc_fail_after(0);
    struct tide_periodic *p = tide_periodic_new(&minute, &grid, NULL);
    tide_alloc_fail_after(-1);
    assert_null(p);
}

static void a_run_that_is_queued_is_stopped_too(void **state)
{
    struct tide_periodic *p = started(&grid, minute);
    seen.keeps_running = true;
    pass(p, TIDE_MS(60000));
    struct tide_tick tick = seen.ticks[0];
    tick.due -= TIDE_MS(1000); /* it waited for others in between */
    assert_true(tide_periodic_begin(p, &tick));
    assert_true(tick.late >= 1 && tick.late < 30);
    tide_periodic_ended(p, false);
    pass(p, TIDE_MS(60000));
    tide_periodic_stop(p);
    assert_int_equal(seen.retired, 0);
    assert_false(tide_periodic_begin(p, &seen.ticks[1]));
    tide_periodic_ended(p, false);
    assert_int_equal(atomic_load(&p->runs), 1);
    end(p);
}

static void a_queued_last_run_runs(void **state)
{
    struct tide_periodic_options options = minute;
    options.max_runs = 1;
    struct tide_periodic *p = started(&grid, options);
    seen.keeps_running = true;
    pass(p, TIDE_MS(60000));
    assert_true(atomic_load(&p->stopped));
    assert_true(tide_periodic_begin(p, &seen.ticks[0])); /* it ends by itself, nobody stopped it */
    tide_periodic_ended(p, false);
    end(p);
}

/* Beside each other they are tasks, all of them at one moment. */
static void there_is_a_limit_to_runs_at_once(void **state)
{
    struct tide_periodic_options options = {.delay = TIDE_MS(1), .interval = TIDE_MS(1), .catch_up = TIDE_CATCH_UP_ALL,
                                            .overlap = TIDE_OVERLAP_CONCURRENT};
    struct tide_periodic *p = started(&grid, options);
    pass(p, TIDE_MS(60000));
    assert_int_equal(seen.count, 10000);
    assert_true(seen.ticks[0].missed >= 50000);
    assert_true(seen.ticks[0].late > 9 && seen.ticks[0].late < 30);
    seen.no_memory = true;
    pass(p, TIDE_MS(5000));
    assert_int_equal(seen.count, 10001); /* no report for each of them */
    assert_true(atomic_load(&p->missed) >= 50000 + 4999);
    end(p);
}

static void runs_that_cannot_start_are_failures(void **state)
{
    struct tide_periodic *p =
        started(&calendar, (struct tide_periodic_options){.catch_up = TIDE_CATCH_UP_ALL, .max_failures = 2});
    seen.no_memory = true;
    p->instant -= 5 * calendar_step;
    p->alarm.ring(&p->alarm, p->home);
    assert_int_equal(seen.count, 2);
    assert_int_equal(atomic_load(&p->failures), 2);
    end(p);

    seen.count = seen.retired = 0;
    seen.no_memory = false;
    seen.keeps_running = true;
    struct tide_periodic_options options = minute;
    options.overlap = TIDE_OVERLAP_QUEUE;
    options.catch_up = TIDE_CATCH_UP_ALL;
    p = started(&grid, options);
    pass(p, TIDE_MS(20 * 60000));
    assert_int_equal(p->stretches, 1);
    seen.no_memory = true;
    tide_periodic_ended(p, false); /* each of those that wait has its turn, none holds up the next */
    assert_int_equal(seen.count, 20);
    assert_int_equal(atomic_load(&p->failures), 19);
    end(p);
}

static void an_instant_beyond_all_times_is_armed(void **state)
{
    struct tide_periodic *p = started(&grid, (struct tide_periodic_options){.delay = INT64_MAX});
    assert_true(tide_timer_armed(&p->alarm.timer)); /* else it would look like a deadlock */
    end(p);
}

static double wall; /* of the virtual clock: set, it steps; tide_now_ns goes on from its start each time */

static void set_wall(struct tide_periodic *p, double to)
{
    tide_virtual_end();
    tide_virtual_begin((int64_t)(to * 1e9));
    wall = to;
    p->alarm.ring(&p->alarm, p->home);
}

/* Steps either way, each within the correction of three hours: no instant runs twice, none out of order. */
static void a_wall_clock_that_steps_repeats_nothing(void **state)
{
    uint32_t random = 12345;
    double newest = 0, began = 1000000 * calendar_step + 1;
    tide_virtual_begin((int64_t)(began * 1e9));
    struct tide_periodic *p = started(&calendar, (struct tide_periodic_options){.catch_up = TIDE_CATCH_UP_ONE});
    wall = began;
    for (int i = 0; i < 400 && seen.count < MOST; i++) {
        int count = seen.count;
        random = random * 1664525 + 1013904223;
        double to = wall + ((double)(random >> 16) / 65536 - 0.45) * 2 * calendar_step;
        set_wall(p, to > newest - 2 * calendar_step ? to : wall);
        assert_true(seen.count <= count + 1);
        if (seen.count > count) {
            assert_true(seen.ticks[count].instant > newest && seen.ticks[count].instant <= wall);
            newest = seen.ticks[count].instant;
        }
        assert_true(p->instant > newest && (p->instant > wall || seen.count == count));
    }
    assert_true(seen.count > 10);
    uint64_t instants = (uint64_t)((newest - floor(began / calendar_step) * calendar_step) / calendar_step);
    assert_int_equal((uint64_t)seen.count + atomic_load(&p->missed), instants); /* and each was run, or counted as missed */
    end(p);
    tide_virtual_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_late_tick_tells_what_was_missed, setup, teardown),
        cmocka_unit_test_setup_teardown(catching_up_with_all_or_none, setup, teardown),
        cmocka_unit_test_setup_teardown(all_come_one_after_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(overlap_skips_or_queues_or_runs_beside, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_of_runs_and_failures_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_instant_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_calendar_follows_the_wall_clock, setup, teardown),
        cmocka_unit_test_setup_teardown(a_small_step_back_repeats_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(jitter_never_reaches_the_next_instant, setup, teardown),
        cmocka_unit_test_setup_teardown(queued_runs_know_their_instants, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_a_limit_to_runs_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(ticks_of_long_intervals_come_together, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_of_the_run_stops_it, setup, teardown),
        cmocka_unit_test_setup_teardown(who_waits_is_woken_when_it_is_retired, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_that_is_queued_is_stopped_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queued_last_run_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_that_cannot_start_are_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(an_instant_beyond_all_times_is_armed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wall_clock_that_steps_repeats_nothing, setup, teardown),
        cmocka_unit_test(without_memory_it_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
