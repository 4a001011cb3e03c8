#include "exec/periodic.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "sched/runtime.h"

#include <assert.h>
#include <math.h>

static const int64_t second = 1000000000;
static const int64_t most_slack = 1 << 19; /* ns */
static const int64_t calendar_look = TIDE_MS(10000); /* a wall clock that was set is noticed after this */
static const double correction = 3 * 3600;           /* seconds: set back by more, and a calendar begins anew */
static const double tolerance = 0.0005;              /* seconds by which the two clocks may disagree within one look */

static void destroy(struct tide_object *object)
{
    struct tide_periodic *p = tide_container(object, struct tide_periodic, object);
    assert(!tide_timer_armed(&p->alarm.timer) && tide_list_empty(&p->waiters));
    if (!p->home) /* it never started */
        p->calls->retired(p);
    tide_free(p);
}

const struct tide_class tide_periodic_class = {"tidemill.timer", destroy};

static void ring(struct tide_alarm *alarm, struct tide_worker *worker);

struct tide_periodic *tide_periodic_new(const struct tide_periodic_options *options, const struct tide_periodic_calls *calls,
                                        void *subject)
{
    struct tide_periodic *p = tide_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    tide_object_init(&p->object, &tide_periodic_class);
    p->options = *options;
    p->calls = calls;
    p->subject = subject;
    tide_alarm_init(&p->alarm, ring);
    tide_list_init(&p->waiters);
    return p;
}

/* ---- ending ---- */

static void retire_if_idle(struct tide_periodic *p)
{
    struct tide_runtime *runtime = p->home->runtime;
    struct tide_fifo woken = {0};
    if (!atomic_load(&p->stopped) || p->running || p->retired)
        return;
    tide_alarm_close(&p->alarm, p->home);
    p->calls->retired(p);
    tide_mutex_lock(&p->lock);
    p->retired = true;
    tide_wait_claim_all(&p->waiters, &woken);
    tide_mutex_unlock(&p->lock);
    tide_wait_post_all(&woken);
    if (p->options.daemon)
        tide_runtime_daemon_drop(runtime);
    else
        tide_runtime_release(runtime);
    tide_object_unref(&p->object);
}

static void stop_at_home(struct tide_periodic *p)
{
    atomic_store(&p->stopped, true);
    p->queued = 0;
    tide_alarm_close(&p->alarm, p->home);
    retire_if_idle(p);
}

static void deliver_stop(struct tide_mail *mail, struct tide_worker *worker)
{
    struct tide_periodic *p = tide_container(mail, struct tide_periodic, mail);
    (void)worker;
    if (!p->retired)
        stop_at_home(p);
    tide_object_unref(&p->object);
}

void tide_periodic_stop(struct tide_periodic *p)
{
    atomic_store(&p->revoked, true);
    bool was_stopped = atomic_exchange(&p->stopped, true);
    if (!p->home)
        return;
    if (tide_on_worker(p->home)) { /* also where a stop from elsewhere is on its way: at home it holds at once */
        tide_object_ref(&p->object);
        stop_at_home(p);
        tide_object_unref(&p->object);
        return;
    }
    if (was_stopped)
        return;
    tide_object_ref(&p->object); /* the mail's */
    p->mail.deliver = deliver_stop;
    tide_worker_post(p->home, &p->mail);
}

/* ---- instants ---- */

static int64_t random_up_to(struct tide_periodic *p, int64_t most)
{
    return (int64_t)((double)(tide_random(&p->jitter_state) >> 11) * 0x1p-53 * (double)most);
}

static bool is_calendar(const struct tide_periodic *p)
{
    return p->calls->next != NULL;
}

/* The grid's instant of `step`; TIDE_NEVER where that lies behind all times. */
static int64_t grid_instant(const struct tide_periodic *p, uint64_t step)
{
    int64_t offset, instant;
    if (step > INT64_MAX || __builtin_mul_overflow((int64_t)step, p->options.interval, &offset) ||
        __builtin_add_overflow(p->start, offset, &instant))
        return TIDE_NEVER;
    return instant;
}

/* Ticks of long intervals come together, a little late, as waking up costs ten times what a tick does: on multiples of a power
 * of two, at most a 16,384th of the interval and 2^19 ns. Virtual time is exact. */
static int64_t round_up(const struct tide_periodic *p, int64_t when)
{
    int64_t slack = p->options.interval >> 14;
    if (p->home->runtime->baton || slack < 2)
        return when;
    int64_t unit = slack >= most_slack ? most_slack : (int64_t)1 << (63 - __builtin_clzll((uint64_t)slack));
    return (when + unit - 1) & -unit;
}

