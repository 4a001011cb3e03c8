#include "reactor/operation.h"

#include "reactor/reactor.h"
#include "sched/runtime.h"

static _Atomic uint32_t under_way;

static uint64_t awaited(struct tide_arrival *arrival);
static void admit(struct tide_arrival *arrival);

static void deliver(struct tide_mail *mail, struct tide_worker *worker)
{
    struct tide_operation *op = tide_container(mail, struct tide_operation, mail);
    (void)worker;
    op->act(op, atomic_exchange(&op->asks, 0));
    tide_object_unref(&op->object);
}

void tide_operation_init(struct tide_operation *op, const struct tide_class *class,
                         void (*act)(struct tide_operation *, uint32_t))
{
    tide_object_init(&op->object, class);
    op->act = act;
    op->mail.deliver = deliver;
    atomic_init(&op->asks, 0);
    atomic_init(&op->dropped, false);
    op->lock = (struct tide_mutex){0};
    tide_list_init(&op->waiters);
    op->done = op->arriving = op->news = op->ending = false;
    op->arrival = (struct tide_arrival){.awaited = awaited, .admit = admit};
}

void tide_operation_ask(struct tide_operation *op, uint32_t asks)
{
    /* who sets the first bit posts; the mail has a reference of its own, so that it outlives the operation's end */
    if (atomic_fetch_or(&op->asks, asks) == 0) {
        tide_object_ref(&op->object);
        tide_reactor_post(&op->mail);
    }
}

int tide_operation_start(struct tide_operation *op, struct tide_runtime *runtime)
{
    int failed = tide_reactor_start(runtime);
    if (failed)
        return failed;
    tide_runtime_active_add(runtime); /* while the caller's own activity lasts */
    atomic_fetch_add(&under_way, 1);
    tide_object_ref(&op->object);
    tide_operation_ask(op, TIDE_ASK_START);
    return 0;
}

void tide_operation_drop(struct tide_operation *op)
{
    if (!atomic_exchange(&op->dropped, true) && !tide_operation_is_done(op))
        tide_operation_ask(op, TIDE_ASK_DROP);
}

bool tide_operation_is_done(struct tide_operation *op)
{
    tide_mutex_lock(&op->lock);
    bool done = op->done;
    tide_mutex_unlock(&op->lock);
    return done;
}

void tide_operation_wait_on(struct tide_operation *op, struct tide_waiter *waiter, struct tide_task *task)
{
    op->news = false;
    tide_wait_on(&op->waiters, waiter, task);
}

int tide_operation_enqueue(struct tide_operation *op, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&op->lock);
    int done = op->done;
    if (!done)
        tide_operation_wait_on(op, waiter, task);
    tide_mutex_unlock(&op->lock);
    return done;
}

void tide_operation_leave(struct tide_operation *op, struct tide_waiter *waiter)
{
    tide_mutex_lock(&op->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&op->lock);
}

static void unlock_and_wake_now(struct tide_operation *op)
{
    struct tide_fifo woken = {0};
    tide_wait_claim_all(&op->waiters, &woken);
    tide_mutex_unlock(&op->lock);
    tide_wait_post_all(&woken);
}

static uint64_t awaited(struct tide_arrival *arrival)
{
    struct tide_operation *op = tide_container(arrival, struct tide_operation, arrival);
    tide_mutex_lock(&op->lock);
    uint64_t number = 0;
    if ((op->news || op->ending) && !tide_list_empty(&op->waiters))
        number = tide_container(op->waiters.next, struct tide_waiter, link)->task->id;
    tide_mutex_unlock(&op->lock);
    return number;
}

static void admit(struct tide_arrival *arrival)
{
    struct tide_operation *op = tide_container(arrival, struct tide_operation, arrival);
    tide_mutex_lock(&op->lock);
    op->arriving = false;
    op->done |= op->ending;
    if (op->news || op->done)
        unlock_and_wake_now(op);
    else /* somebody came by and took it, and may wait for the next by now */
        tide_mutex_unlock(&op->lock);
    tide_object_unref(&op->object);
}

/* With virtual time: unlocks, and leaves the rest to the holder of the baton. */
static void unlock_and_arrive(struct tide_operation *op, struct tide_baton *baton)
{
    bool first = !op->arriving;
    op->arriving = op->news = true;
    tide_mutex_unlock(&op->lock);
    if (!first)
        return;
    tide_object_ref(&op->object);
    tide_baton_arrive(baton, &op->arrival);
}

void tide_operation_unlock_and_wake(struct tide_operation *op)
{
    struct tide_runtime *runtime = tide_reactor_runtime();
    if (runtime && runtime->baton)
        unlock_and_arrive(op, runtime->baton);
    else
        unlock_and_wake_now(op);
}

void tide_operation_finish(struct tide_operation *op)
{
    struct tide_runtime *runtime = tide_reactor_runtime();
    atomic_fetch_sub(&under_way, 1); /* before anybody can know that it is done */
    tide_mutex_lock(&op->lock);
    op->ending = true;
    op->done = !runtime->baton; /* with virtual time it is not seen before it is let in */
    tide_operation_unlock_and_wake(op);
    tide_object_unref(&op->object);
    tide_runtime_active_drop(runtime); /* last: who was woken is counted by now */
}

uint32_t tide_operation_count(void)
{
    return atomic_load(&under_way);
}
