#include "sync/lock.h"

#include "base/alloc.h"
#include "base/time.h"
#include "sched/runtime.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* The word: the address of the owning task, or zero, and in its lowest bits
 *
 *   WAITERS    the queue may have somebody: who releases looks there. Set and cleared under the mutex.
 *   COMPETING  a waiter was woken and has not had its turn yet: no other is woken meanwhile. Set under the mutex; cleared by
 *              that waiter, whatever its turn brought.
 *   ABANDONED  the owner has ended: nobody can take it.
 *   ORPHAN     the last reference has gone while it was held: the owner's end frees it. Set under the mutex.
 *
 * The owner changes from zero to a task by that task, or under the mutex to one whose wait was claimed; from a task to zero by
 * that task. So while WAITERS is set and the mutex is held an owner cannot let go, and cannot end. */
enum { WAITERS = 1, COMPETING = 2, ABANDONED = 4, ORPHAN = 8, MARKS = 15 };

static const int64_t patience = TIDE_MS(1); /* a waiter gets the lock at the next release after this */

enum { SPINS = 200 }; /* of some ten nanoseconds; what Lua does between two calls takes a hundred */

static struct tide_task *owner_of(uintptr_t word)
{
    return (struct tide_task *)(word & ~(uintptr_t)MARKS);
}

/* ---- life ---- */

static void free_lock(struct tide_lock *lock)
{
    assert(tide_list_empty(&lock->waiters) && tide_list_empty(&lock->sides));
    tide_free(lock->story);
    tide_free(lock->name);
    tide_free(lock);
}

static void destroy(struct tide_object *object)
{
    struct tide_lock *lock = tide_container(object, struct tide_lock, object);
    tide_mutex_lock(&lock->mutex); /* an owner that ends just now has unlocked it */
    uintptr_t word = atomic_fetch_or(&lock->word, ORPHAN);
    tide_mutex_unlock(&lock->mutex);
    if (!owner_of(word))
        free_lock(lock);
}

const struct tide_class tide_lock_class = {"tidemill.lock", destroy};

struct tide_lock *tide_lock_new(bool recursive, const char *name)
{
    struct tide_lock *lock = tide_calloc(1, sizeof *lock);
    if (!lock)
        return NULL;
    tide_object_init(&lock->object, &tide_lock_class);
    tide_list_init(&lock->waiters);
    tide_list_init(&lock->sides);
    lock->recursive = recursive;
    lock->name = name ? tide_strdup(name) : NULL;
    if (name && !lock->name) {
        tide_free(lock);
        return NULL;
    }
    return lock;
}

struct tide_task *tide_lock_owner(const struct tide_lock *lock)
{
    return owner_of(atomic_load_explicit(&lock->word, memory_order_relaxed));
}

/* ---- taking ---- */

/* Takes it if it is free; the marks in `cleared` go with it. */
static enum tide_lock_outcome try_clearing(struct tide_lock *lock, struct tide_task *task, uintptr_t cleared)
{
    uintptr_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    for (;;) {
        if (word & ABANDONED)
            return TIDE_LOCK_ABANDONED;
        if (owner_of(word))
            return TIDE_LOCK_HELD;
        /* orders: as in tide_lock_try */
        if (atomic_compare_exchange_weak_explicit(&lock->word, &word, (uintptr_t)task | (word & MARKS & ~cleared),
                                                  memory_order_acq_rel, memory_order_relaxed))
            break;
    }
    tide_lock_own(lock, task);
    return TIDE_LOCK_TAKEN;
}

enum tide_lock_outcome tide_lock_try_taken(struct tide_lock *lock, struct tide_task *task)
{
    if (tide_lock_owner(lock) != task)
        return try_clearing(lock, task, 0);
    if (!lock->recursive)
        return TIDE_LOCK_OWN;
    lock->depth++;
    return TIDE_LOCK_TAKEN;
}