static int arm_at(struct tide_periodic *p, int64_t when)
{
    p->shift = p->options.jitter ? random_up_to(p, p->options.jitter) : 0;
    if (when > TIDE_NEVER - p->shift - most_slack)
        return tide_alarm_set(&p->alarm, p->home, TIDE_NEVER - 1); /* however far away it is: what is armed is no deadlock */
    return tide_alarm_set(&p->alarm, p->home, round_up(p, when + p->shift));
}

static int look_again(struct tide_periodic *p, int64_t when)
{
    p->shift = 0;
    return tide_alarm_set(&p->alarm, p->home, when);
}

/* Arms for the next instant; there is one. */
static int arm(struct tide_periodic *p)
{
    if (!is_calendar(p))
        return arm_at(p, grid_instant(p, p->step));
    double left = p->instant - tide_wall_seconds();
    int64_t now = tide_now_ns();
    if (left * (double)second > (double)calendar_look)
        return look_again(p, now + calendar_look);
    return arm_at(p, left > 0 ? now + (int64_t)(left * (double)second) : now);
}

/* ---- ticks ---- */

static bool over(const struct tide_periodic *p)
{
    return p->options.max_runs && atomic_load(&p->runs) >= p->options.max_runs;
}

static void count_end(struct tide_periodic *p, bool failed)
{
    p->running--;
    p->home->daemon_runs -= p->options.daemon;
    if (failed) {
        atomic_fetch_add(&p->failures, 1);
        p->failures_in_row++;
    } else {
        p->failures_in_row = 0;
    }
    if (p->options.max_failures && p->failures_in_row >= p->options.max_failures)
        atomic_store(&p->stopped, true);
}

/* It is not retired in here, whatever happens: the caller goes on with it, and settles it. */
static void run_once(struct tide_periodic *p, double instant, double late)
{
    struct tide_tick tick = {.missed = p->pending_missed, .instant = instant, .late = late > 0 ? late : 0};
    tick.number = atomic_fetch_add(&p->runs, 1) + 1;
    p->pending_missed = 0;
    p->running++;
    p->home->daemon_runs += p->options.daemon;
    if (p->calls->run(p, &tick) != 0)
        count_end(p, true);
}

static void miss(struct tide_periodic *p, uint64_t count)
{
    p->pending_missed += count;
    atomic_fetch_add(&p->missed, count);
}

/* One instant has come. */
static void tick(struct tide_periodic *p, double instant, double late)
{
    if (atomic_load(&p->stopped) || over(p))
        return;
    if (!p->running || p->options.overlap == TIDE_OVERLAP_CONCURRENT) {
        run_once(p, instant, late);
    } else if (p->options.overlap == TIDE_OVERLAP_SKIP) {
        miss(p, 1);
    } else if (p->queued++ == 0) {
        p->queued_since = instant;
    }
}

/* `count` instants have passed since the last ring, and no run for each is wanted; the last was `late` seconds ago. */
static void come_late(struct tide_periodic *p, uint64_t count, double instant, double late)
{
    if (count > 1 && p->options.catch_up == TIDE_CATCH_UP_NONE) {
        miss(p, count);
        return;
    }
    miss(p, count - 1);
    tick(p, instant, late);
}

static double interval_of(const struct tide_periodic *p)
{
    return (double)p->options.interval * 1e-9;
}

static double following(struct tide_periodic *p, double instant)
{
    return is_calendar(p) ? p->calls->next(p, instant) : instant + interval_of(p);
}

/* Starts what was queued, if nothing runs: one, unless it ends at once. */
static void run_queued(struct tide_periodic *p)
{
    while (p->queued && !p->running && !atomic_load(&p->stopped) && !over(p)) {
        double instant = p->queued_since;
        p->queued--;
        p->queued_since = following(p, instant);
        run_once(p, instant, tide_wall_seconds() - instant);
    }
}

/* The same where each of them is to have its run: one after the other, or beside each other. */
static void come_for_all(struct tide_periodic *p, uint64_t count, double first, double wall)
{
    if (p->running && p->options.overlap == TIDE_OVERLAP_SKIP) {
        miss(p, count);
    } else if (p->options.overlap == TIDE_OVERLAP_CONCURRENT) {
        for (; count > 0 && !atomic_load(&p->stopped) && !over(p); count--, first = following(p, first))
            tick(p, first, wall - first);
    } else {
        if (p->queued == 0)
            p->queued_since = first;
        p->queued += count;
        run_queued(p);
    }
}

