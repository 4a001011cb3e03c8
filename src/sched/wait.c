#include "sched/wait.h"

#include "base/error.h"
#include "base/time.h"
#include "sched/graph.h"
#include "sched/worker.h"

#include <assert.h>

enum { LEVEL_NOBODY = 255 };

/* The words differ only in the state, so a decision keeps number and level for those who read it later. */
static bool decide(struct tide_task *task, uint64_t armed, enum tide_wait_state state)
{
    assert(tide_wait_state(armed) == TIDE_WAIT_ARMED);
    uint64_t decided = (armed & ~(uint64_t)0xff) | (uint64_t)state;
    /* seq_cst: pairs with the owner's store in begin and its look at `attention` in commit, so that a canceller who finds no
     * armed wait is seen by the look. */
    return atomic_compare_exchange_strong(&task->wait, &armed, decided);
}

static bool decide_if_armed(struct tide_task *task, enum tide_wait_state state)
{
    uint64_t word = atomic_load(&task->wait);
    return tide_wait_state(word) == TIDE_WAIT_ARMED && decide(task, word, state);
}

void tide_wait_begin(struct tide_task *task)
{
    uint64_t word = atomic_load_explicit(&task->wait, memory_order_relaxed);
    assert(tide_wait_state(word) == TIDE_WAIT_IDLE);
    bool closing = task->unwinding && !(task->flags & TIDE_TASK_GRACE_OVER);
    uint64_t level = closing ? LEVEL_NOBODY : task->shield;
    atomic_store(&task->wait, (tide_wait_number(word) + 1) << 16 | level << 8 | TIDE_WAIT_ARMED);
}

static void close_word(struct tide_task *task)
{
    uint64_t word = atomic_load_explicit(&task->wait, memory_order_relaxed);
    atomic_store_explicit(&task->wait, tide_wait_number(word) << 16 | TIDE_WAIT_IDLE, memory_order_release);
}

bool tide_wait_abandon(struct tide_task *task)
{
    if (!decide_if_armed(task, TIDE_WAIT_TIMED_OUT))
        return false; /* the winner's mail must not outlive the wait */
    close_word(task);
    return true;
}

int tide_wait_commit(struct tide_task *task, int64_t deadline)
{
    if (atomic_load(&task->attention) && tide_cancel_due(task)) {
        /* Nobody posts: this is the owner's own decision. If a waker was first it has posted, and the park ends at once. */
        return decide_if_armed(task, TIDE_WAIT_INTERRUPTED) ? 0 : 1;
    }
    if (deadline != TIDE_NEVER) {
        int failed = tide_worker_timer_add(task->worker, &task->timer, deadline);
        if (failed)
            return failed;
    }
    return 1;
}

enum tide_wait_state tide_wait_end(struct tide_task *task)
{
    enum tide_wait_state state = tide_wait_state(atomic_load_explicit(&task->wait, memory_order_acquire));
    assert(state > TIDE_WAIT_ARMED);
    tide_worker_timer_remove(task->worker, &task->timer);
    if (task->edge.class)
        tide_graph_leave(task);
    close_word(task);
    return state;
}

bool tide_wait_claim(struct tide_waiter *waiter)
{
    tide_list_remove(&waiter->link);
    if (!decide_if_armed(waiter->task, TIDE_WAIT_WOKEN))
        return false;
    waiter->task->claimed = waiter; /* before the post, after which the owner reads it */
    return true;
}

struct tide_waiter *tide_wait_claim_first(struct tide_list *waiters)
{
    struct tide_list *link;
    while ((link = tide_list_pop(waiters)) != NULL) {
        struct tide_waiter *waiter = tide_container(link, struct tide_waiter, link);
        if (tide_wait_claim(waiter))
            return waiter;
    }
    return NULL;
}

void tide_wait_claim_all(struct tide_list *waiters, struct tide_fifo *woken)
{
    struct tide_waiter *waiter;
    while ((waiter = tide_wait_claim_first(waiters)) != NULL)
        tide_fifo_push(woken, &waiter->task->mail.link);
}

void tide_wait_post(struct tide_task *task)
{
    tide_worker_post(task->worker, &task->mail);
}

void tide_wait_post_all(struct tide_fifo *woken)
{
    struct tide_link *link;
    while ((link = tide_fifo_pop(woken)) != NULL)
        tide_wait_post(tide_container(link, struct tide_task, mail.link));
}

bool tide_wait_expire(struct tide_task *task)
{
    return decide_if_armed(task, TIDE_WAIT_TIMED_OUT);
}

bool tide_wait_interrupt_own(struct tide_task *task)
{
    return decide_if_armed(task, TIDE_WAIT_INTERRUPTED);
}

bool tide_wait_interrupt(struct tide_task *task, uint8_t shield)
{
    uint64_t word = atomic_load(&task->wait);
    if (tide_wait_state(word) != TIDE_WAIT_ARMED || (word >> 8 & 0xff) > shield)
        return false;
    if (!decide(task, word, TIDE_WAIT_INTERRUPTED))
        return false;
    tide_wait_post(task);
    return true;
}