/* A CPU is free for the owner, and it uses it: soon it will let go. */
static bool worth_spinning(struct tide_task *owner, struct tide_worker *here)
{
    struct tide_worker *there = owner->worker;
    return there != here && atomic_load_explicit(&there->running, memory_order_relaxed) == owner;
}

static enum tide_lock_outcome spin(struct tide_lock *lock, struct tide_task *task, uintptr_t cleared)
{
    struct tide_runtime *runtime = task->worker->runtime;
    enum tide_lock_outcome how = TIDE_LOCK_HELD;
    if (atomic_load_explicit(&runtime->awake, memory_order_relaxed) > runtime->cpus)
        return how;
    for (int i = 0; i < SPINS; i++) {
        /* acquire: the owner's record was made before it took the lock */
        struct tide_task *owner = owner_of(atomic_load_explicit(&lock->word, memory_order_acquire));
        if (!owner && (how = try_clearing(lock, task, cleared)) != TIDE_LOCK_HELD)
            return how;
        if (owner && !worth_spinning(owner, task->worker))
            return how;
        tide_cpu_pause();
    }
    return how;
}

enum tide_lock_outcome tide_lock_spin(struct tide_lock *lock, struct tide_task *task)
{
    return spin(lock, task, 0);
}

/* Under the mutex: marks that somebody is queued, so that the owner's release comes here. */
static enum tide_lock_outcome mark_or_take(struct tide_lock *lock, struct tide_task *task, uintptr_t cleared)
{
    uintptr_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    for (;;) {
        if (!owner_of(word)) { /* abandoned, too */
            enum tide_lock_outcome how = try_clearing(lock, task, cleared);
            if (how != TIDE_LOCK_HELD)
                return how;
            word = atomic_load_explicit(&lock->word, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak(&lock->word, &word, (word | WAITERS) & ~cleared)) {
            return TIDE_LOCK_HELD;
        }
    }
}

enum tide_lock_outcome tide_lock_enqueue(struct tide_lock *lock, struct tide_waiter *waiter, struct tide_task *task,
                                         enum tide_lock_waiting sort)
{
    int64_t since = sort == TIDE_LOCK_NEWCOMER ? tide_now_ns() : waiter->item.as.integer;
    tide_mutex_lock(&lock->mutex);
    enum tide_lock_outcome how = mark_or_take(lock, task, sort == TIDE_LOCK_LOST ? COMPETING : 0);
    if (how == TIDE_LOCK_HELD) {
        struct tide_list *behind = sort == TIDE_LOCK_NEWCOMER ? &lock->waiters : lock->waiters.next;
        tide_wait_on(behind, waiter, task); /* before what it is given, which makes it the last or the first */
        waiter->item = (struct tide_item){.kind = TIDE_ITEM_INTEGER, .as.integer = since};
    }
    tide_mutex_unlock(&lock->mutex);
    return how;
}

enum tide_lock_outcome tide_lock_resume(struct tide_lock *lock, struct tide_task *task)
{
    if (owner_of(atomic_load_explicit(&lock->word, memory_order_acquire)) == task) { /* handed over */
        tide_lock_own(lock, task);
        return TIDE_LOCK_TAKEN;
    }
    enum tide_lock_outcome how = try_clearing(lock, task, COMPETING);
    return how == TIDE_LOCK_HELD ? spin(lock, task, COMPETING) : how;
}

void tide_lock_pass_on(struct tide_lock *lock)
{
    struct tide_task *next = NULL;
    tide_mutex_lock(&lock->mutex);
    uintptr_t word = atomic_fetch_and(&lock->word, ~(uintptr_t)COMPETING);
    if (!owner_of(word) && !(word & ABANDONED)) { /* released just now: nobody else will wake the next */
        struct tide_waiter *waiter = tide_wait_claim_first(&lock->waiters);
        next = waiter ? waiter->task : NULL;
        if (next)
            atomic_fetch_or(&lock->word, COMPETING);
    }
    tide_mutex_unlock(&lock->mutex);
    if (next)
        tide_wait_post(next);
}

void tide_lock_leave(struct tide_lock *lock, struct tide_waiter *waiter)
{
    tide_mutex_lock(&lock->mutex);
    tide_list_remove(&waiter->link);
    if (tide_list_empty(&lock->waiters)) /* releases need not look any more */
        atomic_fetch_and(&lock->word, ~(uintptr_t)WAITERS);
    tide_mutex_unlock(&lock->mutex);
}

void tide_lock_file_set(struct tide_lock_file *file, const char *name)
{
    size_t size = strnlen(name, sizeof file->words - 1);
    memset(file->words, 0, sizeof file->words);
    memcpy(file->words, name, size);
    file->count = (int)(size / sizeof *file->words) + 1;
}

/* ---- letting go ---- */

/* Under the mutex: the lock passes to the first waiter that can be claimed, or becomes free. */
static struct tide_task *hand_over(struct tide_lock *lock)
{
    struct tide_waiter *waiter = tide_wait_claim_first(&lock->waiters);
    uintptr_t next = waiter ? (uintptr_t)waiter->task : 0;
    uintptr_t marks = tide_list_empty(&lock->waiters) ? 0 : WAITERS;
    uintptr_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
    if (waiter) /* it does not run yet: it cannot tell where it takes it */
        atomic_store_explicit(&lock->line, 0, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&lock->word, &word, next | marks | (word & COMPETING)))
        ;
    return waiter ? waiter->task : NULL;
}

