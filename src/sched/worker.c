#include "sched/worker.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "sched/clock.h"
#include "sched/graph.h"
#include "sched/preempt.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <assert.h>
#include <lua.h>

enum {
    SHARED_EVERY = 32,             /* resumes between two looks at the shared queue */
    LOST_SPINS = 8,                /* spins without news, one after the other, after which it spins rarely, */
    SPIN_AGAIN = 16,               /* once in so many */
    MAX_NEST = 16,                 /* nested loops on one C stack */
    STACK_RESERVE = 512 * 1024,    /* C stack that a nested loop must leave: 200 C calls of Lua, each with a buffer on it */
};

static const int64_t cut_patience = TIDE_MS(10);    /* cut tasks get a slice before woken ones after this; 20 ms are promised */
static const int64_t shared_patience = TIDE_MS(10); /* a look at the shared queue after this, however few the resumes */
static const int64_t spin = TIDE_US(20);

static _Thread_local struct tide_worker *current;

struct tide_worker *tide_worker_current(void)
{
    return current;
}

void tide_worker_init(struct tide_worker *worker, struct tide_runtime *runtime, uint32_t index)
{
    *worker = (struct tide_worker){.runtime = runtime, .index = index, .until_shared = SHARED_EVERY};
    atomic_store_explicit(&worker->next_due, TIDE_NEVER, memory_order_relaxed);
    tide_heap_init(&worker->timers);
    tide_list_init(&worker->live);
    tide_list_init(&worker->alarms);
    tide_list_init(&worker->free_tasks);
}

void tide_worker_fini(struct tide_worker *worker)
{
    struct tide_list *link;
    assert(tide_list_empty(&worker->live));
    while ((link = tide_list_pop(&worker->free_tasks)) != NULL)
        tide_free(tide_container(link, struct tide_task, live));
    tide_heap_fini(&worker->timers);
}

void tide_worker_bind(struct tide_worker *worker)
{
    current = worker;
    worker->thread = pthread_self();
    worker->stack_floor = tide_thread_stack_floor();
}

static void bump(_Atomic uint32_t *count, int by)
{
    /* one writer; the clock reads */
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + (uint32_t)by, memory_order_relaxed);
}

/* ---- mail ---- */

/* Any thread, the worker's own too: makes it one that is not parked; false if it was none. The activity is added before that is
 * seen: who finds the worker awake posts without counting it, and it may work and park again before this thread goes on. */
static bool rouse(struct tide_worker *worker)
{
    uint32_t was = atomic_load(&worker->parked);
    while (was != TIDE_PARKED_NOT) {
        bool uncounted = was == TIDE_PARKED_UNCOUNTED;
        if (uncounted)
            tide_runtime_active_add(worker->runtime);
        if (atomic_compare_exchange_strong(&worker->parked, &was, TIDE_PARKED_NOT))
            return true;
        if (uncounted)
            tide_runtime_active_drop(worker->runtime);
    }
    return false;
}

static bool unpark(struct tide_worker *worker)
{
    if (worker->runtime->baton) { /* one sleeps for all; whose mail it is shows when that one looks */
        tide_baton_wake(worker->runtime->baton);
        return true;
    }
    bool roused = rouse(worker);
    if (roused)
        tide_park_wake(&worker->park);
    return roused;
}

void tide_worker_post(struct tide_worker *worker, struct tide_mail *mail)
{
    tide_mailbox_push(&worker->mail, mail);
    /* seq_cst on both sides: either this load sees the worker parked, or the worker's look at its box sees the mail. */
    if (atomic_load(&worker->parked) != TIDE_PARKED_NOT)
        unpark(worker);
}

bool tide_worker_unpark(struct tide_worker *worker)
{
    return unpark(worker);
}

void tide_worker_kick(struct tide_worker *worker)
{
    atomic_store(&worker->attention, 1);
    if (atomic_load(&worker->busy))
        tide_preempt_signal(worker);
}

static void take_mail(struct tide_worker *w)
{
    struct tide_link *link = tide_mailbox_empty(&w->mail) ? NULL : tide_mailbox_take(&w->mail);
    while (link) {
        struct tide_link *next = link->next;
        struct tide_mail *mail = tide_container(link, struct tide_mail, link);
        mail->deliver(mail, w);
        link = next;
    }
}

/* ---- timers ---- */

static void publish_due(struct tide_worker *w)
{
    atomic_store_explicit(&w->next_due, tide_heap_next(&w->timers), memory_order_relaxed);
}

int tide_worker_timer_add(struct tide_worker *worker, struct tide_timer *timer, int64_t when)
{
    assert(tide_on_worker(worker));
    int failed = tide_heap_add(&worker->timers, timer, when);
    publish_due(worker);
    return failed;
}

