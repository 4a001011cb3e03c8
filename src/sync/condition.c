#include "sync/condition.h"

#include "base/alloc.h"

#include <assert.h>

static void destroy(struct tide_object *object)
{
    struct tide_condition *condition = tide_container(object, struct tide_condition, object);
    assert(tide_list_empty(&condition->side.waiters));
    tide_lock_side_remove(condition->lock, &condition->side);
    tide_object_unref(&condition->lock->object);
    tide_free(condition);
}

const struct tide_class tide_condition_class = {"tidemill.condition", destroy};

struct tide_condition *tide_condition_new(struct tide_lock *lock)
{
    struct tide_condition *condition = tide_calloc(1, sizeof *condition);
    if (!condition)
        return NULL;
    tide_object_init(&condition->object, &tide_condition_class);
    tide_object_ref(&lock->object);
    condition->lock = lock;
    tide_lock_side_add(lock, &condition->side);
    return condition;
}

void tide_condition_enqueue(struct tide_condition *condition, struct tide_waiter *waiter, struct tide_task *task)
{
    assert(tide_lock_owner(condition->lock) == task);
    tide_mutex_lock(&condition->lock->mutex);
    tide_wait_on(&condition->side.waiters, waiter, task);
    tide_mutex_unlock(&condition->lock->mutex);
}

void tide_condition_leave(struct tide_condition *condition, struct tide_waiter *waiter)
{
    tide_mutex_lock(&condition->lock->mutex);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&condition->lock->mutex);
}

uint64_t tide_condition_notify(struct tide_condition *condition, uint64_t most)
{
    struct tide_fifo woken = {0};
    uint64_t count = 0;
    tide_mutex_lock(&condition->lock->mutex);
    while (count < most) {
        struct tide_waiter *waiter = tide_wait_claim_first(&condition->side.waiters);
        if (!waiter)
            break;
        tide_fifo_push(&woken, &waiter->task->mail.link);
        count++;
    }
    tide_mutex_unlock(&condition->lock->mutex);
    tide_wait_post_all(&woken);
    return count;
}
