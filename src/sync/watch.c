#include "sync/watch.h"

#include "base/alloc.h"

static void destroy(struct tide_object *object)
{
    struct tide_watch *watch = tide_container(object, struct tide_watch, object);
    for (uint32_t i = 0; i < watch->count; i++)
        tide_future_unref(watch->entries[i].future);
    tide_free(watch);
}

const struct tide_class tide_watch_class = {"tidemill.watch", destroy};

static void fire(struct tide_future_callback *callback, struct tide_future *future)
{
    struct tide_watched *entry = tide_container(callback, struct tide_watched, callback);
    struct tide_watch *watch = entry->watch;
    (void)future;
    tide_mutex_lock(&watch->lock);
    tide_list_append(&watch->complete, &entry->link);
    struct tide_waiter *waiter = tide_wait_claim_first(&watch->waiters);
    struct tide_task *task = waiter ? waiter->task : NULL;
    tide_mutex_unlock(&watch->lock);
    if (task)
        tide_wait_post(task);
    tide_object_unref(&watch->object);
}

struct tide_watch *tide_watch_new(struct tide_future *const *futures, uint32_t count)
{
    struct tide_watch *watch = tide_calloc(1, sizeof *watch + (size_t)count * sizeof watch->entries[0]);
    if (!watch)
        return NULL;
    tide_object_init(&watch->object, &tide_watch_class);
    tide_list_init(&watch->complete);
    tide_list_init(&watch->waiters);
    watch->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct tide_watched *entry = &watch->entries[i];
        entry->watch = watch;
        entry->future = tide_future_ref(futures[i]);
        entry->callback.fire = fire;
        tide_object_ref(&watch->object);
        tide_future_callback_add(entry->future, &entry->callback);
    }
    return watch;
}

int64_t tide_watch_take(struct tide_watch *watch)
{
    tide_mutex_lock(&watch->lock);
    struct tide_list *link = tide_list_pop(&watch->complete);
    tide_mutex_unlock(&watch->lock);
    return link ? tide_container(link, struct tide_watched, link) - watch->entries : -1;
}

int tide_watch_enqueue(struct tide_watch *watch, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&watch->lock);
    int ready = !tide_list_empty(&watch->complete);
    if (!ready)
        tide_wait_on(&watch->waiters, waiter, task);
    tide_mutex_unlock(&watch->lock);
    return ready;
}

void tide_watch_leave(struct tide_watch *watch, struct tide_waiter *waiter)
{
    tide_mutex_lock(&watch->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&watch->lock);
}

void tide_watch_end(struct tide_watch *watch)
{
    for (uint32_t i = 0; i < watch->count; i++) {
        struct tide_watched *entry = &watch->entries[i];
        if (tide_future_callback_remove(entry->future, &entry->callback))
            tide_object_unref(&watch->object);
    }
}
