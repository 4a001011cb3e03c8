#include "sched/cancel.h"

#include "base/error.h"
#include "base/time.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <assert.h>

int tide_cancel_open(struct tide_cancel *scope, struct tide_task *task, int64_t deadline)
{
    *scope = (struct tide_cancel){.task = task, .outer = task->scope, .deadline = deadline, .shield = task->shield,
                                  .opened = task->deliveries};
    scope->timer.kind = TIDE_TIMER_SCOPE;
    if (deadline != TIDE_NEVER) {
        int failed = tide_worker_timer_add(task->worker, &scope->timer, deadline);
        if (failed) {
            scope->task = NULL; /* as one that is closed */
            return failed;
        }
    }
    task->scope = scope;
    return 0;
}

/* `scope` travels no more; in general it is the one that travels now, else one that this has suspended. */
static void arrived(struct tide_task *task, struct tide_cancel *scope)
{
    struct tide_cancel **link;
    for (link = &task->unwinding; *link && *link != scope;)
        link = &(*link)->suspended;
    if (!*link)
        return;
    *link = scope->suspended;
    if (!task->unwinding) { /* the grace is that of all that travelled */
        task->flags &= (uint8_t)~TIDE_TASK_GRACE_OVER;
        tide_worker_timer_remove(task->worker, &task->grace);
    }
    if (tide_cancel_due(task)) /* it came while this one travelled, and found nobody to interrupt */
        tide_worker_kick(task->worker);
}

void tide_cancel_close(struct tide_cancel *scope)
{
    struct tide_task *task = scope->task;
    struct tide_cancel **link;
    if (!task)
        return;
    tide_worker_timer_remove(task->worker, &scope->timer);
    for (link = &task->scope; *link != scope; link = &(*link)->outer) /* a foreign coroutine may have ended out of order */
        assert(*link);
    *link = scope->outer;
    scope->task = NULL;
    arrived(task, scope);
}

void tide_cancel_close_all(struct tide_task *task)
{
    while (task->scope != &task->root)
        tide_cancel_close(task->scope);
}

bool tide_cancel_request(struct tide_cancel *scope, enum tide_cancel_reason reason)
{
    uint8_t none = TIDE_CANCEL_NONE;
    struct tide_task *task = scope->task;
    if (!atomic_compare_exchange_strong(&scope->reason, &none, (uint8_t)reason))
        return false;
    atomic_store(&task->attention, 1); /* before the look at the word: see decide() in wait.c */
    if (!tide_wait_interrupt(task, scope->shield))
        tide_worker_kick(task->worker);
    return true;
}

struct tide_cancel *tide_cancel_due(struct tide_task *task)
{
    struct tide_cancel *due = NULL;
    if (task->unwinding && (task->flags & TIDE_TASK_GRACE_OVER))
        return task->unwinding;
    for (struct tide_cancel *s = task->scope; s; s = s->outer) {
        if (task->unwinding && s->opened < task->unwinding->number)
            break; /* from here on outwards the scopes are older than what travels: they wait for its end */
        if (atomic_load(&s->reason) != TIDE_CANCEL_NONE && !s->delivered && s->shield >= task->shield)
            due = s;
    }
    return due;
}

void tide_cancel_deliver(struct tide_cancel *scope)
{
    struct tide_task *task = scope->task;
    if (task->unwinding == scope) /* again, after its grace */
        return;
    scope->delivered = true;
    scope->suspended = task->unwinding;
    task->unwinding = scope;
    scope->number = ++task->deliveries;
    if (!tide_timer_armed(&task->grace)) {
        int64_t end = tide_now_ns() + task->worker->runtime->options.grace_ns;
        if (tide_worker_timer_add(task->worker, &task->grace, end) != 0)
            task->flags |= TIDE_TASK_GRACE_OVER;
    }
}

int64_t tide_cancel_deadline(const struct tide_task *task)
{
    int64_t earliest = TIDE_NEVER;
    for (const struct tide_cancel *s = task->scope; s; s = s->outer)
        if (s->deadline < earliest)
            earliest = s->deadline;
    return earliest;
}

/* The owner's own interruption: between two tasks, so the task is parked, ready or cut. */
static void interrupt_own(struct tide_task *task)
{
    atomic_store(&task->attention, 1);
    if (tide_cancel_due(task) && tide_wait_interrupt_own(task))
        tide_worker_ready(task->worker, task);
}

void tide_cancel_expired(struct tide_cancel *scope)
{
    uint8_t none = TIDE_CANCEL_NONE;
    if (atomic_compare_exchange_strong(&scope->reason, &none, TIDE_CANCEL_TIMEOUT))
        interrupt_own(scope->task);
}

void tide_cancel_grace_over(struct tide_task *task)
{
    task->flags |= TIDE_TASK_GRACE_OVER;
    interrupt_own(task);
}
