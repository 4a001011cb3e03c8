#include "exec/periodic.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/random.h"
#include "base/time.h"
#include "sched/runtime.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const int64_t second = 1000000000;
static const int64_t most_slack = 1 << 19; /* ns */
static const int64_t end_of_time = TIDE_NEVER - (1 << 20);
static const int64_t calendar_look = TIDE_MS(10000); /* a wall clock that was set is noticed after this */
static const double correction = 3 * 3600;           /* seconds: set back by more, and a calendar begins anew */
static const double tolerance = 0.0005;              /* seconds by which the two clocks may disagree within one look */

static void destroy(struct tide_object *object)
{
    struct tide_periodic *p = tide_container(object, struct tide_periodic, object);
    assert(!tide_timer_armed(&p->alarm.timer) && tide_list_empty(&p->waiters));
    if (!p->home) /* it never started */
        p->calls->retired(p);
    tide_free(p->queue);
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
    p->stretches = 0;
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

/* However far away it is: what is armed is no deadlock. */
static int arm_at(struct tide_periodic *p, int64_t when)
{
    return tide_alarm_set(&p->alarm, p->home, when >= end_of_time ? end_of_time : round_up(p, when));
}

static double shift_of(const struct tide_periodic *p)
{
    return (double)p->shift * 1e-9;
}

static int arm_grid(struct tide_periodic *p)
{
    int64_t instant = grid_instant(p, p->step);
    p->shift = p->options.jitter ? random_up_to(p, p->options.jitter) : 0;
    return arm_at(p, instant > TIDE_NEVER - p->shift ? TIDE_NEVER : instant + p->shift);
}

/* A calendar goes on with this instant. Its tick comes before the instant behind it, however much jitter is asked for: else
 * it would take that one's place. */
static void await_instant(struct tide_periodic *p, double instant)
{
    int64_t most = p->options.jitter;
    p->instant = instant;
    p->shift = 0;
    if (!most || isinf(instant))
        return;
    double gap = (p->calls->next(p, instant) - instant) * (double)second;
    p->shift = random_up_to(p, gap > 0 && gap < (double)most ? (int64_t)gap : most);
}

static int arm_calendar(struct tide_periodic *p)
{
    double left = (p->instant + shift_of(p) - tide_wall_seconds()) * (double)second;
    if (left > (double)calendar_look)
        left = (double)calendar_look;
    return arm_at(p, tide_now_ns() + (left > 0 ? (int64_t)left : 0));
}

/* Arms for the next instant; there is one. */
static int arm(struct tide_periodic *p)
{
    return is_calendar(p) ? arm_calendar(p) : arm_grid(p);
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

/* An instant: in seconds since the epoch, for people, and by the clock that counts, jitter included. */
struct moment {
    double instant;
    int64_t due;
};

/* It is not retired in here, whatever happens: the caller goes on with it, and settles it. False: out of memory. */
static bool run_once(struct tide_periodic *p, struct moment at, uint64_t missed)
{
    struct tide_tick tick = {.missed = missed, .instant = at.instant, .due = at.due};
    tick.number = atomic_fetch_add(&p->runs, 1) + 1;
    p->running++;
    p->home->daemon_runs += p->options.daemon;
    bool queued = p->calls->run(p, &tick) == 0;
    if (!queued)
        count_end(p, true);
    return queued;
}

static void miss(struct tide_periodic *p, uint64_t count)
{
    p->pending_missed += count;
    atomic_fetch_add(&p->missed, count);
}

static uint64_t take_missed(struct tide_periodic *p)
{
    uint64_t missed = p->pending_missed;
    p->pending_missed = 0;
    return missed;
}

static struct moment later(struct tide_periodic *p, struct moment at, uint64_t steps)
{
    if (!is_calendar(p)) {
        int64_t passed = (int64_t)steps * p->options.interval; /* not beyond the present */
        return (struct moment){at.instant + (double)passed * 1e-9, at.due + passed};
    }
    for (; steps > 0; steps--) {
        double instant = p->calls->next(p, at.instant);
        at = (struct moment){instant, at.due + (int64_t)((instant - at.instant) * (double)second)};
    }
    return at;
}

/* Instants that follow each other, each of which waits for the run before it. */
struct tide_stretch {
    struct moment first;
    uint64_t count;
    uint64_t missed; /* before the first of them */
};

static struct tide_stretch *new_stretch(struct tide_periodic *p)
{
    if (p->stretches == p->room) {
        uint32_t room = p->room ? 2 * p->room : 4;
        struct tide_stretch *larger = tide_realloc(p->queue, room * sizeof *larger);
        if (!larger)
            return NULL;
        p->queue = larger;
        p->room = room;
    }
    return &p->queue[p->stretches++];
}

/* Where none was missed since the last that is queued, these follow it: each instant has its run, is queued or missed. */
static void queue(struct tide_periodic *p, struct moment first, uint64_t count)
{
    if (p->stretches && !p->pending_missed && !p->corrected) {
        p->queue[p->stretches - 1].count += count;
        return;
    }
    struct tide_stretch *stretch = new_stretch(p);
    p->corrected = false;
    if (stretch)
        *stretch = (struct tide_stretch){first, count, take_missed(p)};
    else
        miss(p, count);
}

/* Starts what is queued, if nothing runs: one, unless it ends at once. */
static void run_queued(struct tide_periodic *p)
{
    while (p->stretches && !p->running && !atomic_load(&p->stopped) && !over(p)) {
        struct tide_stretch *stretch = p->queue, now = *stretch;
        stretch->missed = 0;
        if (--stretch->count > 0)
            stretch->first = later(p, stretch->first, 1);
        else
            memmove(p->queue, p->queue + 1, --p->stretches * sizeof *p->queue);
        run_once(p, now.first, now.missed);
    }
}

/* One instant has come. */
static void tick(struct tide_periodic *p, struct moment at)
{
    if (atomic_load(&p->stopped) || over(p))
        return;
    if (!p->running || p->options.overlap == TIDE_OVERLAP_CONCURRENT)
        run_once(p, at, take_missed(p));
    else if (p->options.overlap == TIDE_OVERLAP_SKIP)
        miss(p, 1);
    else
        queue(p, at, 1);
}

enum {
    MOST_COUNTED = 100000, /* instants of a calendar that are walked through one by one */
    MOST_AT_ONCE = 10000,  /* runs that one look begins beside each other: each is a task */
};

static void run_all_at_once(struct tide_periodic *p, uint64_t count, struct moment at)
{
    if (count > MOST_AT_ONCE) {
        miss(p, count - MOST_AT_ONCE);
        at = later(p, at, count - MOST_AT_ONCE);
        count = MOST_AT_ONCE;
    }
    for (; count > 0 && !atomic_load(&p->stopped) && !over(p); count--) {
        if (!run_once(p, at, take_missed(p))) { /* for the rest there is no memory either */
            miss(p, count - 1);
            return;
        }
        if (count > 1)
            at = later(p, at, 1);
    }
}

/* `count` instants have passed since the last look, and each is to have its run: one after the other, or beside each other. */
static void come_for_all(struct tide_periodic *p, uint64_t count, struct moment first)
{
    if (p->running && p->options.overlap == TIDE_OVERLAP_SKIP) {
        miss(p, count);
    } else if (p->options.overlap == TIDE_OVERLAP_CONCURRENT) {
        run_all_at_once(p, count, first);
    } else {
        queue(p, first, count);
        run_queued(p);
    }
}

/* `count` instants have passed since the last look. */
static void come(struct tide_periodic *p, uint64_t count, struct moment first)
{
    if (p->options.catch_up == TIDE_CATCH_UP_ALL) {
        come_for_all(p, count, first);
    } else if (count > 1 && p->options.catch_up == TIDE_CATCH_UP_NONE) {
        miss(p, count);
    } else {
        miss(p, count - 1);
        tick(p, later(p, first, count - 1));
    }
}

static void come_to_grid(struct tide_periodic *p)
{
    int64_t first = grid_instant(p, p->step), late = tide_now_ns() - p->shift - first;
    uint64_t count = 1;
    if (p->options.interval && late > 0)
        count += (uint64_t)(late / p->options.interval);
    p->step += count;
    int64_t due = first > TIDE_NEVER - p->shift ? TIDE_NEVER : first + p->shift;
    come(p, count, (struct moment){tide_wall_seconds() - shift_of(p) - (double)late * 1e-9, due});
}

static void come_to_calendar(struct tide_periodic *p)
{
    double wall = tide_wall_seconds(), first = p->instant, last = first, next = first;
    if (p->wall - wall > correction) { /* set back by so much that it would wait for hours: goes on from there */
        p->wall = wall;
        p->corrected = true;
        await_instant(p, p->calls->next(p, wall));
        return;
    }
    if (wall > p->wall) /* set back by less: what had its run gets no second one */
        p->wall = wall;
    double passed = wall - shift_of(p);
    if (passed < first - tolerance)
        return; /* only a look at the clock */
    uint64_t count = 0;
    do {
        last = next;
        next = p->calls->next(p, last);
        count++;
    } while (next > last && next <= passed + tolerance && count < MOST_COUNTED);
    if (count == MOST_COUNTED)
        next = p->calls->next(p, passed);
    struct moment at = {first, tide_now_ns() - (int64_t)((passed - first) * (double)second)};
    await_instant(p, next > last ? next : INFINITY);
    come(p, count, at);
}

static bool no_more(const struct tide_periodic *p)
{
    if (tide_now_ns() >= end_of_time) /* which virtual time may reach */
        return true;
    if (is_calendar(p))
        return isinf(p->instant);
    return p->options.interval == 0 && p->step > 0;
}

/* No run will start any more. */
static bool finished(const struct tide_periodic *p)
{
    return atomic_load(&p->stopped) || over(p) || (no_more(p) && !p->stretches);
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

bool tide_periodic_begin(struct tide_periodic *p, struct tide_tick *tick)
{
    int64_t late = tide_now_ns() - tick->due;
    tick->late = late > 0 ? (double)late * 1e-9 : 0;
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
        p->wall = tide_wall_seconds();
        double first = p->calls->next(p, p->wall);
        await_instant(p, first > p->wall ? first : INFINITY);
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
