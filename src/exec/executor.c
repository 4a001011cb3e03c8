#include "exec/executor.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>

/* ---- sections ----
 * Each change happens between enter and leave. Leave sees to what follows from it: who starts, who is admitted, who is woken,
 * and whether the executor has become busy or idle. What must happen outside the lock is collected and done last. */

struct section {
    uint64_t before;               /* outstanding at the beginning */
    enum tide_future_launch where; /* of what is launched */
    struct tide_fifo launch;       /* entries of futures */
    struct tide_fifo woken;        /* tasks */
};

static struct tide_executor *executor_of(struct tide_future_owner *owner)
{
    return tide_container(owner, struct tide_executor, owner);
}

static struct section enter(struct tide_executor *e)
{
    tide_mutex_lock(&e->lock);
    return (struct section){.before = e->outstanding};
}

/* Gives a slot to a future that is in no list. */
static void launch(struct tide_executor *e, struct section *s, struct tide_future *future)
{
    future->place = TIDE_FUTURE_LAUNCHED;
    tide_list_append(&e->launched, &future->link);
    tide_fifo_push(&s->launch, &future->entry.link);
    e->running++;
}

static bool has_slot(const struct tide_executor *e)
{
    return e->running < e->max_workers && !e->withdrawn;
}

static bool has_room(const struct tide_executor *e)
{
    return !e->queue_size || e->waiting < e->queue_size || has_slot(e);
}

static void accept_future(struct tide_executor *e, struct section *s, struct tide_future *future)
{
    tide_future_adopt(future, &e->owner);
    e->outstanding++;
    if (e->waiting == 0 && has_slot(e)) {
        launch(e, s, future);
        return;
    }
    future->place = TIDE_FUTURE_WAITS;
    tide_list_append(&e->pending, &future->link);
    e->waiting++;
}

static void fill_slots(struct tide_executor *e, struct section *s)
{
    struct tide_list *link;
    while (has_slot(e) && (link = tide_list_pop(&e->pending)) != NULL) {
        e->waiting--;
        launch(e, s, tide_container(link, struct tide_future, link));
    }
}

/* Admits the submits that wait for room, as long as there is some. */
static void admit(struct tide_executor *e, struct section *s)
{
    struct tide_waiter *waiter;
    while (!tide_list_empty(&e->room) && has_room(e) && (waiter = tide_wait_claim_first(&e->room)) != NULL) {
        accept_future(e, s, waiter->item.as.pointer);
        tide_fifo_push(&s->woken, &waiter->task->mail.link);
    }
}

static void leave(struct tide_executor *e, struct section *s)
{
    struct tide_link *link;
    fill_slots(e, s);
    admit(e, s);
    bool busy = !s->before && e->outstanding, idle = s->before && !e->outstanding;
    if (busy) { /* under the lock, so that no release comes before its hold */
        tide_object_ref(&e->owner.object);
        tide_runtime_hold(tide_runtime_get());
    }
    if (idle)
        tide_wait_claim_all(&e->idle, &s->woken);
    tide_mutex_unlock(&e->lock);
    while ((link = tide_fifo_pop(&s->launch)) != NULL)
        tide_future_launch(tide_container(link, struct tide_future, entry.link), s->where);
    tide_wait_post_all(&s->woken);
    if (idle) {
        tide_runtime_release(tide_runtime_get());
        tide_object_unref(&e->owner.object);
    }
}

/* ---- what futures tell their owner ---- */

/* The future is out of the executor's hands. True: it was pending, and the run's reference is the caller's. */
static bool let_go(struct tide_executor *e, struct tide_future *future)
{
    bool waited = future->place == TIDE_FUTURE_WAITS;
    assert(future->place != TIDE_FUTURE_NOWHERE);
    tide_list_remove(&future->link);
    if (waited)
        e->waiting--;
    else
        e->running--;
    future->place = TIDE_FUTURE_NOWHERE;
    e->outstanding--;
    return waited;
}

