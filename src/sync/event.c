#include "sync/event.h"

#include "base/alloc.h"

#include <assert.h>

static void destroy(struct tide_object *object)
{
    struct tide_event *event = tide_container(object, struct tide_event, object);
    assert(tide_list_empty(&event->waiters));
    tide_free(event);
}

const struct tide_class tide_event_class = {"tidemill.event", destroy};

struct tide_event *tide_event_new(void)
{
    struct tide_event *event = tide_calloc(1, sizeof *event);
    if (!event)
        return NULL;
    tide_object_init(&event->object, &tide_event_class);
    tide_list_init(&event->waiters);
    return event;
}

void tide_event_set(struct tide_event *event)
{
    struct tide_fifo woken = {0};
    /* Who waits came while the flag was down and is taken off by whoever raises it: a flag that is up has nobody to wake. */
    if (tide_event_is_set(event))
        return;
    tide_mutex_lock(&event->lock);
    atomic_store(&event->flag, 1);
    tide_wait_claim_all(&event->waiters, &woken);
    tide_mutex_unlock(&event->lock);
    tide_wait_post_all(&woken);
}

void tide_event_clear(struct tide_event *event)
{
    atomic_store(&event->flag, 0);
}

int tide_event_enqueue(struct tide_event *event, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&event->lock);
    bool set = tide_event_is_set(event);
    if (!set)
        tide_wait_on(&event->waiters, waiter, task);
    tide_mutex_unlock(&event->lock);
    return set;
}

void tide_event_leave(struct tide_event *event, struct tide_waiter *waiter)
{
    tide_mutex_lock(&event->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&event->lock);
}
