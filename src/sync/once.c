#include "sync/once.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>

static struct tide_once *once_of(struct tide_holder *holder)
{
    return tide_container(holder, struct tide_once, holder);
}

static void destroy(struct tide_object *object)
{
    struct tide_once *once = once_of(tide_container(object, struct tide_holder, object));
    assert(tide_list_empty(&once->waiters));
    tide_holder_fini(&once->holder);
    tide_message_unref(once->values);
    tide_free(once);
}

static void empty(struct tide_holder *holder)
{
    struct tide_once *once = once_of(holder);
    struct tide_message *values = once->values;
    once->values = NULL;
    tide_message_unref(values);
}

const struct tide_class tide_once_class = {"tidemill.once", destroy, .kept = 1};

struct tide_once *tide_once_new(void)
{
    struct tide_once *once = tide_calloc(1, sizeof *once);
    if (!once)
        return NULL;
    tide_list_init(&once->waiters);
    tide_holder_init(&once->holder, &tide_once_class, empty);
    return once;
}

enum tide_once_state tide_once_enter(struct tide_once *once, struct tide_waiter *waiter, struct tide_task *task)
{
    enum tide_once_state state = TIDE_ONCE_WAITS;
    tide_mutex_lock(&once->lock);
    if (tide_once_done(once)) {
        state = TIDE_ONCE_DONE;
    } else if (once->runner == task) {
        state = TIDE_ONCE_RECURSES;
    } else if (!once->runner) {
        once->runner = task;
        state = TIDE_ONCE_TURN;
    } else {
        tide_wait_on(&once->waiters, waiter, task);
    }
    tide_mutex_unlock(&once->lock);
    return state;
}

void tide_once_leave(struct tide_once *once, struct tide_waiter *waiter)
{
    tide_mutex_lock(&once->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&once->lock);
}

bool tide_once_runs(struct tide_once *once, struct tide_task *task)
{
    return tide_once_runner(once) == task;
}

void tide_once_finish(struct tide_once *once, struct tide_message *values)
{
    struct tide_fifo woken = {0};
    tide_mutex_lock(&once->lock);
    assert(once->runner && !tide_once_done(once));
    once->values = values;
    once->runner = NULL;
    atomic_store_explicit(&once->done, 1, memory_order_release); /* pairs with tide_once_done */
    tide_wait_claim_all(&once->waiters, &woken);
    tide_mutex_unlock(&once->lock);
    tide_wait_post_all(&woken);
}

void tide_once_fail(struct tide_once *once)
{
    struct tide_waiter *next = NULL;
    tide_mutex_lock(&once->lock);
    if (!tide_once_done(once)) {
        next = tide_wait_claim_first(&once->waiters);
        once->runner = next ? next->task : NULL;
    }
    tide_mutex_unlock(&once->lock);
    if (next)
        tide_wait_post(next->task);
}

struct tide_task *tide_once_runner(struct tide_once *once)
{
    tide_mutex_lock(&once->lock);
    struct tide_task *runner = once->runner;
    tide_mutex_unlock(&once->lock);
    return runner;
}

void tide_once_describe(struct tide_once *once, struct tide_strbuf *out)
{
    char name[128] = "";
    tide_mutex_lock(&once->lock); /* while it has the turn it cannot end */
    if (once->runner)
        snprintf(name, sizeof name, "%s", tide_task_name(once->runner));
    tide_mutex_unlock(&once->lock);
    tide_strbuf_puts(out, "a once");
    if (*name)
        tide_strbuf_printf(out, ", which '%s' runs", name);
}