static void ended(struct tide_future_owner *owner, struct tide_future *future, enum tide_future_launch where)
{
    struct tide_executor *e = executor_of(owner);
    struct section s = enter(e);
    s.where = where;
    bool waited = let_go(e, future);
    leave(e, &s);
    if (waited)
        tide_future_unref(future);
}

static void on_dropped(struct tide_future_owner *owner, struct tide_future *future)
{
    ended(owner, future, TIDE_LAUNCH_LAST); /* whoever drops it may go on for long: its worker must not keep the next */
}

static void on_finished(struct tide_future_owner *owner, struct tide_future *future)
{
    ended(owner, future, TIDE_LAUNCH_NEXT);
}

static void on_hurry(struct tide_future_owner *owner, struct tide_future *future, bool at_once)
{
    struct tide_executor *e = executor_of(owner);
    struct section s = enter(e);
    if (future->place == TIDE_FUTURE_WAITS && !e->withdrawn) {
        tide_list_remove(&future->link);
        if (at_once) {
            e->waiting--;
            s.where = TIDE_LAUNCH_FIRST;
            launch(e, &s, future);
        } else {
            tide_list_prepend(&e->pending, &future->link);
        }
    }
    leave(e, &s);
}

static void on_lend(struct tide_future_owner *owner)
{
    struct tide_executor *e = executor_of(owner);
    struct section s = enter(e);
    s.where = TIDE_LAUNCH_FIRST; /* what starts now may be what the lender waits for */
    e->running--;
    leave(e, &s);
}

static void on_resume(struct tide_future_owner *owner)
{
    struct tide_executor *e = executor_of(owner);
    tide_mutex_lock(&e->lock);
    e->running++;
    tide_mutex_unlock(&e->lock);
}

static const struct tide_future_owner_calls calls = {
    .dropped = on_dropped, .finished = on_finished, .hurry = on_hurry, .lend = on_lend, .resume = on_resume};

/* ---- life ---- */

static void destroy(struct tide_object *object)
{
    struct tide_executor *e = tide_container(object, struct tide_executor, owner.object);
    assert(!e->outstanding && tide_list_empty(&e->room) && tide_list_empty(&e->idle));
    tide_message_unref(e->initializer);
    tide_free(e->error);
    tide_free(e->name);
    tide_free(e);
}

const struct tide_class tide_executor_class = {"tidemill.executor", destroy};

struct tide_executor *tide_executor_new(const struct tide_executor_options *options)
{
    static _Atomic uint64_t epochs;
    struct tide_executor *e = tide_calloc(1, sizeof *e);
    assert(options->max_workers >= 1);
    if (!e)
        return NULL;
    if (options->name && !(e->name = tide_strdup(options->name))) {
        tide_free(e);
        return NULL;
    }
    tide_object_init(&e->owner.object, &tide_executor_class);
    e->owner.calls = &calls;
    e->max_workers = options->max_workers;
    e->queue_size = options->queue_size;
    e->initializer = options->initializer ? tide_message_ref(options->initializer) : NULL;
    e->epoch = atomic_fetch_add(&epochs, 1) + 1;
    tide_list_init(&e->pending);
    tide_list_init(&e->launched);
    tide_list_init(&e->room);
    tide_list_init(&e->idle);
    return e;
}

/* ---- submitting ---- */

int tide_executor_submit(struct tide_executor *e, struct tide_future *future, bool bounded)
{
    int result = 0;
    struct section s = enter(e);
    if (e->closed)
        result = TIDE_ESHUTDOWN;
    else if (bounded && !has_room(e))
        result = TIDE_EAGAIN;
    else
        accept_future(e, &s, future);
    leave(e, &s);
    return result;
}

int tide_executor_enqueue(struct tide_executor *e, struct tide_waiter *waiter, struct tide_task *task,
                          struct tide_future *future)
{
    int result = 1;
    struct section s = enter(e);
    if (e->closed) {
        result = TIDE_ESHUTDOWN;
    } else if (has_room(e)) {
        accept_future(e, &s, future);
    } else {
        tide_wait_on(&e->room, waiter, task);
        waiter->item.as.pointer = future;
        result = 0;
    }
    leave(e, &s);
    return result;
}

