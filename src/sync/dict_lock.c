#include "sync/dict_lock.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <stdio.h>

enum { WANTS_LOCK, VALUE_DOES }; /* waiter->index */

struct tide_dict_lock {
    struct tide_object object;  /* referred to by its hold and by those who wait; the shard's table only points to it */
    struct tide_dict *dict;
    struct tide_item key;
    struct tide_dict_shard *shard;
    /* protected by shard->lock */
    struct tide_task *owner;    /* never NULL while it is in the shard's table */
    struct tide_list waiters;
};

static void destroy(struct tide_object *object)
{
    struct tide_dict_lock *lock = tide_container(object, struct tide_dict_lock, object);
    assert(tide_list_empty(&lock->waiters));
    tide_item_drop(&lock->key);
    tide_object_unref(&lock->dict->holder.object);
    tide_free(lock);
}

static const struct tide_class lock_class = {"tidemill.dict_lock", destroy};

static struct tide_dict_lock *new_lock(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *owner)
{
    struct tide_dict_lock *lock = tide_calloc(1, sizeof *lock);
    if (!lock)
        return NULL;
    if (tide_dict_key_item(key, &lock->key) != 0) {
        tide_free(lock);
        return NULL;
    }
    tide_object_init(&lock->object, &lock_class);
    tide_object_ref(&dict->holder.object);
    lock->dict = dict;
    lock->shard = tide_dict_shard_of(dict, key->hash);
    lock->owner = owner;
    tide_list_init(&lock->waiters);
    return lock;
}

/* ---- the edge ---- */

static struct tide_task *owner_of(struct tide_object *object)
{
    struct tide_dict_lock *lock = tide_container(object, struct tide_dict_lock, object);
    tide_mutex_lock(&lock->shard->lock);
    struct tide_task *owner = lock->owner;
    tide_mutex_unlock(&lock->shard->lock);
    return owner;
}

static void describe(struct tide_object *object, struct tide_strbuf *out)
{
    struct tide_dict_lock *lock = tide_container(object, struct tide_dict_lock, object);
    char name[128] = "";
    tide_mutex_lock(&lock->shard->lock); /* while it has the lock it cannot end */
    if (lock->owner)
        snprintf(name, sizeof name, "%s", tide_task_name(lock->owner));
    tide_mutex_unlock(&lock->shard->lock);
    tide_dict_key_describe(&lock->key, out);
    if (*name)
        tide_strbuf_printf(out, " of a dict, which '%s' updates", name);
}

const struct tide_edge_class tide_dict_lock_edge = {"key", owner_of, describe};

struct tide_object *tide_dict_lock_object(const struct tide_dict_hold *hold)
{
    return &hold->lock->object;
}

/* ---- taking ---- */

static struct tide_dict_lock *find(struct tide_dict_shard *shard, const struct tide_dict_key *key)
{
    struct tide_dict_entry *entry = tide_dict_table_find(&shard->locks, key);
    return entry ? entry->value.as.pointer : NULL;
}

/* The task has the lock now. */
static void hold_it(struct tide_dict_hold *hold, struct tide_task *task, struct tide_dict_lock *lock)
{
    hold->lock = lock;
    tide_list_append(&task->keys, &hold->link);
}

/* The lock of another: queues on it where there is a waiter. */
static int meet(struct tide_dict_lock *lock, struct tide_task *task, struct tide_waiter *waiter, uint32_t wants,
                struct tide_dict_hold *hold)
{
    if (lock->owner == task)
        return TIDE_EDEADLK;
    if (!waiter)
        return TIDE_EAGAIN;
    tide_wait_on(&lock->waiters, waiter, task);
    waiter->index = wants;
    tide_object_ref(&lock->object);
    hold->lock = lock;
    return 1;
}

static int take(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *task,
                struct tide_waiter *waiter, uint32_t wants, struct tide_dict_hold *hold)
{
    struct tide_dict_shard *shard = tide_dict_shard_of(dict, key->hash);
    struct tide_dict_lock *fresh = NULL;
    int result;
    assert(!hold->lock);
    for (;;) {
        tide_mutex_lock(&shard->lock);
        struct tide_dict_lock *lock = find(shard, key);
        bool full = tide_dict_table_full(&shard->locks);
        if (lock)
            result = meet(lock, task, waiter, wants, hold);
        else if (fresh && !full)
            result = 0;
        else
            result = TIDE_ENOMEM;
        if (result == 0) /* the table's key refers to the same text as the lock's, which outlives it */
            tide_dict_table_insert(&shard->locks, key, fresh->key,
                                   (struct tide_item){.kind = TIDE_ITEM_POINTER, .as.pointer = fresh});
        tide_mutex_unlock(&shard->lock);
        if (result != TIDE_ENOMEM)
            break;
        if (!fresh && !(fresh = new_lock(dict, key, task)))
            break;
        if (full && tide_dict_resize(shard, &shard->locks) != 0)
            break;
    }
    if (result == 0)
        hold_it(hold, task, fresh);
    else if (fresh)
        tide_object_unref(&fresh->object);
    return result;
}

