/* Wake, time-out and cancel made to come together, again and again: each wait ends in exactly one way, what a waker took for a
 * waiter arrives, the task is posted once, and nobody sleeps on.
 *
 * Each waiter is a worker with one task at a time, which waits in turn on an event, on a future and on a queue of this test's
 * own. Most rounds spin until their end, so that the three meet within nanoseconds; the others park the thread and have a real
 * timer. TIDE_STRESS_SECONDS: how long, 10 by default.
 */
#include "../unit/fake_worker.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sync/event.h"
#include "sync/future.h"

#include <pthread.h>
#include <time.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAITERS = 3, ROUNDS_OF_A_TASK = 50 };

static const int64_t patience = TIDE_MS(20000); /* a wait that takes longer is a lost wake-up */

enum kind { EVENT, FUTURE, ITEM, KINDS };

/* What one waiter shows to those who wake and cancel. */
struct slot {
    struct tide_event *event;
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_cancel *scope;   /* of the wait, while it is open */
    struct tide_future *future;  /* with a reference for the one that completes it */
    struct tide_list waiters;    /* for an item */
    uint64_t given;              /* items that were handed to claimed waiters */
};

struct count {
    uint64_t by[KINDS][TIDE_WAIT_INTERRUPTED + 1];
    uint64_t skipped; /* no wait was needed */
};

struct waiter_thread {
    pthread_t thread;
    uint32_t random;
    struct slot slot;
    struct tide_worker worker;
    struct tide_task *task;
    uint64_t taken;
    _Atomic uint32_t posts;    /* of the task's mail, since its wait began */
    _Atomic int64_t since;     /* when that was; 0 outside a wait */
    _Atomic bool left;         /* no wait of it comes any more */
    struct count count;
};

static struct waiter_thread waiters[WAITERS];
static pthread_t leisurely;
static _Atomic bool over, all_left;

static void fail(const char *what)
{
    fprintf(stderr, "%s (TIDE_SEED=%u)\n", what, fake_seed());
    abort();
}

static void pause_for(uint32_t turns)
{
    for (_Atomic uint32_t i = 0; i < turns; i++)
        ;
}

/* ---- waking and cancelling ---- */

static void complete(struct slot *slot, uint32_t how)
{
    tide_mutex_lock(&slot->lock);
    struct tide_future *future = slot->future;
    slot->future = NULL;
    tide_mutex_unlock(&slot->lock);
    if (!future)
        return;
    if (how % 2)
        tide_future_cancel(future);
    else if (tide_future_begin(future, NULL) == 0)
        tide_future_finish(future, TIDE_FUTURE_DONE, NULL, NULL);
    tide_future_unref(future);
}

static void give(struct slot *slot)
{
    tide_mutex_lock(&slot->lock);
    struct tide_waiter *waiter = tide_wait_claim_first(&slot->waiters);
    struct tide_task *task = waiter ? waiter->task : NULL;
    if (waiter) {
        waiter->item.as.pointer = slot;
        slot->given++;
    }
    tide_mutex_unlock(&slot->lock);
    if (task)
        tide_wait_post(task);
}

static void cancel(struct slot *slot)
{
    tide_mutex_lock(&slot->lock);
    if (slot->scope)
        tide_cancel_request(slot->scope, TIDE_CANCEL_REQUESTED);
    tide_mutex_unlock(&slot->lock);
}

static void interfere(struct slot *slot, uint32_t what)
{
    switch (what % 4) {
    case 0: tide_event_set(slot->event); break;
    case 1: give(slot); break;
    case 2: complete(slot, what >> 8); break;
    default: cancel(slot); break;
    }
}

/* The thread that wakes those who sleep all at the same time. */
static void *interfere_at_leisure(void *arg)
{
    struct timespec tick = {.tv_nsec = 50 * 1000};
    uint32_t random = fake_seed() * 31 + 1;
    (void)arg;
    while (!atomic_load_explicit(&all_left, memory_order_relaxed)) {
        for (int i = 0; i < WAITERS; i++)
            interfere(&waiters[i].slot, fake_random(&random) >> 4);
        nanosleep(&tick, NULL);
    }
    return NULL;
}

/* ---- the waiter ---- */

static void counted_delivery(struct tide_mail *mail, struct tide_worker *worker)
{
    struct waiter_thread *t = tide_container(worker, struct waiter_thread, worker);
    if (atomic_fetch_add(&t->posts, 1) != 0)
        fail("a task was posted twice for one wait");
    tide_worker_ready(worker, tide_container(mail, struct tide_task, mail));
}

