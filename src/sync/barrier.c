#include "sync/barrier.h"

#include "base/alloc.h"

#include <assert.h>

static void destroy(struct tide_object *object)
{
    struct tide_barrier *barrier = tide_container(object, struct tide_barrier, object);
    assert(tide_list_empty(&barrier->waiters) && tide_list_empty(&barrier->door));
    tide_message_unref(barrier->action);
    tide_free(barrier);
}

const struct tide_class tide_barrier_class = {"tidemill.barrier", destroy};

struct tide_barrier *tide_barrier_new(uint32_t parties, double timeout, struct tide_message *action)
{
    struct tide_barrier *barrier = tide_calloc(1, sizeof *barrier);
    if (!barrier) {
        tide_message_unref(action);
        return NULL;
    }
    tide_object_init(&barrier->object, &tide_barrier_class);
    barrier->parties = parties;
    barrier->timeout = timeout;
    barrier->action = action;
    tide_list_init(&barrier->waiters);
    tide_list_init(&barrier->door);
    return barrier;
}

/* ---- under the lock ---- */

static uint32_t claim_all(struct tide_list *waiters, struct tide_fifo *woken)
{
    struct tide_waiter *waiter;
    uint32_t count = 0;
    for (; (waiter = tide_wait_claim_first(waiters)) != NULL; count++)
        tide_fifo_push(woken, &waiter->task->mail.link);
    return count;
}

/* Tells those from `from` on why they were woken, before they are posted. */
static void tell(struct tide_link *from, enum tide_barrier_outcome outcome)
{
    for (; from; from = from->next) {
        struct tide_task *task = tide_container(from, struct tide_task, mail.link);
        task->claimed->item = (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = outcome};
    }
}

/* Ends the generation: PASSED, unless one of its `others` has left; then, as whenever else `outcome` says why, it is broken.
 * Who stands at the door comes in behind. Returns what it came to. */
static enum tide_barrier_outcome end(struct tide_barrier *barrier, enum tide_barrier_outcome outcome, struct tide_fifo *woken)
{
    struct tide_fifo late = {0};
    uint32_t others = barrier->arrived - 1;
    if (claim_all(&barrier->waiters, woken) != others && outcome == TIDE_BARRIER_PASSED)
        outcome = TIDE_BARRIER_TIMED_OUT; /* or cancelled: it has not come to the lock yet to tell */
    tell(woken->first, outcome);
    claim_all(&barrier->door, &late);
    tell(late.first, TIDE_BARRIER_AGAIN);
    struct tide_link *link;
    while ((link = tide_fifo_pop(&late)) != NULL)
        tide_fifo_push(woken, link);
    barrier->arrived = 0;
    barrier->generation++;
    barrier->actor = NULL;
    if (outcome > TIDE_BARRIER_RECURSES && outcome != TIDE_BARRIER_RESET)
        barrier->broken = outcome;
    return outcome;
}

static enum tide_barrier_outcome arrive(struct tide_barrier *barrier, struct tide_waiter *waiter, struct tide_task *task,
                                        struct tide_fifo *woken)
{
    if (barrier->actor == task)
        return TIDE_BARRIER_RECURSES;
    if (barrier->broken)
        return barrier->broken;
    waiter->index = 0;
    if (barrier->actor) {
        tide_wait_on(&barrier->door, waiter, task);
        return TIDE_BARRIER_WAITS;
    }
    waiter->index = ++barrier->arrived;
    if (barrier->arrived < barrier->parties) {
        tide_wait_on(&barrier->waiters, waiter, task);
        return TIDE_BARRIER_WAITS;
    }
    if (barrier->action) {
        barrier->actor = task;
        waiter->item = (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = (int64_t)barrier->generation};
        return TIDE_BARRIER_ACTS;
    }
    return end(barrier, TIDE_BARRIER_PASSED, woken);
}

/* ---- calls ---- */

enum tide_barrier_outcome tide_barrier_arrive(struct tide_barrier *barrier, struct tide_waiter *waiter, struct tide_task *task)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    enum tide_barrier_outcome outcome = arrive(barrier, waiter, task, &woken);
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
    return outcome;
}

void tide_barrier_leave(struct tide_barrier *barrier, struct tide_waiter *waiter, enum tide_wait_state how)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    if (tide_list_linked(&waiter->link)) { /* else its generation has ended, and the failed claim was noticed */
        tide_list_remove(&waiter->link);
        if (waiter->index)
            end(barrier, how == TIDE_WAIT_TIMED_OUT ? TIDE_BARRIER_TIMED_OUT : TIDE_BARRIER_CANCELLED, &woken);
    }
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
}

enum tide_barrier_outcome tide_barrier_pass(struct tide_barrier *barrier, uint64_t generation)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    enum tide_barrier_outcome outcome = barrier->broken ? barrier->broken : TIDE_BARRIER_RESET;
    if (barrier->generation == generation)
        outcome = end(barrier, TIDE_BARRIER_PASSED, &woken);
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
    return outcome;
}

void tide_barrier_fail(struct tide_barrier *barrier, uint64_t generation, enum tide_barrier_outcome why)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    if (barrier->generation == generation)
        end(barrier, why, &woken);
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
}

void tide_barrier_abort(struct tide_barrier *barrier)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    if (!barrier->broken)
        end(barrier, TIDE_BARRIER_ABORTED, &woken);
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
}

void tide_barrier_reset(struct tide_barrier *barrier)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&barrier->lock);
    end(barrier, TIDE_BARRIER_RESET, &woken);
    barrier->broken = TIDE_BARRIER_WAITS;
    tide_mutex_unlock(&barrier->lock);
    tide_wait_post_all(&woken);
}

uint32_t tide_barrier_waiting(struct tide_barrier *barrier)
{
    tide_mutex_lock(&barrier->lock);
    uint32_t waiting = barrier->arrived - (barrier->actor != NULL);
    tide_mutex_unlock(&barrier->lock);
    return waiting;
}

bool tide_barrier_broken(struct tide_barrier *barrier)
{
    tide_mutex_lock(&barrier->lock);
    bool broken = barrier->broken != TIDE_BARRIER_WAITS;
    tide_mutex_unlock(&barrier->lock);
    return broken;
}
