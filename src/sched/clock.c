#include "sched/clock.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"
#include "sched/preempt.h"
#include "sched/runtime.h"
#include "sched/signals.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    STACK = 64 * 1024,
    LONG_LOOKS = 4,  /* looks until a slice is cut for tasks that were cut themselves or are new */
};

static const int64_t calm = TIDE_MS(10);

/* What the clock remembers of a worker between two looks. */
struct view {
    uint64_t turns;
    uint32_t looks; /* in a row with the same turn */
};

static bool due(struct tide_worker *w, int64_t now)
{
    return atomic_load_explicit(&w->next_due, memory_order_relaxed) <= now;
}

static bool urgent(struct tide_worker *w, int64_t now)
{
    return atomic_load_explicit(&w->ready_count, memory_order_relaxed) > 0 || !tide_mailbox_empty(&w->mail) || due(w, now);
}

static bool crowded(struct tide_runtime *runtime, struct tide_worker *w)
{
    return atomic_load_explicit(&w->cut_count, memory_order_relaxed) > 0 ||
           (w->index && atomic_load_explicit(&runtime->queued, memory_order_relaxed) > 0);
}

/* Looks at one worker; returns how long the clock may sleep for its sake. */
static int64_t look(struct tide_runtime *runtime, struct tide_worker *w, struct view *view, int64_t now)
{
    int64_t slice = runtime->options.slice_ns;
    uint64_t turns = atomic_load_explicit(&w->turns, memory_order_relaxed);
    if (!atomic_load_explicit(&w->busy, memory_order_acquire)) { /* pairs with run(): w->thread is set */
        view->looks = 0;
        return calm;
    }
    view->looks = turns == view->turns ? view->looks + 1 : 0;
    view->turns = turns;
    bool others = urgent(w, now), rivals = crowded(runtime, w);
    bool asked = atomic_load_explicit(&w->attention, memory_order_relaxed) != 0;
    if (asked || (view->looks >= 1 && others) || (view->looks >= LONG_LOOKS && rivals))
        tide_preempt_signal(w);
    int64_t next = atomic_load_explicit(&w->next_due, memory_order_relaxed);
    if (asked || others || rivals) /* a slice that was long a look ago is cut as soon as the timer is due */
        return view->looks >= 1 && next > now && next - now < slice ? next - now : slice;
    if (next == TIDE_NEVER || next - now >= calm)
        return calm;
    return next - now > slice ? next - now - slice : slice; /* seen once before it is due, cut when it is */
}

static uint32_t worker_count(struct tide_runtime *runtime)
{
    return atomic_load(&runtime->started) + 1;
}

static bool all_parked(struct tide_runtime *runtime)
{
    for (uint32_t i = 0; i < worker_count(runtime); i++)
        if (atomic_load(&runtime->workers[i]->parked) == TIDE_PARKED_NOT)
            return false;
    return true;
}

/* ---- signals and limits ---- */

static void pass_signals(struct tide_runtime *runtime)
{
    uint64_t pending = atomic_load(&runtime->signals);
    if (pending & tide_signals_fatal() && atomic_load(&runtime->grace_until) == TIDE_NEVER) {
        /* counted from here, not from where main sees it: main may sit in a C call */
        atomic_store(&runtime->exit_code, 128 + __builtin_ctzll(pending & tide_signals_fatal()) + 1);
        atomic_store(&runtime->grace_until, tide_real_now_ns() + runtime->options.grace_ns);
    }
    if (pending == 0 || atomic_exchange(&runtime->signal_posted, 1) != 0)
        return;
    tide_worker_post(runtime->workers[0], &runtime->signal_mail);
}

static _Atomic int last_code;

static void leave_at_once(int signal)
{
    (void)signal;
    _exit(atomic_load(&last_code));
}