void tide_worker_timer_remove(struct tide_worker *worker, struct tide_timer *timer)
{
    assert(tide_on_worker(worker));
    if (!tide_timer_armed(timer))
        return;
    tide_heap_remove(&worker->timers, timer);
    publish_due(worker);
}

void tide_alarm_open(struct tide_alarm *alarm, struct tide_worker *worker)
{
    assert(tide_on_worker(worker));
    tide_list_append(&worker->alarms, &alarm->link);
}

int tide_alarm_set(struct tide_alarm *alarm, struct tide_worker *worker, int64_t when)
{
    tide_worker_timer_remove(worker, &alarm->timer);
    return when == TIDE_NEVER ? 0 : tide_worker_timer_add(worker, &alarm->timer, when);
}

void tide_alarm_close(struct tide_alarm *alarm, struct tide_worker *worker)
{
    tide_worker_timer_remove(worker, &alarm->timer);
    tide_list_remove(&alarm->link);
}

static void ring_one(struct tide_worker *w, struct tide_alarm *alarm)
{
    alarm->ring(alarm, w);
}

void tide_worker_ring_all(struct tide_worker *worker)
{
    struct tide_list *link;
    while ((link = tide_list_pop(&worker->alarms)) != NULL)
        ring_one(worker, tide_container(link, struct tide_alarm, link));
}

static void fire(struct tide_worker *w, struct tide_timer *timer)
{
    struct tide_task *task;
    switch ((enum tide_timer_kind)timer->kind) {
    case TIDE_TIMER_WAIT:
        task = tide_container(timer, struct tide_task, timer);
        if (tide_wait_expire(task))
            tide_worker_ready(w, task);
        break;
    case TIDE_TIMER_SCOPE: tide_cancel_expired(tide_container(timer, struct tide_cancel, timer)); break;
    case TIDE_TIMER_GRACE: tide_cancel_grace_over(tide_container(timer, struct tide_task, grace)); break;
    case TIDE_TIMER_OTHER: break;
    case TIDE_TIMER_ALARM: ring_one(w, tide_container(timer, struct tide_alarm, timer)); break;
    }
}

static void fire_due(struct tide_worker *w)
{
    struct tide_timer *timer;
    if (!w->timers.count)
        return;
    int64_t now = tide_now_ns();
    if (tide_heap_next(&w->timers) > now)
        return;
    while ((timer = tide_heap_pop_due(&w->timers, now)) != NULL)
        fire(w, timer);
    publish_due(w);
}

/* ---- running ---- */

void tide_worker_ready(struct tide_worker *worker, struct tide_task *task)
{
    assert(tide_on_worker(worker));
    if (task->flags & TIDE_TASK_OUTSIDE) /* no longer, even if it goes on much later: a buried one */
        tide_baton_step_in(worker->runtime->baton, task);
    if (task->flags & TIDE_TASK_BURIED) {
        task->flags |= TIDE_TASK_RISEN;
        return;
    }
    tide_fifo_push(&worker->ready, &task->mail.link);
    bump(&worker->ready_count, 1);
}

static void push_cut(struct tide_worker *w, struct tide_task *task)
{
    int64_t now = tide_now_ns();
    if (!w->cut.first)
        w->cut_since = now;
    if (now - w->shared_at >= shared_patience)
        w->until_shared = 0;
    tide_fifo_push(&w->cut, &task->mail.link);
    bump(&w->cut_count, 1);
}

static struct tide_task *pop(struct tide_fifo *queue, _Atomic uint32_t *count)
{
    struct tide_link *link = tide_fifo_pop(queue);
    if (!link)
        return NULL;
    bump(count, -1);
    return tide_container(link, struct tide_task, mail.link);
}

/* Counted for all of them together, from the last slice that one had: else many, each of which has waited long behind the
 * others, would hold back every task that wakes. */
static bool cut_is_due(struct tide_worker *w)
{
    if (!w->cut.first)
        return false;
    if (w->ready.first && w->runtime->baton)
        return tide_baton_draw(w->runtime->baton) >> 63;
    return !w->ready.first || tide_now_ns() - w->cut_since >= cut_patience;
}

static struct tide_task *pick(struct tide_worker *w)
{
    bool cut = cut_is_due(w);
    struct tide_task *task = cut ? pop(&w->cut, &w->cut_count) : pop(&w->ready, &w->ready_count);
    if (cut)
        w->cut_since = tide_now_ns();
    return task;
}