int tide_executor_extend(struct tide_executor *e, struct tide_future *future)
{
    int result = TIDE_ESHUTDOWN;
    struct section s = enter(e);
    if (!e->withdrawn) {
        tide_future_adopt(future, &e->owner);
        future->place = TIDE_FUTURE_WAITS;
        tide_list_prepend(&e->pending, &future->link);
        e->waiting++;
        e->outstanding++;
        result = 0;
    }
    leave(e, &s);
    return result;
}

/* ---- waiting ---- */

int tide_executor_enqueue_idle(struct tide_executor *e, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&e->lock);
    bool idle = e->outstanding == 0;
    if (!idle)
        tide_wait_on(&e->idle, waiter, task);
    tide_mutex_unlock(&e->lock);
    return idle;
}

void tide_executor_leave(struct tide_executor *e, struct tide_waiter *waiter)
{
    tide_mutex_lock(&e->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&e->lock);
}

/* ---- ending ---- */

static void close_locked(struct tide_executor *e, struct section *s, enum tide_executor_cancel what)
{
    struct tide_waiter *waiter;
    e->closed = true;
    if (what > atomic_load(&e->withdrawn))
        atomic_store(&e->withdrawn, (uint8_t)what);
    while ((waiter = tide_wait_claim_first(&e->room)) != NULL) {
        waiter->item.as.pointer = NULL;
        tide_fifo_push(&s->woken, &waiter->task->mail.link);
    }
}

/* What is to become of one future; reads how far the ending has gone by now, so that of two sweeps at once the one that gets
 * hold of a future does what both want. */
static void sweep_one(struct tide_future *future, void *arg)
{
    struct tide_executor *e = arg;
    const char *error = tide_executor_error(e);
    if (error && tide_future_state(future) == TIDE_FUTURE_PENDING)
        tide_future_drop(future, TIDE_FUTURE_FAILED, tide_strdup(error));
    else if (atomic_load(&e->withdrawn) == TIDE_EXECUTOR_CANCEL_ALL)
        tide_future_cancel_for(future, TIDE_CANCEL_SHUTDOWN);
    else
        tide_future_drop(future, TIDE_FUTURE_CANCELLED, NULL);
}

static void sweep(struct tide_executor *e)
{
    tide_future_each(&e->lock, &e->pending, sweep_one, e);
    tide_future_each(&e->lock, &e->launched, sweep_one, e);
}

void tide_executor_shutdown(struct tide_executor *e, enum tide_executor_cancel what)
{
    struct section s = enter(e);
    close_locked(e, &s, what);
    leave(e, &s);
    if (what != TIDE_EXECUTOR_CANCEL_NONE)
        sweep(e);
}

void tide_executor_break(struct tide_executor *e, const char *error)
{
    char *copy = tide_strdup(error);
    struct section s = enter(e);
    close_locked(e, &s, TIDE_EXECUTOR_CANCEL_PENDING);
    if (!e->error) {
        e->error = copy;
        copy = NULL;
    }
    leave(e, &s);
    tide_free(copy);
    sweep(e);
}

const char *tide_executor_error(struct tide_executor *e)
{
    tide_mutex_lock(&e->lock);
    const char *error = e->error;
    tide_mutex_unlock(&e->lock);
    return error;
}

bool tide_executor_closed(struct tide_executor *e)
{
    tide_mutex_lock(&e->lock);
    bool closed = e->closed;
    tide_mutex_unlock(&e->lock);
    return closed;
}

struct tide_executor_counts tide_executor_counts(struct tide_executor *e)
{
    tide_mutex_lock(&e->lock);
    struct tide_executor_counts counts = {e->running, e->waiting, e->outstanding};
    tide_mutex_unlock(&e->lock);
    return counts;
}
