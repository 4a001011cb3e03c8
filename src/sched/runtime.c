#include "sched/runtime.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "sched/clock.h"
#include "sched/preempt.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    PLACEMENT_SLACK = 16,            /* live tasks that a worker may have more than the one with fewest */
    DEFAULT_STACK = 2 * 1024 * 1024, /* address space; what is not touched costs nothing */
};

static struct tide_runtime *the_runtime;

struct tide_runtime *tide_runtime_get(void)
{
    return the_runtime;
}

/* ---- workers ---- */

static bool worker_done(void *arg)
{
    struct tide_worker *w = arg;
    return atomic_load(&w->runtime->stopping) && tide_list_empty(&w->live) && tide_mailbox_empty(&w->mail);
}

static void *worker_main(void *arg)
{
    struct tide_worker *w = arg;
    struct tide_runtime *runtime = w->runtime;
    tide_worker_bind(w);
    if (runtime->baton)
        tide_baton_enter(w);
    if (runtime->engine.open(w) != 0) {
        /* The queue may hold what only this worker would take, so going on could hang: end with a reason instead. */
        fprintf(stderr, "tidemill: worker %u: not enough memory for its Lua state; raise the limit or use fewer --workers\n",
                w->index);
        _exit(1);
    }
    tide_worker_loop(w, worker_done, w);
    tide_worker_ring_all(w);
    runtime->engine.close(w);
    if (runtime->baton)
        tide_baton_leave(w);
    tide_runtime_active_drop(runtime);
    return NULL;
}

/* Starts the next worker thread. 0, TIDE_EAGAIN if all have been started or are being stopped, TIDE_ETHREAD. */
static int start_worker(struct tide_runtime *runtime)
{
    int result = TIDE_EAGAIN;
    tide_mutex_lock(&runtime->start_lock);
    uint32_t n = atomic_load(&runtime->started);
    bool no_more = atomic_load(&runtime->no_more_threads) || atomic_load(&runtime->stopping);
    if (n < (uint32_t)runtime->options.workers && !no_more) {
        struct tide_worker *w = runtime->workers[n + 1];
        size_t stack = runtime->options.stack ? runtime->options.stack : DEFAULT_STACK;
        char name[24];
        snprintf(name, sizeof name, "worker %u", (unsigned)(n + 1) & 0xffff);
        tide_runtime_active_add(runtime); /* for the new one, before it can be posted to */
        atomic_fetch_add_explicit(&runtime->awake, 1, memory_order_relaxed);
        w->turn = runtime->baton ? TIDE_TURN_MIDWAY : TIDE_TURN_NONE;
        result = tide_thread_start(&w->joinable, stack, name, worker_main, w);
        if (result == 0) {
            atomic_store(&runtime->started, n + 1);
        } else {
            w->turn = TIDE_TURN_NONE;
            atomic_store(&runtime->no_more_threads, true);
            atomic_fetch_sub_explicit(&runtime->awake, 1, memory_order_relaxed);
            tide_runtime_active_drop(runtime);
        }
    }
    tide_mutex_unlock(&runtime->start_lock);
    return result;
}

static uint32_t live(struct tide_worker *w)
{
    return atomic_load_explicit(&w->live_count, memory_order_relaxed);
}

static bool nested(struct tide_worker *w)
{
    return atomic_load_explicit(&w->depth, memory_order_relaxed) > 0;
}

/* The started worker with the fewest live tasks; NULL if none was started. */
static struct tide_worker *least_loaded(struct tide_runtime *runtime)
{
    struct tide_worker *least = NULL;
    uint32_t n = atomic_load(&runtime->started);
    for (uint32_t i = 1; i <= n; i++) {
        struct tide_worker *w = runtime->workers[i];
        if (!least || (nested(least) && !nested(w)) || (nested(least) == nested(w) && live(w) < live(least)))
            least = w; /* a nested one only if all are: it would leave the entry to the others */
    }
    return least;
}

/* The parked worker, not the caller's, with the fewest live tasks; NULL if none is. `takers`: of those that take entries. */
static struct tide_worker *least_loaded_parked(struct tide_runtime *runtime, bool takers)
{
    struct tide_worker *best = NULL;
    uint32_t n = atomic_load(&runtime->started);
    for (uint32_t i = 1; i <= n; i++) {
        struct tide_worker *w = runtime->workers[i];
        if (w != tide_worker_current() && atomic_load(&w->parked) != TIDE_PARKED_NOT &&
            (!takers || atomic_load(&w->takes)) && (!best || live(w) < live(best)))
            best = w;
    }
    return best;
}

