#include "sync/future.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* With malloc's own word it fills 160 bytes. */
static_assert(sizeof(void *) != 8 || sizeof(struct tide_future) <= 152, "a future grew");

void (*tide_future_unobserved)(struct tide_future *future);

/* ---- life ---- */

static void destroy(struct tide_object *object)
{
    struct tide_future *future = tide_container(object, struct tide_future, object);
    tide_future_fini(future);
    tide_free(future);
}

const struct tide_class tide_future_class = {"tidemill.future", destroy, .kept = 1};

void tide_future_init(struct tide_future *future, const struct tide_class *class,
                      void (*start)(struct tide_entry *entry, struct tide_worker *worker))
{
    memset(future, 0, sizeof *future);
    tide_object_init(&future->object, class);
    future->entry.start = start;
    tide_list_init(&future->waiters);
    tide_list_init(&future->callbacks);
}

struct tide_future *tide_future_new(void (*start)(struct tide_entry *entry, struct tide_worker *worker))
{
    struct tide_future *future = tide_malloc(sizeof *future);
    if (future)
        tide_future_init(future, &tide_future_class, start);
    return future;
}

void tide_future_fini(struct tide_future *future)
{
    assert(tide_list_empty(&future->waiters) && tide_list_empty(&future->callbacks));
    assert(!future->owner && future->place == TIDE_FUTURE_NOWHERE);
    tide_future_report(future);
    tide_message_unref(future->call);
    tide_message_unref(future->result);
    tide_message_unref(future->code);
    tide_free(future->error);
}

void tide_future_mark(struct tide_future *future, enum tide_future_marks mark)
{
    /* a load first: asking again costs no write to a shared line */
    if (!(atomic_load(&future->marks) & mark))
        atomic_fetch_or(&future->marks, (uint8_t)mark);
}

void tide_future_report(struct tide_future *future)
{
    if (tide_future_state(future) != TIDE_FUTURE_FAILED || !tide_future_unobserved)
        return;
    if (atomic_load(&future->marks) & TIDE_FUTURE_IGNORED)
        return;
    if (!(atomic_fetch_or(&future->marks, TIDE_FUTURE_OBSERVED) & TIDE_FUTURE_OBSERVED))
        tide_future_unobserved(future);
}

/* ---- completing ---- */

/* Who is to be told once the lock is released. */
struct told {
    struct tide_fifo woken;
    struct tide_list callbacks;
};

static void splice(struct tide_list *from, struct tide_list *to)
{
    tide_list_init(to);
    if (tide_list_empty(from))
        return;
    *to = *from;
    to->next->prev = to;
    to->prev->next = to;
    tide_list_init(from);
}

static void complete_locked(struct tide_future *future, enum tide_future_state state, struct told *told)
{
    assert(state >= TIDE_FUTURE_DONE && !tide_future_done(future));
    future->task = NULL;
    future->owner = NULL;
    /* release: pairs with tide_future_state, which reads the result without the lock */
    atomic_store_explicit(&future->state, (uint8_t)state, memory_order_release);
    told->woken = (struct tide_fifo){0};
    if (!tide_list_empty(&future->waiters))
        tide_wait_claim_all(&future->waiters, &told->woken);
    splice(&future->callbacks, &told->callbacks);
}

static void tell(struct tide_future *future, struct told *told)
{
    struct tide_list *link;
    if (told->woken.first)
        tide_wait_post_all(&told->woken);
    while ((link = tide_list_pop(&told->callbacks))) {
        struct tide_future_callback *callback = tide_container(link, struct tide_future_callback, link);
        callback->fire(callback, future);
    }
}

int tide_future_begin(struct tide_future *future, struct tide_task *task)
{
    int result = TIDE_ECANCELED;
    tide_mutex_lock(&future->lock);
    if (tide_future_state(future) == TIDE_FUTURE_PENDING) {
        future->task = task;
        atomic_store_explicit(&future->state, TIDE_FUTURE_RUNNING, memory_order_relaxed);
        result = 0;
    }
    tide_mutex_unlock(&future->lock);
    return result;
}

struct tide_message *tide_future_take_call(struct tide_future *future)
{
    struct tide_message *call = future->call;
    future->call = NULL;
    return call;
}

void tide_future_finish(struct tide_future *future, enum tide_future_state state, struct tide_message *result,
                        char *error)
{
    struct told told;
    struct tide_future_owner *owner = future->owner; /* as for lend, below */
    assert(tide_future_state(future) == TIDE_FUTURE_RUNNING);
    future->result = result; /* read by nobody before the state says so */
    future->error = error;
    if (owner && owner->calls->ending)
        owner->calls->ending(owner, future, state);
    tide_mutex_lock(&future->lock);
    complete_locked(future, state, &told);
    tide_mutex_unlock(&future->lock);
    tell(future, &told);
    if (owner) /* it counts this future still, and so lives */
        owner->calls->finished(owner, future);
}

bool tide_future_drop(struct tide_future *future, enum tide_future_state state, char *error)
{
    struct told told;
    tide_mutex_lock(&future->lock);
    if (tide_future_state(future) != TIDE_FUTURE_PENDING) {
        tide_mutex_unlock(&future->lock);
        tide_free(error);
        return false;
    }
    struct tide_message *call = tide_future_take_call(future);
    struct tide_future_owner *owner = future->owner;
    if (owner) /* it lives while a pending future names it, but from the unlock on only by this reference */
        tide_object_ref(&owner->object);
    future->error = error;
    complete_locked(future, state, &told);
    tide_mutex_unlock(&future->lock);
    tide_message_unref(call);
    tell(future, &told);
    if (owner) {
        owner->calls->dropped(owner, future);
        tide_object_unref(&owner->object);
    }
    return true;
}