static void fresh_task(struct waiter_thread *t)
{
    if (t->task)
        tide_task_free(t->task);
    t->task = fake_task();
    t->task->mail.deliver = counted_delivery;
}

static void nothing(struct tide_entry *entry, struct tide_worker *worker)
{
    (void)entry;
    (void)worker;
}

/* Shows the future to the wakers; one that nobody took is dropped. */
static struct tide_future *offer_future(struct slot *slot)
{
    struct tide_future *future = tide_future_new(nothing);
    if (!future)
        fail("not enough memory");
    tide_mutex_lock(&slot->lock);
    struct tide_future *before = slot->future;
    slot->future = tide_future_ref(future);
    tide_mutex_unlock(&slot->lock);
    tide_future_unref(before);
    return future;
}

static bool enqueue(struct waiter_thread *t, enum kind kind, struct tide_future *future)
{
    struct tide_task *task = t->task;
    if (kind == EVENT)
        return tide_event_enqueue(t->slot.event, &task->waiter, task);
    if (kind == FUTURE)
        return tide_future_enqueue(future, &task->waiter, task);
    tide_mutex_lock(&t->slot.lock);
    tide_wait_on(&t->slot.waiters, &task->waiter, task);
    tide_mutex_unlock(&t->slot.lock);
    return false;
}

static void leave(struct waiter_thread *t, enum kind kind, struct tide_future *future)
{
    struct tide_task *task = t->task;
    if (kind == EVENT) {
        tide_event_leave(t->slot.event, &task->waiter);
    } else if (kind == FUTURE) {
        tide_future_leave(future, &task->waiter);
    } else {
        tide_mutex_lock(&t->slot.lock);
        tide_list_remove(&task->waiter.link);
        tide_mutex_unlock(&t->slot.lock);
    }
}

/* The committed wait, spinning, and meanwhile waking and cancelling all; at a random instant its time is over. */
static void spin_out(struct waiter_thread *t)
{
    uint32_t left = fake_random(&t->random) % 3 ? fake_random(&t->random) % 16 : UINT32_MAX;
    struct tide_task *task = NULL;
    while (!task) {
        if (left != UINT32_MAX && left-- == 0) {
            if (tide_wait_expire(t->task))
                tide_worker_ready(&t->worker, t->task);
            left = UINT32_MAX;
        }
        uint32_t what = fake_random(&t->random);
        interfere(&waiters[(what >> 28) % WAITERS].slot, what >> 4);
        fake_take_mail();
        task = fake_ready();
    }
    if (task != t->task)
        fail("a stranger's task was ready");
}

static enum tide_wait_state wait_it_out(struct waiter_thread *t)
{
    if (fake_random(&t->random) % 64 == 0) {
        uint32_t sort = fake_random(&t->random) % 4;
        return fake_wait(t->task, sort == 0 ? TIDE_NEVER : tide_now_ns() + fake_random(&t->random) % (sort * 20000));
    }
    if (tide_wait_commit(t->task, TIDE_NEVER) == 1)
        spin_out(t);
    return tide_wait_end(t->task);
}

static void check(struct waiter_thread *t, enum kind kind, enum tide_wait_state how, struct tide_cancel *scope)
{
    bool item = t->task->waiter.item.as.pointer != NULL;
    if (how == TIDE_WAIT_INTERRUPTED) {
        if (tide_cancel_due(t->task) != scope)
            fail("a wait was interrupted without a reason");
        tide_cancel_deliver(scope);
    }
    if (kind == ITEM && item != (how == TIDE_WAIT_WOKEN))
        fail(item ? "an item was taken for a wait that was not woken" : "a waiter was woken without an item");
    if (atomic_load(&t->posts) > 1)
        fail("a task was posted twice for one wait");
    t->taken += item;
    t->count.by[kind][how]++;
}

static void one_wait(struct waiter_thread *t, enum kind kind)
{
    struct tide_cancel scope;
    struct tide_task *task = t->task;
    struct tide_future *future = kind == FUTURE ? offer_future(&t->slot) : NULL;
    task->waiter.item.as.pointer = NULL;
    atomic_store(&t->posts, 0);
    tide_cancel_open(&scope, task, TIDE_NEVER);
    tide_mutex_lock(&t->slot.lock);
    t->slot.scope = &scope;
    tide_mutex_unlock(&t->slot.lock);
    atomic_store(&t->since, tide_now_ns());
    tide_wait_begin(task);
    if (enqueue(t, kind, future) && tide_wait_abandon(task)) {
        t->count.skipped++;
    } else {
        enum tide_wait_state how = wait_it_out(t);
        leave(t, kind, future);
        check(t, kind, how, &scope);
    }
    atomic_store(&t->since, 0);
    tide_mutex_lock(&t->slot.lock);
    t->slot.scope = NULL;
    tide_mutex_unlock(&t->slot.lock);
    tide_cancel_close(&scope);
    if (task->unwinding)
        fail("a cancellation travels behind its scope");
    tide_future_unref(future);
}