bool tide_runtime_takes_in_turn(struct tide_runtime *runtime, struct tide_worker *worker)
{
    if (!nested(worker) || !worker->index)
        return worker->index > 0;
    uint32_t most = live(least_loaded(runtime)) + PLACEMENT_SLACK, n = atomic_load(&runtime->started);
    for (uint32_t i = 1; i <= n; i++) {
        struct tide_worker *w = runtime->workers[i];
        if (w != worker && !nested(w) && !atomic_load(&w->busy) && live(w) <= most)
            return false;
    }
    return true;
}

bool tide_runtime_other_takes(struct tide_runtime *runtime)
{
    if (runtime->baton)
        return !tide_runtime_takes_in_turn(runtime, tide_worker_current());
    if (atomic_load(&runtime->started) < (uint32_t)runtime->options.workers && !atomic_load(&runtime->no_more_threads))
        return true;
    if (atomic_load(&runtime->idle) == 0)
        return false;
    struct tide_worker *best = least_loaded_parked(runtime, true);
    return best && live(best) <= live(least_loaded(runtime)) + PLACEMENT_SLACK;
}

void tide_runtime_wake_one(struct tide_runtime *runtime)
{
    struct tide_worker *best = atomic_load(&runtime->idle) > 0 ? least_loaded_parked(runtime, true) : NULL;
    if (best && tide_worker_unpark(best))
        return;
    if (atomic_load(&runtime->started) < (uint32_t)runtime->options.workers && start_worker(runtime) == 0)
        return;
    if (!best) /* one that waits in a nested loop, and takes entries as soon as no other does */
        best = least_loaded_parked(runtime, false);
    if (best)
        tide_worker_unpark(best);
}

void tide_runtime_nudge(struct tide_runtime *runtime)
{
    uint32_t started = atomic_load_explicit(&runtime->started, memory_order_relaxed);
    uint32_t idle = atomic_load(&runtime->idle); /* seq_cst: after the entry was counted, see idle() in worker.c */
    if (idle == 0 && started == (uint32_t)runtime->options.workers)
        return;
    if (atomic_load(&runtime->spinning) > 0)
        return;
    if (idle < started && atomic_load(&runtime->awake) >= runtime->cpus) /* seq_cst, as in idle() */
        return;
    tide_runtime_wake_one(runtime);
}

/* ---- the shared queue ---- */

bool tide_runtime_may_take(struct tide_runtime *runtime, struct tide_worker *worker)
{
    if (atomic_load(&runtime->queued) == 0) /* seq_cst: pairs with push, see idle() in worker.c */
        return false;
    struct tide_worker *least = least_loaded(runtime);
    if (live(worker) <= live(least) + PLACEMENT_SLACK)
        return true;
    tide_worker_unpark(least);
    return false;
}

struct tide_entry *tide_runtime_take(struct tide_runtime *runtime, struct tide_worker *worker)
{
    struct tide_entry *kept = worker->next;
    if (kept) {
        worker->next = NULL;
        return kept;
    }
    if (atomic_load_explicit(&runtime->queued, memory_order_relaxed) == 0)
        return NULL;
    struct tide_worker *least = least_loaded(runtime);
    if (live(worker) > live(least) + PLACEMENT_SLACK) {
        tide_worker_unpark(least);
        return NULL;
    }
    tide_mutex_lock(&runtime->queue_lock);
    struct tide_link *link = tide_fifo_pop(&runtime->entries);
    if (link)
        atomic_fetch_sub_explicit(&runtime->queued, 1, memory_order_relaxed);
    tide_mutex_unlock(&runtime->queue_lock);
    if (atomic_load_explicit(&runtime->queued, memory_order_relaxed) > 0)
        tide_runtime_nudge(runtime); /* one wakes the next, so that a burst wakes all */
    return link ? tide_container(link, struct tide_entry, link) : NULL;
}

static int push(struct tide_runtime *runtime, struct tide_entry *entry, bool front)
{
    if (atomic_load_explicit(&runtime->started, memory_order_relaxed) == 0) {
        int failed = start_worker(runtime);
        while (runtime->baton && start_worker(runtime) == 0) /* all at once: which are there must not hang on the moment */
            ;
        if (failed && atomic_load(&runtime->started) == 0)
            return TIDE_ETHREAD;
    }
    tide_mutex_lock(&runtime->queue_lock);
    if (front)
        tide_fifo_push_front(&runtime->entries, &entry->link);
    else
        tide_fifo_push(&runtime->entries, &entry->link);
    atomic_fetch_add(&runtime->queued, 1); /* seq_cst: before the look for an idle worker */
    tide_mutex_unlock(&runtime->queue_lock);
    tide_runtime_nudge(runtime);
    return 0;
}