static void come_to_grid(struct tide_periodic *p)
{
    int64_t now = tide_now_ns() - p->shift, first = grid_instant(p, p->step);
    double wall = tide_wall_seconds(), late = (double)(now - first) * 1e-9;
    uint64_t count = 1;
    if (p->options.interval && now > first)
        count += (uint64_t)((now - first) / p->options.interval);
    p->step += count;
    if (p->options.catch_up == TIDE_CATCH_UP_ALL) {
        come_for_all(p, count, wall - late, wall);
        return;
    }
    late -= (double)(count - 1) * interval_of(p);
    come_late(p, count, wall - late, late);
}

enum { MOST_COUNTED = 100000 }; /* instants of a calendar that are walked through one by one */

static void come_to_calendar(struct tide_periodic *p)
{
    double wall = tide_wall_seconds() - (double)p->shift * 1e-9, first = p->instant, last = first;
    if (wall < first - tolerance) {
        /* Early: a look at the clock, or it was set back. Instants that had their run get no second one, unless it was
         * corrected by so much that nothing would run for hours. */
        if (first - wall > correction && p->calls->next(p, wall) < first - correction)
            p->instant = p->calls->next(p, wall);
        return;
    }
    uint64_t count = 0;
    for (double next = first; next > last || count == 0; count++) {
        if (next > wall + tolerance || count == MOST_COUNTED)
            break;
        last = next;
        next = p->calls->next(p, last);
    }
    double next = p->calls->next(p, count == MOST_COUNTED ? wall : last);
    p->instant = next > last ? next : INFINITY;
    if (p->options.catch_up == TIDE_CATCH_UP_ALL)
        come_for_all(p, count, first, wall);
    else
        come_late(p, count, last, wall - last);
}

static bool no_more(const struct tide_periodic *p)
{
    if (is_calendar(p))
        return isinf(p->instant);
    return p->options.interval == 0 && p->step > 0;
}

/* No run will start any more. */
static bool finished(const struct tide_periodic *p)
{
    return atomic_load(&p->stopped) || over(p) || (no_more(p) && !p->queued);
}

static void settle(struct tide_periodic *p)
{
    if (finished(p))
        stop_at_home(p);
    else if (!no_more(p) && arm(p) != 0)
        stop_at_home(p); /* memory for one entry of a heap: there is nothing to go on with */
}

static void ring(struct tide_alarm *alarm, struct tide_worker *worker)
{
    struct tide_periodic *p = tide_container(alarm, struct tide_periodic, alarm);
    tide_object_ref(&p->object);
    if (atomic_load(&worker->runtime->closing) || atomic_load(&worker->runtime->stopping))
        atomic_store(&p->stopped, true);
    else if (is_calendar(p))
        come_to_calendar(p);
    else
        come_to_grid(p);
    settle(p);
    tide_object_unref(&p->object);
}

bool tide_periodic_begin(struct tide_periodic *p)
{
    if (!atomic_load(&p->revoked))
        return true;
    atomic_fetch_sub(&p->runs, 1);
    return false;
}

void tide_periodic_ended(struct tide_periodic *p, bool failed)
{
    tide_object_ref(&p->object);
    count_end(p, failed);
    run_queued(p);
    if (finished(p))
        stop_at_home(p);
    tide_object_unref(&p->object);
}

/* ---- starting, waiting ---- */

int tide_periodic_start(struct tide_periodic *p)
{
    struct tide_worker *home = tide_worker_current();
    if (atomic_load(&home->runtime->closing))
        return TIDE_ESHUTDOWN;
    p->home = home;
    p->start = p->options.delay > TIDE_NEVER - tide_now_ns() ? TIDE_NEVER : tide_now_ns() + p->options.delay;
    p->jitter_state = home->runtime->baton ? tide_baton_draw(home->runtime->baton) : (uint64_t)p->start ^ (uintptr_t)p;
    if (is_calendar(p)) {
        double now = tide_wall_seconds();
        p->instant = p->calls->next(p, now);
        if (!(p->instant > now))
            p->instant = INFINITY;
    }
    int failed = arm(p);
    if (failed) {
        p->home = NULL;
        return failed;
    }
    tide_alarm_open(&p->alarm, home);
    tide_object_ref(&p->object); /* until it is retired */
    if (p->options.daemon)
        tide_runtime_daemon_add(home->runtime);
    else
        tide_runtime_hold(home->runtime);
    return 0;
}

int tide_periodic_enqueue(struct tide_periodic *p, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&p->lock);
    bool retired = p->retired;
    if (!retired)
        tide_wait_on(&p->waiters, waiter, task);
    tide_mutex_unlock(&p->lock);
    return retired;
}

void tide_periodic_leave(struct tide_periodic *p, struct tide_waiter *waiter)
{
    tide_mutex_lock(&p->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&p->lock);
}
