#include "sync/semaphore.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>

enum { WAITED = 1, PERMIT = 2 };

static void destroy(struct tide_object *object)
{
    struct tide_semaphore *semaphore = tide_container(object, struct tide_semaphore, object);
    assert(tide_list_empty(&semaphore->waiters));
    tide_free(semaphore);
}

const struct tide_class tide_semaphore_class = {"tidemill.semaphore", destroy};

struct tide_semaphore *tide_semaphore_new(int64_t permits, int64_t bound)
{
    assert(permits >= 0 && permits <= bound && bound <= TIDE_SEMAPHORE_MAX);
    struct tide_semaphore *semaphore = tide_calloc(1, sizeof *semaphore);
    if (!semaphore)
        return NULL;
    tide_object_init(&semaphore->object, &tide_semaphore_class);
    semaphore->bound = bound;
    atomic_init(&semaphore->word, (uint64_t)permits * PERMIT);
    tide_list_init(&semaphore->waiters);
    return semaphore;
}

bool tide_semaphore_try(struct tide_semaphore *semaphore)
{
    uint64_t word = atomic_load_explicit(&semaphore->word, memory_order_relaxed);
    while (word >= PERMIT)
        if (atomic_compare_exchange_weak(&semaphore->word, &word, word - PERMIT))
            return true;
    return false;
}

/* While nobody waits: adds n permits. 1: somebody waits, nothing was changed. */
static int add(struct tide_semaphore *semaphore, int64_t n)
{
    uint64_t word = atomic_load_explicit(&semaphore->word, memory_order_relaxed);
    while (!(word & WAITED)) {
        if (n > semaphore->bound - (int64_t)(word / PERMIT))
            return TIDE_EINVAL;
        if (atomic_compare_exchange_weak(&semaphore->word, &word, word + (uint64_t)n * PERMIT))
            return 0;
    }
    return 1;
}

/* Under the lock, while somebody waits, so that nobody else changes the word: serves up to n of them, and keeps the rest. */
static void serve(struct tide_semaphore *semaphore, int64_t n, struct tide_fifo *woken)
{
    struct tide_waiter *waiter;
    for (; n > 0 && (waiter = tide_wait_claim_first(&semaphore->waiters)) != NULL; n--)
        tide_fifo_push(woken, &waiter->task->mail.link);
    bool waited = !tide_list_empty(&semaphore->waiters);
    atomic_store(&semaphore->word, (uint64_t)n * PERMIT | (waited ? WAITED : 0));
}

int tide_semaphore_release(struct tide_semaphore *semaphore, int64_t n)
{
    struct tide_fifo woken = {0};
    int result = add(semaphore, n);
    if (result <= 0)
        return result;
    tide_mutex_lock(&semaphore->lock);
    result = add(semaphore, n); /* the last waiter may have left */
    if (result > 0) {
        result = n > semaphore->bound ? TIDE_EINVAL : 0;
        if (result == 0)
            serve(semaphore, n, &woken);
    }
    tide_mutex_unlock(&semaphore->lock);
    tide_wait_post_all(&woken);
    return result;
}

/* Under the lock. True: a permit was there and is taken. False: the word says that somebody waits. */
static bool take_or_mark(struct tide_semaphore *semaphore)
{
    while (!tide_semaphore_try(semaphore)) {
        uint64_t word = 0;
        if (atomic_compare_exchange_strong(&semaphore->word, &word, WAITED) || word == WAITED)
            return false;
    }
    return true;
}

int tide_semaphore_enqueue(struct tide_semaphore *semaphore, struct tide_waiter *waiter, struct tide_task *task)
{
    tide_mutex_lock(&semaphore->lock);
    bool taken = take_or_mark(semaphore);
    if (!taken)
        tide_wait_on(&semaphore->waiters, waiter, task);
    tide_mutex_unlock(&semaphore->lock);
    return taken;
}

void tide_semaphore_leave(struct tide_semaphore *semaphore, struct tide_waiter *waiter)
{
    tide_mutex_lock(&semaphore->lock);
    bool linked = tide_list_linked(&waiter->link);
    tide_list_remove(&waiter->link);
    if (linked && tide_list_empty(&semaphore->waiters))
        atomic_store(&semaphore->word, 0); /* it was the bit alone */
    tide_mutex_unlock(&semaphore->lock);
}