int tide_runtime_push(struct tide_runtime *runtime, struct tide_entry *entry)
{
    return push(runtime, entry, false);
}

int tide_runtime_push_front(struct tide_runtime *runtime, struct tide_entry *entry)
{
    return push(runtime, entry, true);
}

int tide_runtime_push_next(struct tide_runtime *runtime, struct tide_entry *entry)
{
    struct tide_worker *w = tide_worker_current();
    if (w && w->index && !w->next && !w->depth && !w->ready.first && !w->cut.first &&
        atomic_load(&runtime->queued) == 0) { /* what is queued came first */
        w->next = entry;
        return 0;
    }
    return push(runtime, entry, false);
}

/* ---- activity and holds ---- */

void tide_runtime_active_add(struct tide_runtime *runtime)
{
    atomic_fetch_add(&runtime->active, 1);
}

/* Everybody sleeps, but something is queued: no deadlock. Wakes all who could take it, the caller included. */
static bool wake_for_entries(struct tide_runtime *runtime)
{
    if (atomic_load(&runtime->queued) == 0)
        return false;
    for (uint32_t i = 1; i <= atomic_load(&runtime->started); i++)
        tide_worker_unpark(runtime->workers[i]);
    return true;
}

void tide_runtime_active_drop(struct tide_runtime *runtime)
{
    if (runtime->baton) { /* each worker counts as active; the holder finds out what is left */
        atomic_fetch_sub(&runtime->active, 1);
        tide_baton_wake(runtime->baton);
        return;
    }
    /* the chain of read-modify-writes: all that the others did before they parked is visible to the reporter */
    if (atomic_fetch_sub(&runtime->active, 1) != 1 || atomic_load(&runtime->stopping) || wake_for_entries(runtime))
        return;
    /* Somebody may wake all the same: for a signal, or by a wake that came late. It adds to the activity first, so either
     * that is seen here, or it sees the flag (tide_runtime_hold_still). Where it parks again it is the last as well: only
     * one reports, and looks again behind the flag. What it queued before that it sees to itself, above. */
    bool over = false;
    while (!over && !atomic_exchange(&runtime->reporting, 1)) {
        over = atomic_load(&runtime->active) == 0 && atomic_load(&runtime->queued) == 0;
        if (over)
            runtime->engine.deadlock(runtime);
        atomic_store(&runtime->reporting, 0);
        over = over || atomic_load(&runtime->active) != 0 || atomic_load(&runtime->queued) != 0;
    }
}

void tide_runtime_hold_still(struct tide_runtime *runtime)
{
    while (atomic_load(&runtime->reporting))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void deliver_wake(struct tide_mail *mail, struct tide_worker *worker)
{
    (void)mail;
    atomic_store(&worker->runtime->wake_posted, 0);
}

static void wake_main(struct tide_runtime *runtime)
{
    if (atomic_exchange(&runtime->wake_posted, 1) == 0)
        tide_worker_post(runtime->workers[0], &runtime->wake_mail);
}

void tide_runtime_hold(struct tide_runtime *runtime)
{
    atomic_fetch_add(&runtime->holds, 1);
}

void tide_runtime_release(struct tide_runtime *runtime)
{
    if (atomic_fetch_sub(&runtime->holds, 1) == 1)
        wake_main(runtime);
}

bool tide_runtime_has_live(struct tide_runtime *runtime)
{
    uint32_t n = atomic_load(&runtime->started);
    for (uint32_t i = 1; i <= n; i++)
        if (live(runtime->workers[i]) > 0)
            return true;
    return false;
}

void tide_runtime_daemon_add(struct tide_runtime *runtime)
{
    atomic_fetch_add(&runtime->daemons, 1);
}

void tide_runtime_daemon_drop(struct tide_runtime *runtime)
{
    tide_runtime_hold(runtime); /* its release wakes main */
    atomic_fetch_sub(&runtime->daemons, 1);
    tide_runtime_release(runtime);
}

/* ---- life ---- */

static void deliver_signals(struct tide_mail *mail, struct tide_worker *worker)
{
    struct tide_runtime *runtime = worker->runtime;
    (void)mail;
    atomic_store(&runtime->signal_posted, 0);
    uint64_t pending = atomic_exchange(&runtime->signals, 0);
    if (pending)
        runtime->engine.signals(runtime, pending);
}

static void free_workers(struct tide_runtime *runtime)
{
    for (int i = 0; runtime->workers && i <= runtime->options.workers; i++) {
        if (runtime->workers[i])
            tide_worker_fini(runtime->workers[i]);
        tide_free(runtime->workers[i]);
    }
    tide_free(runtime->workers);
    runtime->workers = NULL;
}

static int make_workers(struct tide_runtime *runtime)
{
    size_t count = (size_t)runtime->options.workers + 1;
    runtime->workers = tide_calloc(count, sizeof *runtime->workers);
    if (!runtime->workers)
        return TIDE_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        runtime->workers[i] = tide_malloc(sizeof **runtime->workers);
        if (!runtime->workers[i])
            return TIDE_ENOMEM;
        tide_worker_init(runtime->workers[i], runtime, (uint32_t)i);
    }
    return 0;
}