/* What was printed gets out, unless somebody is about to write or the reader takes more than a second. */
static void flush_bounded(void)
{
    struct sigaction action = {.sa_handler = leave_at_once};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaction(SIGALRM, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    alarm(1);
    if (ftrylockfile(stdout) == 0)
        fflush(stdout);
}

static void end_process(struct tide_runtime *runtime)
{
    char text[256];
    bool untold = atomic_load(&runtime->signals) >> 63; /* main sits in a C call and has not seen that its time is over */
    atomic_store(&last_code, atomic_load(&runtime->exit_code));
    int size = 0;
    if (untold)
        size = snprintf(text, sizeof text, "tidemill: the time limit of %.6g s is over (--timeout)\n",
                        (double)runtime->options.timeout_ns * 1e-9);
    size += snprintf(text + size, sizeof text - (size_t)size,
                     "tidemill: the grace of %.3g s is over and something still runs; ending without it (see --grace)\n",
                     (double)runtime->options.grace_ns * 1e-9);
    flush_bounded();
    if (size > 0 && write(STDERR_FILENO, text, (size_t)size) < 0)
        _exit(atomic_load(&last_code));
    _exit(atomic_load(&last_code));
}

/* Enforces --timeout and the grace; returns the instant of the next limit. */
static int64_t limits(struct tide_runtime *runtime, int64_t now)
{
    int64_t end = runtime->options.timeout_ns ? runtime->started_at + runtime->options.timeout_ns : TIDE_NEVER;
    int64_t grace = atomic_load(&runtime->grace_until);
    if (now >= grace)
        end_process(runtime);
    if (now >= end && !runtime->timed_out) {
        runtime->timed_out = true;
        atomic_store(&runtime->exit_code, 124);
        int64_t until = now + runtime->options.grace_ns;
        if (until < grace)
            atomic_store(&runtime->grace_until, grace = until);
        atomic_fetch_or(&runtime->signals, (uint64_t)1 << 63);
        pass_signals(runtime);
    }
    return !runtime->timed_out && end < grace ? end : grace;
}

/* ---- the thread ---- */

static int64_t look_at_all(struct tide_runtime *runtime, struct view *views, int64_t now)
{
    int64_t wait = calm;
    if (atomic_load(&runtime->queued) > 0 && atomic_load(&runtime->spinning) == 0) {
        tide_runtime_wake_one(runtime);
        wait = runtime->options.slice_ns;
    }
    for (uint32_t i = 0; i < worker_count(runtime); i++) {
        int64_t one = look(runtime, runtime->workers[i], &views[i], now);
        if (one < wait)
            wait = one;
    }
    return wait;
}

static void *clock_main(void *arg)
{
    struct tide_runtime *runtime = arg;
    struct view *views = runtime->clock_views;
    while (!atomic_load(&runtime->clock_ends)) {
        int64_t now = tide_real_now_ns();
        pass_signals(runtime);
        int64_t limit = limits(runtime, now), until = now;
        if (!runtime->baton) /* else slices end by count */
            until += look_at_all(runtime, views, now);
        atomic_store(&runtime->clock_asleep, 1); /* before the look: see tide_clock_busy */
        if (runtime->baton || all_parked(runtime))
            until = TIDE_NEVER;
        else
            atomic_store(&runtime->clock_asleep, 0);
        tide_park_wait(&runtime->clock_park, limit < until ? limit : until);
        atomic_store(&runtime->clock_asleep, 0);
    }
    return NULL;
}

int tide_clock_start(struct tide_runtime *runtime)
{
    runtime->clock_views = tide_calloc((size_t)runtime->options.workers + 1, sizeof(struct view));
    if (!runtime->clock_views)
        return TIDE_ENOMEM;
    int failed = tide_thread_start(&runtime->clock_thread, STACK, "clock", clock_main, runtime);
    runtime->clock_started = failed == 0;
    if (failed)
        tide_free(runtime->clock_views);
    return failed;
}

void tide_clock_stop(struct tide_runtime *runtime)
{
    if (!runtime->clock_started)
        return;
    atomic_store(&runtime->clock_ends, 1);
    tide_clock_wake(runtime);
    pthread_join(runtime->clock_thread, NULL);
    tide_free(runtime->clock_views);
    runtime->clock_started = false;
}

void tide_clock_wake(struct tide_runtime *runtime)
{
    tide_park_wake(&runtime->clock_park);
}

void tide_clock_busy(struct tide_runtime *runtime)
{
    /* seq_cst: the caller is no longer parked; either the clock sees that, or this sees the clock asleep */
    if (atomic_load(&runtime->clock_asleep) && atomic_exchange(&runtime->clock_asleep, 0))
        tide_park_wake(&runtime->clock_park);
}
