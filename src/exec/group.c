#include "exec/group.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>

static struct tide_group *group_of(struct tide_future_owner *owner)
{
    return tide_container(owner, struct tide_group, owner);
}

/* ---- what children tell ---- */

static void cancel_child(struct tide_future *child, void *arg)
{
    (void)arg;
    tide_future_cancel_for(child, TIDE_CANCEL_SIBLING);
}

/* Takes a child that has ended off the list; true if it was the last. */
static bool let_go_locked(struct tide_group *group, struct tide_future *child)
{
    assert(child->place == TIDE_FUTURE_LAUNCHED);
    tide_list_remove(&child->link);
    child->place = TIDE_FUTURE_NOWHERE;
    return --group->outstanding == 0;
}

/* Keeps a failed child; true if it is the first, so that the siblings have to be cancelled. */
static bool keep_failure_locked(struct tide_group *group, struct tide_future *child)
{
    tide_future_mark(child, TIDE_FUTURE_OBSERVED);
    tide_future_ref(child);
    tide_list_append(&group->failures, &child->link);
    if (group->failure_count++ > 0)
        return false;
    group->cancelled = true;
    if (group->inside)
        tide_cancel_request(&group->scope, TIDE_CANCEL_SIBLING);
    return true;
}

static void child_ended(struct tide_future_owner *owner, struct tide_future *child)
{
    struct tide_group *group = group_of(owner);
    struct tide_fifo woken = {0};
    bool first = false;
    tide_mutex_lock(&group->lock);
    bool last = let_go_locked(group, child);
    if (tide_future_state(child) == TIDE_FUTURE_FAILED)
        first = keep_failure_locked(group, child);
    if (last)
        tide_wait_claim_all(&group->waiters, &woken);
    else if (first) /* the others may end, and the group with them, while they are being cancelled */
        tide_object_ref(&owner->object);
    tide_mutex_unlock(&group->lock);
    tide_wait_post_all(&woken);
    if (first && !last)
        tide_future_each(&group->lock, &group->children, cancel_child, NULL);
    if (first || last) /* the reference from above, or the one that outstanding children hold */
        tide_object_unref(&owner->object);
}

static const struct tide_future_owner_calls calls = {.dropped = child_ended, .finished = child_ended};

/* ---- life ---- */

static void destroy(struct tide_object *object)
{
    struct tide_group *group = tide_container(object, struct tide_group, owner.object);
    struct tide_list *link;
    assert(!group->outstanding && !group->inside && tide_list_empty(&group->waiters));
    while ((link = tide_list_pop(&group->failures)) != NULL)
        tide_future_unref(tide_container(link, struct tide_future, link));
    tide_free(group);
}

const struct tide_class tide_group_class = {"tidemill.scope", destroy};

struct tide_group *tide_group_new(void)
{
    struct tide_group *group = tide_calloc(1, sizeof *group);
    if (!group)
        return NULL;
    tide_object_init(&group->owner.object, &tide_group_class);
    group->owner.calls = &calls;
    tide_list_init(&group->children);
    tide_list_init(&group->failures);
    tide_list_init(&group->waiters);
    return group;
}

int tide_group_open(struct tide_group *group, struct tide_task *task, int64_t deadline)
{
    int failed = tide_cancel_open(&group->scope, task, deadline);
    if (failed)
        return failed;
    tide_mutex_lock(&group->lock);
    group->inside = true;
    if (group->failure_count > 0)
        tide_cancel_request(&group->scope, TIDE_CANCEL_SIBLING);
    tide_mutex_unlock(&group->lock);
    return 0;
}

void tide_group_close(struct tide_group *group)
{
    tide_mutex_lock(&group->lock);
    assert(group->inside);
    group->inside = false;
    tide_mutex_unlock(&group->lock);
    tide_cancel_close(&group->scope);
}

/* ---- children ---- */

int tide_group_add(struct tide_group *group, struct tide_future *future)
{
    tide_mutex_lock(&group->lock);
    if (group->cancelled) {
        tide_mutex_unlock(&group->lock);
        return TIDE_ESHUTDOWN;
    }
    tide_future_adopt(future, &group->owner);
    future->place = TIDE_FUTURE_LAUNCHED;
    tide_list_append(&group->children, &future->link);
    if (group->outstanding++ == 0)
        tide_object_ref(&group->owner.object);
    tide_mutex_unlock(&group->lock);
    tide_future_launch(future, TIDE_LAUNCH_LAST);
    return 0;
}

void tide_group_cancel(struct tide_group *group)
{
    tide_mutex_lock(&group->lock);
    group->cancelled = true;
    tide_mutex_unlock(&group->lock);
    tide_future_each(&group->lock, &group->children, cancel_child, NULL);
}

int tide_group_enqueue(struct tide_group *group, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&group->lock);
    bool ended = group->outstanding == 0;
    if (!ended)
        tide_wait_on(&group->waiters, waiter, task);
    tide_mutex_unlock(&group->lock);
    return ended;
}

void tide_group_leave(struct tide_group *group, struct tide_waiter *waiter)
{
    tide_mutex_lock(&group->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&group->lock);
}

struct tide_future *tide_group_failure(struct tide_group *group, struct tide_future *previous)
{
    tide_mutex_lock(&group->lock);
    struct tide_list *link = previous ? previous->link.next : group->failures.next;
    bool end = link == &group->failures;
    tide_mutex_unlock(&group->lock);
    return end ? NULL : tide_container(link, struct tide_future, link);
}

uint64_t tide_group_outstanding(struct tide_group *group)
{
    tide_mutex_lock(&group->lock);
    uint64_t outstanding = group->outstanding;
    tide_mutex_unlock(&group->lock);
    return outstanding;
}