int tide_runtime_init(struct tide_runtime *runtime, const struct tide_runtime_options *options,
                      const struct tide_engine *engine)
{
    assert(!the_runtime && options->workers >= 1);
    *runtime = (struct tide_runtime){.options = *options, .engine = *engine, .started_at = tide_real_now_ns()};
    runtime->cpus = (uint32_t)tide_cpu_count();
    runtime->signal_mail.deliver = deliver_signals;
    runtime->wake_mail.deliver = deliver_wake;
    atomic_store(&runtime->grace_until, TIDE_NEVER);
    atomic_store(&runtime->active, 1); /* main */
    atomic_store(&runtime->awake, 1);
    if (!runtime->options.slice_ns)
        runtime->options.slice_ns = TIDE_MS(1);
    int failed = make_workers(runtime);
    if (!failed && options->virtual_time)
        failed = tide_baton_open(runtime, options->seed, options->wall_ns);
    runtime->hooks_always = options->yield_always || options->virtual_time;
    if (!failed) {
        the_runtime = runtime;
        tide_worker_bind(runtime->workers[0]);
        failed = tide_preempt_init();
    }
    if (!failed)
        failed = tide_clock_start(runtime);
    if (failed) {
        tide_baton_close(runtime);
        free_workers(runtime);
        the_runtime = NULL;
        return failed;
    }
    return 0;
}

static void deliver_shutdown(struct tide_mail *mail, struct tide_worker *worker)
{
    (void)mail;
    tide_list_each (link, &worker->live)
        tide_cancel_request(&tide_container(link, struct tide_task, live)->root, TIDE_CANCEL_SHUTDOWN);
    tide_worker_ring_all(worker);
}

void tide_runtime_shutdown(struct tide_runtime *runtime, int code)
{
    if (atomic_exchange(&runtime->closing, 1))
        return;
    int64_t never = TIDE_NEVER;
    atomic_store(&runtime->exit_code, code);
    atomic_compare_exchange_strong(&runtime->grace_until, &never, tide_real_now_ns() + runtime->options.grace_ns);
    tide_clock_wake(runtime);
    for (uint32_t i = 0; i <= atomic_load(&runtime->started); i++) {
        runtime->workers[i]->shutdown.deliver = deliver_shutdown;
        tide_worker_post(runtime->workers[i], &runtime->workers[i]->shutdown);
    }
}

void tide_runtime_stop_workers(struct tide_runtime *runtime)
{
    tide_mutex_lock(&runtime->start_lock); /* from here on nobody starts one more: the clock still runs */
    atomic_store(&runtime->stopping, 1);
    uint32_t n = atomic_load(&runtime->started);
    tide_mutex_unlock(&runtime->start_lock);
    for (uint32_t i = 1; i <= n; i++)
        tide_worker_unpark(runtime->workers[i]);
    if (runtime->baton && n)
        tide_baton_leave(runtime->workers[0]);
    for (uint32_t i = 1; i <= n; i++)
        pthread_join(runtime->workers[i]->joinable, NULL);
    atomic_store(&runtime->started, 0);
}

/* What is still queued was cancelled: its start drops the reference that the queue holds. */
static void drain(struct tide_runtime *runtime)
{
    struct tide_worker *main = runtime->workers[0];
    struct tide_link *link;
    atomic_store(&runtime->closing, 1);
    while ((link = tide_fifo_pop(&runtime->entries)) != NULL)
        tide_container(link, struct tide_entry, link)->start(tide_container(link, struct tide_entry, link), main);
    for (int i = 1; i <= runtime->options.workers; i++)
        if (runtime->workers[i]->next)
            runtime->workers[i]->next->start(runtime->workers[i]->next, main);
}

void tide_runtime_fini(struct tide_runtime *runtime)
{
    tide_runtime_stop_workers(runtime);
    drain(runtime);
    tide_clock_stop(runtime);
    tide_worker_ring_all(runtime->workers[0]);
    runtime->engine.close(runtime->workers[0]);
    tide_baton_close(runtime);
    free_workers(runtime);
    the_runtime = NULL;
}