/* Under the mutex: it becomes free, and one waiter competes for it. */
static struct tide_task *let_compete(struct tide_lock *lock)
{
    struct tide_waiter *waiter = NULL;
    uintptr_t word = atomic_load_explicit(&lock->word, memory_order_relaxed), competing;
    do {
        if (!waiter && !(word & COMPETING))
            waiter = tide_wait_claim_first(&lock->waiters);
        competing = waiter ? COMPETING : word & COMPETING;
    } while (!atomic_compare_exchange_weak(&lock->word, &word, competing | (tide_list_empty(&lock->waiters) ? 0 : WAITERS)));
    return waiter ? waiter->task : NULL;
}

static void release_to_waiters(struct tide_lock *lock)
{
    tide_mutex_lock(&lock->mutex);
    bool patient = true;
    if (!tide_list_empty(&lock->waiters)) {
        struct tide_waiter *first = tide_container(lock->waiters.next, struct tide_waiter, link);
        patient = tide_now_ns() - first->item.as.integer < patience;
    }
    struct tide_task *next = patient ? let_compete(lock) : hand_over(lock);
    tide_mutex_unlock(&lock->mutex);
    if (next)
        tide_wait_post(next);
}

uint64_t tide_lock_release_all(struct tide_lock *lock, struct tide_task *task)
{
    uint64_t depth = lock->depth;
    uintptr_t word = (uintptr_t)task;
    tide_list_remove(&lock->link);
    /* release: pairs with the acquire of who takes it next */
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &word, 0, memory_order_release, memory_order_relaxed))
        release_to_waiters(lock);
    return depth;
}

bool tide_lock_release(struct tide_lock *lock, struct tide_task *task)
{
    if (tide_lock_owner(lock) != task)
        return false;
    if (lock->depth > 1)
        lock->depth--;
    else
        tide_lock_release_all(lock, task);
    return true;
}

/* ---- abandoned ---- */

static void append_place(struct tide_lock *lock, struct tide_strbuf *out)
{
    union {
        uint64_t words[TIDE_LOCK_FILE_WORDS];
        char text[TIDE_LOCK_FILE_WORDS * sizeof(uint64_t)];
    } file;
    int line = atomic_load_explicit(&lock->line, memory_order_relaxed);
    for (int i = 0; i < TIDE_LOCK_FILE_WORDS; i++)
        file.words[i] = atomic_load_explicit(&lock->file[i], memory_order_relaxed);
    file.text[sizeof file.text - 1] = 0;
    if (line > 0)
        tide_strbuf_printf(out, " at %s:%d", file.text, line);
}