static void *wait_on_and_on(void *arg)
{
    struct waiter_thread *t = arg;
    fake_worker_open(&t->worker);
    for (uint32_t round = 0; !atomic_load_explicit(&over, memory_order_relaxed); round++) {
        if (round % ROUNDS_OF_A_TASK == 0)
            fresh_task(t);
        one_wait(t, (enum kind)(fake_random(&t->random) % KINDS));
        if (fake_random(&t->random) % 2)
            tide_event_clear(t->slot.event);
    }
    tide_task_free(t->task);
    atomic_store(&t->left, true);
    while (!atomic_load(&all_left)) /* nobody posts to a worker that is gone */
        pause_for(1000);
    fake_worker_close(&t->worker);
    return NULL;
}

/* ---- the test ---- */

static int seconds(void)
{
    const char *given = getenv("TIDE_STRESS_SECONDS");
    return given && atoi(given) > 0 ? atoi(given) : 10;
}

/* Until the time is over, and then until every waiter has left its last wait. */
static void watch_over(void)
{
    struct timespec tick = {.tv_nsec = 20 * 1000 * 1000};
    int64_t until = tide_now_ns() + TIDE_MS(1000) * seconds();
    bool waiting = true;
    while (waiting) {
        int64_t now = tide_now_ns();
        nanosleep(&tick, NULL);
        if (now >= until)
            atomic_store(&over, true);
        waiting = !atomic_load(&over);
        for (int i = 0; i < WAITERS; i++) {
            int64_t since = atomic_load(&waiters[i].since);
            if (since && now - since > patience)
                fail("a wake-up was lost");
            waiting = waiting || since;
        }
    }
}

static void start(void)
{
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].random = fake_seed() + (uint32_t)i * 7919 + 1;
        waiters[i].slot.event = tide_event_new();
        tide_list_init(&waiters[i].slot.waiters);
    }
    for (int i = 0; i < WAITERS; i++)
        if (pthread_create(&waiters[i].thread, NULL, wait_on_and_on, &waiters[i]) != 0)
            fail("no thread");
    if (pthread_create(&leisurely, NULL, interfere_at_leisure, NULL) != 0)
        fail("no thread");
}

static void stop(void)
{
    struct timespec tick = {.tv_nsec = 20 * 1000 * 1000};
    for (int i = 0; i < WAITERS; i++)
        while (!atomic_load(&waiters[i].left)) /* it may begin one more wait, and has to be woken from that, too */
            nanosleep(&tick, NULL);
    atomic_store(&all_left, true);
    pthread_join(leisurely, NULL);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(waiters[i].thread, NULL);
}

static void add(struct count *sum, const struct count *one)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int how = 0; how <= TIDE_WAIT_INTERRUPTED; how++)
            sum->by[kind][how] += one->by[kind][how];
    sum->skipped += one->skipped;
}

int main(void)
{
    static const char *const names[] = {"event", "future", "item"};
    struct count sum = {0};
    fake_seed();
    fflush(stdout);
    start();
    watch_over();
    stop();
    for (int i = 0; i < WAITERS; i++) {
        struct waiter_thread *t = &waiters[i];
        if (t->taken != t->slot.given)
            fail("items were lost");
        if (!tide_list_empty(&t->slot.waiters))
            fail("a waiter was left in the queue");
        tide_object_unref(&t->slot.event->object);
        tide_future_unref(t->slot.future);
        add(&sum, &t->count);
    }
    for (int kind = 0; kind < KINDS; kind++)
        printf("%-6s %9llu woken %9llu timed out %9llu interrupted\n", names[kind],
               (unsigned long long)sum.by[kind][TIDE_WAIT_WOKEN], (unsigned long long)sum.by[kind][TIDE_WAIT_TIMED_OUT],
               (unsigned long long)sum.by[kind][TIDE_WAIT_INTERRUPTED]);
    printf("%llu needed no wait\n", (unsigned long long)sum.skipped);
    return 0;
}