/* ---- waiting ---- */

int tide_future_enqueue(struct tide_future *future, struct tide_waiter *waiter, struct tide_task *task)
{
    if (tide_future_done(future))
        return 1;
    tide_mutex_lock(&future->lock);
    bool done = tide_future_done(future);
    if (!done)
        tide_wait_on(&future->waiters, waiter, task);
    tide_mutex_unlock(&future->lock);
    return done;
}

void tide_future_leave(struct tide_future *future, struct tide_waiter *waiter)
{
    tide_mutex_lock(&future->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&future->lock);
}

/* The owner of a pending future, with a reference; NULL where there is none. */
static struct tide_future_owner *owner_of_pending(struct tide_future *future)
{
    struct tide_future_owner *owner = NULL;
    if (tide_future_state(future) != TIDE_FUTURE_PENDING)
        return NULL;
    tide_mutex_lock(&future->lock);
    if (tide_future_state(future) == TIDE_FUTURE_PENDING && future->owner) {
        owner = future->owner;
        tide_object_ref(&owner->object);
    }
    tide_mutex_unlock(&future->lock);
    return owner;
}

void tide_future_hurry(struct tide_future *future, bool at_once)
{
    struct tide_future_owner *owner = owner_of_pending(future);
    if (!owner)
        return;
    if (owner->calls->hurry)
        owner->calls->hurry(owner, future, at_once);
    tide_object_unref(&owner->object);
}

/* Runner: the owner of a running future changes only when its own task finishes it. */
void tide_future_lend(struct tide_future *future)
{
    if (future->owner && future->owner->calls->lend)
        future->owner->calls->lend(future->owner);
}

void tide_future_resume(struct tide_future *future)
{
    if (future->owner && future->owner->calls->resume)
        future->owner->calls->resume(future->owner);
}

void tide_future_callback_add(struct tide_future *future, struct tide_future_callback *callback)
{
    callback->link = (struct tide_list){0};
    tide_mutex_lock(&future->lock);
    bool done = tide_future_done(future);
    if (!done)
        tide_list_append(&future->callbacks, &callback->link);
    tide_mutex_unlock(&future->lock);
    if (done)
        callback->fire(callback, future);
}

bool tide_future_callback_remove(struct tide_future *future, struct tide_future_callback *callback)
{
    tide_mutex_lock(&future->lock);
    bool mine = !tide_future_done(future); /* else the list belongs to the one that completed it */
    if (mine)
        tide_list_remove(&callback->link);
    tide_mutex_unlock(&future->lock);
    return mine;
}

struct tide_task *tide_future_task(struct tide_future *future)
{
    tide_mutex_lock(&future->lock);
    struct tide_task *task = future->task;
    tide_mutex_unlock(&future->lock);
    return task;
}

/* ---- cancelling ---- */

bool tide_future_cancel_for(struct tide_future *future, enum tide_cancel_reason reason)
{
    if (tide_future_drop(future, TIDE_FUTURE_CANCELLED, NULL))
        return true;
    tide_mutex_lock(&future->lock);
    enum tide_future_state state = tide_future_state(future);
    if (state == TIDE_FUTURE_RUNNING) {
        tide_future_mark(future, TIDE_FUTURE_ASKED);
        if (future->task) /* cannot end while the lock is held */
            tide_cancel_request(&future->task->root, reason);
    }
    tide_mutex_unlock(&future->lock);
    return state == TIDE_FUTURE_RUNNING || state == TIDE_FUTURE_CANCELLED;
}

bool tide_future_cancel(struct tide_future *future)
{
    return tide_future_cancel_for(future, TIDE_CANCEL_REQUESTED);
}

/* ---- for owners ---- */

void tide_future_adopt(struct tide_future *future, struct tide_future_owner *owner)
{
    assert(!future->owner && tide_future_state(future) == TIDE_FUTURE_PENDING);
    future->owner = owner;
    tide_future_ref(future);
}

void tide_future_disown(struct tide_future *future)
{
    future->owner = NULL;
    tide_future_unref(future);
}

static int push(struct tide_entry *entry, enum tide_future_launch where)
{
    switch (where) {
    case TIDE_LAUNCH_FIRST: return tide_runtime_push_front(tide_runtime_get(), entry);
    case TIDE_LAUNCH_NEXT: return tide_runtime_push_next(tide_runtime_get(), entry);
    case TIDE_LAUNCH_LAST: break;
    }
    return tide_runtime_push(tide_runtime_get(), entry);
}

void tide_future_launch(struct tide_future *future, enum tide_future_launch where)
{
    int code = push(&future->entry, where);
    if (code == 0)
        return;
    char text[200];
    if (code == TIDE_ETHREAD)
        snprintf(text, sizeof text, "cannot start a worker thread: %s; a limit on processes or memory? (ulimit -u, -v)",
                 strerror(errno));
    else
        snprintf(text, sizeof text, "cannot start a task: %s", tide_strerror(code));
    tide_future_drop(future, TIDE_FUTURE_FAILED, tide_strdup(text));
    tide_future_unref(future);
}

void tide_future_each(struct tide_mutex *lock, struct tide_list *list, void (*act)(struct tide_future *, void *),
                      void *arg)
{
    struct tide_list todo, *link; /* `lock` guards todo as well: who leaves the list may leave this one */
    tide_mutex_lock(lock);
    splice(list, &todo);
    while ((link = tide_list_pop(&todo))) {
        struct tide_future *future = tide_container(link, struct tide_future, link);
        tide_list_append(list, link);
        tide_future_ref(future);
        tide_mutex_unlock(lock);
        act(future, arg);
        tide_future_unref(future);
        tide_mutex_lock(lock);
    }
    tide_mutex_unlock(lock);
}