static void abandon(struct tide_lock *lock, struct tide_task *task)
{
    struct tide_strbuf story = {0};
    struct tide_fifo woken = {0};
    tide_strbuf_printf(&story, "'%s' took it", tide_task_name(task));
    append_place(lock, &story);
    tide_strbuf_puts(&story, " and ended without releasing it");
    tide_list_remove(&lock->link);
    tide_mutex_lock(&lock->mutex);
    lock->story = story.failed ? NULL : tide_strbuf_detach(&story);
    bool orphan = atomic_exchange(&lock->word, ABANDONED) & ORPHAN;
    tide_wait_claim_all(&lock->waiters, &woken);
    tide_list_each (link, &lock->sides)
        tide_wait_claim_all(&tide_container(link, struct tide_lock_side, link)->waiters, &woken);
    tide_mutex_unlock(&lock->mutex);
    if (orphan)
        free_lock(lock);
    tide_wait_post_all(&woken); /* the lock may be gone */
    tide_strbuf_fini(&story);
}

void tide_lock_abandon_held(struct tide_task *task)
{
    while (!tide_list_empty(&task->held))
        abandon(tide_container(task->held.next, struct tide_lock, link), task);
}

bool tide_lock_reset(struct tide_lock *lock)
{
    char *story = NULL;
    tide_mutex_lock(&lock->mutex);
    bool abandoned = atomic_load(&lock->word) & ABANDONED;
    if (abandoned) {
        story = lock->story;
        lock->story = NULL;
        atomic_store(&lock->word, 0);
    }
    tide_mutex_unlock(&lock->mutex);
    tide_free(story);
    return abandoned;
}

/* ---- conditions ---- */

void tide_lock_side_add(struct tide_lock *lock, struct tide_lock_side *side)
{
    tide_list_init(&side->waiters);
    tide_mutex_lock(&lock->mutex);
    tide_list_append(&lock->sides, &side->link);
    tide_mutex_unlock(&lock->mutex);
}

void tide_lock_side_remove(struct tide_lock *lock, struct tide_lock_side *side)
{
    tide_mutex_lock(&lock->mutex);
    tide_list_remove(&side->link);
    tide_mutex_unlock(&lock->mutex);
}

/* ---- reports ---- */

/* Under the mutex: the owner, who from here on cannot let go until it is unlocked. */
static struct tide_task *pin_owner(struct tide_lock *lock)
{
    uintptr_t word = atomic_load(&lock->word);
    while (owner_of(word) && !atomic_compare_exchange_weak(&lock->word, &word, word | WAITERS))
        ;
    return owner_of(word);
}

void tide_lock_describe_name(struct tide_lock *lock, struct tide_strbuf *out)
{
    tide_strbuf_puts(out, lock->recursive ? "rlock" : "lock");
    if (lock->name)
        tide_strbuf_printf(out, " '%s'", lock->name);
}

void tide_lock_describe(struct tide_lock *lock, struct tide_strbuf *out)
{
    tide_mutex_lock(&lock->mutex);
    struct tide_task *owner = pin_owner(lock);
    if (owner) {
        tide_strbuf_printf(out, "held by '%s', taken", tide_task_name(owner));
        append_place(lock, out);
    } else if (atomic_load(&lock->word) & ABANDONED) {
        tide_strbuf_printf(out, "abandoned: %s", lock->story ? lock->story : "its owner ended without releasing it");
    } else {
        tide_strbuf_puts(out, "free");
    }
    tide_mutex_unlock(&lock->mutex);
}

static struct tide_task *edge_owner(struct tide_object *object)
{
    return tide_lock_owner(tide_container(object, struct tide_lock, object));
}

static void edge_describe(struct tide_object *object, struct tide_strbuf *out)
{
    struct tide_lock *lock = tide_container(object, struct tide_lock, object);
    tide_lock_describe_name(lock, out);
    tide_strbuf_puts(out, " ");
    tide_lock_describe(lock, out);
}

const struct tide_edge_class tide_lock_edge = {"the", edge_owner, edge_describe, "release"};