static void run(struct tide_worker *w, struct tide_task *task)
{
    struct tide_frame base = {.L = task->L, .outer = NULL, .yieldable = true};
    int given = lua_status(task->L) == LUA_OK ? lua_gettop(task->L) - 1 : 0, results = 0;
    *(uintptr_t *)lua_getextraspace(task->L) = (uintptr_t)w; /* unmarked, see bindings/coro.h */
    w->task = task;
    w->yielded = TIDE_YIELD_USER;
    atomic_store_explicit(&w->attention, 0, memory_order_relaxed);
    atomic_store_explicit(&w->turns, atomic_load_explicit(&w->turns, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store(&w->busy, 1); /* seq_cst: a kick that finds it 0 finds the task's own flag seen below */
    tide_preempt_enter(w, task->L);
    if (atomic_load(&task->attention))
        tide_preempt_arm(w, task->inner);
    atomic_store_explicit(&w->frame, &base, memory_order_relaxed);
    atomic_store_explicit(&w->running, task, memory_order_relaxed);
    int status = lua_resume(task->L, NULL, given, &results);
    atomic_store_explicit(&w->running, NULL, memory_order_relaxed);
    atomic_store_explicit(&w->frame, NULL, memory_order_relaxed);
    atomic_store_explicit(&w->busy, 0, memory_order_relaxed);
    w->task = NULL;
    if (status != LUA_YIELD) {
        w->runtime->engine.ended(w, task, status);
        return;
    }
    lua_pop(task->L, results);
    *(uintptr_t *)lua_getextraspace(task->L) |= 1; /* marked: nobody else may resume it */
    if (w->yielded != TIDE_YIELD_WAIT) /* a waiting one comes back by mail or timer */
        push_cut(w, task);
}

bool tide_worker_can_yield(struct tide_worker *worker)
{
    struct tide_frame *frame = atomic_load_explicit(&worker->frame, memory_order_relaxed);
    return frame && frame->yieldable && lua_isyieldable(frame->L);
}

/* ---- the loop ---- */

static bool start_one(struct tide_worker *w)
{
    struct tide_entry *entry = w->index ? tide_runtime_take(w->runtime, w) : NULL;
    w->until_shared = SHARED_EVERY;
    w->shared_at = w->cut.first ? tide_now_ns() : 0; /* only push_cut asks */
    if (!entry)
        return false;
    entry->start(entry, w);
    return true;
}

/* One step: a task, or a new one started. False: nothing to do. `fresh`: new tasks may be taken. */
static bool step(struct tide_worker *w, bool fresh)
{
    take_mail(w);
    fire_due(w);
    if (w->next || (fresh && w->until_shared-- == 0))
        start_one(w);
    struct tide_task *task = pick(w);
    if (!task)
        return fresh && start_one(w);
    run(w, task);
    return true;
}

static bool has_news(struct tide_worker *w, bool fresh)
{
    return w->next || !tide_mailbox_empty(&w->mail) || (fresh && w->index && tide_runtime_may_take(w->runtime, w)) ||
           (atomic_load(&w->runtime->stopping) && tide_list_empty(&w->live)); /* else what it waits for wakes it */
}

/* Spinning is a bet that news comes within a few microseconds, as between two tasks that talk to each other. A worker that
 * keeps losing it, as one that is only woken by its timers, bets every so often instead of each time. */
static bool bets(struct tide_worker *w)
{
    return w->lost_spins < LOST_SPINS || (w->lost_spins - LOST_SPINS) % SPIN_AGAIN == 0;
}

static bool spin_for_news(struct tide_worker *w, bool fresh)
{
    uint32_t awake = atomic_load_explicit(&w->runtime->awake, memory_order_relaxed) +
                     atomic_load_explicit(&w->runtime->helping, memory_order_relaxed);
    if (awake > w->runtime->cpus)
        return false;
    if (!bets(w)) {
        w->lost_spins++;
        return false;
    }
    int64_t until = tide_now_ns() + spin;
    bool news = false, looks = fresh && w->index;
    if (looks)
        atomic_fetch_add(&w->runtime->spinning, 1);
    do {
        for (int i = 0; i < 32 && !news; i++)
            news = has_news(w, fresh);
    } while (!news && tide_now_ns() < until && tide_heap_next(&w->timers) > until);
    if (looks) /* before the last look that idle takes, so that a push which counted on this one is seen */
        atomic_fetch_sub(&w->runtime->spinning, 1);
    w->lost_spins = news ? 0 : w->lost_spins + 1;
    return news;
}

/* Sleeps until there is mail, an entry to take, or the nearest timer is due. */
static void idle(struct tide_worker *w, bool fresh)
{
    struct tide_runtime *runtime = w->runtime;
    if (spin_for_news(w, fresh))
        return;
    int64_t due = tide_heap_next(&w->timers);
    bool takes = fresh && w->index;
    if (takes) {
        atomic_store(&w->takes, 1);
        atomic_fetch_add(&runtime->idle, 1);
    }
    atomic_fetch_sub(&runtime->awake, 1);
    atomic_store(&w->parked, TIDE_PARKED_COUNTED); /* before the last looks: see tide_worker_post and tide_runtime_nudge */
    if (!takes && atomic_load(&runtime->queued) > 0)
        tide_runtime_wake_one(runtime); /* this one leaves its CPU and takes no entry: somebody else has to */
    if (!has_news(w, fresh)) {
        uint32_t counted = TIDE_PARKED_COUNTED;
        if (due == TIDE_NEVER && atomic_compare_exchange_strong(&w->parked, &counted, TIDE_PARKED_UNCOUNTED))
            tide_runtime_active_drop(runtime); /* may find that this was the last, and report */
        tide_park_wait(&w->park, due);
    }
    rouse(w); /* nobody else has, where there was news at once, a timer is due, or a signal or a wake that came late woke it */
    tide_runtime_hold_still(runtime);
    atomic_fetch_add_explicit(&runtime->awake, 1, memory_order_relaxed);
    if (takes) {
        atomic_store(&w->takes, 0);
        atomic_fetch_sub(&runtime->idle, 1);
    }
    tide_clock_busy(runtime);
}

void tide_worker_loop(struct tide_worker *worker, bool (*done)(void *arg), void *arg)
{
    assert(tide_on_worker(worker) && !worker->task);
    struct tide_baton *baton = worker->runtime->baton;
    while (!done(arg)) {
        bool worked = step(worker, true);
        if (worked && !baton)
            continue;
        if (!worked)
            worker->runtime->engine.tend(worker);
        if (done(arg))
            break;
        if (baton)
            tide_baton_pass(worker, TIDE_TURN_LOOP);
        else
            idle(worker, true);
    }
}

/* ---- waits where Lua cannot yield ---- */

static bool room_for_nest(struct tide_worker *w)
{
    char here;
    return w->depth < MAX_NEST && (!w->stack_floor || &here - w->stack_floor > STACK_RESERVE);
}

/* New tasks only if no other worker is free: what starts here keeps the buried one waiting. Those that park without taking
 * any count as free for nobody: so of several that all wait in nested loops one always takes. */
static bool fresh_in_nest(struct tide_worker *w)
{
    return w->index && !tide_runtime_other_takes(w->runtime);
}

int tide_worker_nest(struct tide_worker *w, struct tide_strbuf *cycle)
{
    struct tide_task *task = w->task, *below = w->buried;
    struct tide_frame *frame = atomic_load_explicit(&w->frame, memory_order_relaxed);
    if (!room_for_nest(w))
        return TIDE_EAGAIN;
    if (below && tide_graph_bury(below, task, cycle) != 0)
        return TIDE_EDEADLK;
    task->flags |= TIDE_TASK_BURIED;
    w->buried = task;
    w->depth++;
    atomic_store_explicit(&w->running, NULL, memory_order_relaxed);
    atomic_store_explicit(&w->frame, NULL, memory_order_relaxed);
    atomic_store_explicit(&w->busy, 0, memory_order_relaxed);
    w->task = NULL;
    while (!(task->flags & TIDE_TASK_RISEN)) {
        bool fresh = fresh_in_nest(w);
        bool worked = step(w, fresh);
        if (task->flags & TIDE_TASK_RISEN)
            break;
        if (w->runtime->baton)
            tide_baton_pass(w, TIDE_TURN_LOOP);
        else if (!worked)
            idle(w, fresh);
    }
    w->depth--;
    w->buried = below;
    task->flags &= (uint8_t)~(TIDE_TASK_BURIED | TIDE_TASK_RISEN);
    if (below)
        tide_graph_bury(below, NULL, NULL);
    w->task = task;
    w->yielded = TIDE_YIELD_USER;
    atomic_store_explicit(&w->turns, atomic_load_explicit(&w->turns, memory_order_relaxed) + 1, memory_order_relaxed);
    atomic_store_explicit(&w->running, task, memory_order_relaxed);
    atomic_store(&w->busy, 1);
    if (frame && atomic_load(&task->attention)) /* asked while others ran here: it does not pass through run() */
        tide_preempt_arm(w, frame->L);
    atomic_store_explicit(&w->frame, frame, memory_order_relaxed);
    return 0;
}

void tide_worker_absorb(struct tide_worker *w)
{
    struct tide_task *task = w->task;
    task->flags |= TIDE_TASK_BURIED;
    while (!(task->flags & TIDE_TASK_RISEN)) {
        take_mail(w);
        fire_due(w);
    }
    task->flags &= (uint8_t)~(TIDE_TASK_BURIED | TIDE_TASK_RISEN);
}