int tide_dict_lock_try(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *task,
                       struct tide_dict_hold *hold)
{
    return take(dict, key, task, NULL, 0, hold);
}

int tide_dict_lock_queue(struct tide_dict *dict, const struct tide_dict_key *key, struct tide_task *task,
                         struct tide_waiter *waiter, bool value_does, struct tide_dict_hold *hold)
{
    return take(dict, key, task, waiter, value_does ? VALUE_DOES : WANTS_LOCK, hold);
}

bool tide_dict_lock_decided(struct tide_dict_hold *hold, struct tide_task *task, struct tide_waiter *waiter,
                            enum tide_wait_state how)
{
    struct tide_dict_lock *lock = hold->lock;
    if (tide_dict_lock_held(hold) || !lock) /* it did not queue in the end, and the wait was interrupted all the same */
        return lock != NULL;
    if (how == TIDE_WAIT_WOKEN && waiter->item.kind == TIDE_ITEM_NONE) {
        hold_it(hold, task, lock);
        return true;
    }
    tide_mutex_lock(&lock->shard->lock);
    tide_list_remove(&waiter->link);
    tide_mutex_unlock(&lock->shard->lock);
    hold->lock = NULL;
    tide_object_unref(&lock->object);
    return false;
}

/* ---- giving back ---- */

struct tide_item tide_dict_lock_value(const struct tide_dict_hold *hold)
{
    struct tide_dict_key key = tide_dict_key_of(&hold->lock->key);
    return tide_dict_get(hold->lock->dict, &key);
}

/* Shard locked: the first who waits and wants the lock has it; those before who want a value are given the one there is. True
 * if somebody has it. */
static bool hand_over(struct tide_dict_lock *lock, const struct tide_dict_key *key, struct tide_fifo *woken)
{
    struct tide_waiter *waiter;
    while ((waiter = tide_wait_claim_first(&lock->waiters)) != NULL) {
        struct tide_dict_entry *entry =
            waiter->index == VALUE_DOES ? tide_dict_table_find(&lock->shard->values, key) : NULL;
        tide_fifo_push(woken, &waiter->task->mail.link);
        if (!entry) {
            lock->owner = waiter->task;
            return true;
        }
        waiter->item = tide_item_ref(entry->value);
    }
    return false;
}

void tide_dict_lock_release(struct tide_dict_hold *hold)
{
    struct tide_fifo woken = {0};
    struct tide_dict_lock *lock = hold->lock;
    bool sparse = false;
    if (!tide_dict_lock_held(hold))
        return;
    struct tide_dict_key key = tide_dict_key_of(&lock->key);
    struct tide_dict_shard *shard = lock->shard;
    tide_list_remove(&hold->link);
    hold->lock = NULL;
    tide_mutex_lock(&shard->lock);
    if (!hand_over(lock, &key, &woken)) {
        lock->owner = NULL;
        tide_dict_table_remove(&shard->locks, tide_dict_table_find(&shard->locks, &key));
        sparse = tide_dict_table_fit(&shard->locks) < shard->locks.room;
    }
    tide_mutex_unlock(&shard->lock);
    tide_wait_post_all(&woken);
    if (sparse)
        tide_dict_resize(shard, &shard->locks); /* without memory it stays large */
    tide_object_unref(&lock->object);
}

int tide_dict_lock_store(struct tide_dict_hold *hold, struct tide_item *value, struct tide_item *old)
{
    struct tide_dict_lock *lock = hold->lock;
    struct tide_dict_key key = tide_dict_key_of(&lock->key);
    int failed = tide_dict_exchange_own(lock->dict, &key, value, old);
    if (failed == 0)
        tide_dict_lock_release(hold);
    return failed;
}

void tide_dict_lock_release_all(struct tide_task *task)
{
    while (!tide_list_empty(&task->keys))
        tide_dict_lock_release(tide_container(task->keys.next, struct tide_dict_hold, link));
}
