#include "exec/thread.h"

#include "base/alloc.h"
#include "base/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct tide_thread_name {
    struct tide_thread_name *older;
    char text[];
};

static void never(struct tide_object *object)
{
    (void)object;
    assert(!"the registry goes with the process");
}

static void on_ending(struct tide_future_owner *owner, struct tide_future *future, enum tide_future_state state);
static void on_dropped(struct tide_future_owner *owner, struct tide_future *future);
static void on_finished(struct tide_future_owner *owner, struct tide_future *future);

static const struct tide_class registry_class = {"tidemill.threads", never};
static const struct tide_future_owner_calls calls = {.ending = on_ending, .dropped = on_dropped, .finished = on_finished};

static struct {
    struct tide_future_owner owner; /* fixed: one reference is the process's */
    struct tide_mutex lock;
    /* protected by lock; the counts are read without */
    struct tide_list threads; /* started and unfinished, place LAUNCHED */
    _Atomic size_t count;
    _Atomic uint32_t numbers; /* any thread: the last of "Thread-7" */
} registry = {
    .owner = {.object = {.class = &registry_class, .refs = 1}, .calls = &calls},
    .threads = {&registry.threads, &registry.threads},
};

void (*tide_thread_failed)(struct tide_thread *thread);

/* ---- failures ---- */

static bool wanted(struct tide_thread *thread)
{
    enum { told = TIDE_FUTURE_OBSERVED | TIDE_FUTURE_IGNORED };
    return !(atomic_load(&thread->future.marks) & told) && atomic_load(&thread->askers) == 0;
}

/* It fails or has failed: tells it, once, unless somebody waits for it who will know. */
static void tell(struct tide_thread *thread)
{
    if (!tide_thread_failed || !wanted(thread))
        return;
    if (!(atomic_fetch_or(&thread->future.marks, TIDE_FUTURE_OBSERVED) & TIDE_FUTURE_OBSERVED))
        tide_thread_failed(thread);
}

/* The same once it is complete: whoever came to ask after `on_ending` looked is counted, or sees that it is complete. */
static void tell_late(struct tide_thread *thread)
{
    if (tide_future_state(&thread->future) == TIDE_FUTURE_FAILED)
        tell(thread);
}

void tide_thread_ask(struct tide_thread *thread)
{
    atomic_fetch_add(&thread->askers, 1);
}

void tide_thread_answered(struct tide_thread *thread)
{
    tide_future_mark(&thread->future, TIDE_FUTURE_OBSERVED);
    atomic_fetch_sub(&thread->askers, 1);
}

void tide_thread_gave_up(struct tide_thread *thread)
{
    atomic_fetch_sub(&thread->askers, 1);
    tell_late(thread);
}

/* ---- what the future tells ---- */

/* Of a future in the registry. */
static struct tide_thread *thread_of(struct tide_future *future)
{
    return tide_container(future, struct tide_thread, future);
}

/* The future leaves the registry; true if it was a daemon. */
static bool let_go(struct tide_future *future)
{
    struct tide_thread *thread = thread_of(future);
    tide_mutex_lock(&registry.lock);
    assert(future->place == TIDE_FUTURE_LAUNCHED);
    tide_list_remove(&future->link);
    future->place = TIDE_FUTURE_NOWHERE;
    atomic_fetch_sub(&registry.count, 1);
    tide_mutex_unlock(&registry.lock);
    return atomic_load(&thread->daemon);
}

/* After all else: the program may end now. */
static void release(bool daemon)
{
    struct tide_runtime *runtime = tide_runtime_get();
    if (daemon)
        tide_runtime_daemon_drop(runtime);
    else
        tide_runtime_release(runtime);
}

static void on_ending(struct tide_future_owner *owner, struct tide_future *future, enum tide_future_state state)
{
    (void)owner;
    let_go(future); /* who is woken by its end does not find it any more */
    if (state == TIDE_FUTURE_FAILED)
        tell(thread_of(future));
}

static void on_finished(struct tide_future_owner *owner, struct tide_future *future)
{
    (void)owner;
    tell_late(thread_of(future));
    release(atomic_load(&thread_of(future)->daemon));
}

static void on_dropped(struct tide_future_owner *owner, struct tide_future *future)
{
    (void)owner;
    bool daemon = let_go(future);
    tell_late(thread_of(future));
    release(daemon);
}

/* ---- life ---- */

static void destroy(struct tide_object *object)
{
    struct tide_thread *thread = tide_container(object, struct tide_thread, future.object);
    struct tide_thread_name *name = atomic_load(&thread->name);
    tide_future_fini(&thread->future); /* may report, by its name */
    while (name) {
        struct tide_thread_name *older = name->older;
        tide_free(name);
        name = older;
    }
    tide_free(thread);
}

const struct tide_class tide_thread_class = {"tidemill.thread", destroy, .kept = 1};

struct tide_thread *tide_thread_new(void (*start)(struct tide_entry *entry, struct tide_worker *worker), bool daemon)
{
    struct tide_thread *thread = tide_calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    tide_future_init(&thread->future, &tide_thread_class, start);
    atomic_store(&thread->daemon, daemon);
    return thread;
}

struct tide_thread *tide_thread_stand(const char *name, uint32_t id)
{
    struct tide_thread *thread = tide_thread_new(NULL, false);
    if (!thread || tide_thread_set_name(thread, name) != 0) {
        tide_thread_unref(thread);
        return NULL;
    }
    atomic_store(&thread->id, id);
    atomic_store(&thread->phase, TIDE_THREAD_STANDS);
    return thread;
}

void tide_thread_stood(struct tide_thread *thread)
{
    atomic_store(&thread->phase, TIDE_THREAD_STOOD);
}

/* ---- before the start ---- */

/* Takes the name over. */
static int rename_to(struct tide_thread *thread, struct tide_thread_name *name)
{
    tide_mutex_lock(&registry.lock);
    bool new = tide_thread_phase(thread) == TIDE_THREAD_NEW;
    if (new) {
        name->older = atomic_load(&thread->name);
        atomic_store(&thread->name, name);
    }
    tide_mutex_unlock(&registry.lock);
    if (!new)
        tide_free(name);
    return new ? 0 : TIDE_EAGAIN;
}

int tide_thread_set_name(struct tide_thread *thread, const char *text)
{
    size_t size = strlen(text) + 1;
    struct tide_thread_name *name = tide_malloc(sizeof *name + size);
    if (!name)
        return TIDE_ENOMEM;
    memcpy(name->text, text, size);
    return rename_to(thread, name);
}

int tide_thread_name_after(struct tide_thread *thread, const char *function)
{
    /* "fetch (script.lua:3)" is "fetch" here, reports have the place in the traceback; "function at script.lua:3" stays */
    const char *place = strncmp(function, "function at ", 12) == 0 ? NULL : strstr(function, " (");
    int length = place ? (int)(place - function) : (int)strlen(function);
    unsigned number = atomic_fetch_add_explicit(&registry.numbers, 1, memory_order_relaxed) + 1;
    size_t size = (size_t)length + sizeof "Thread-4294967295 ()";
    struct tide_thread_name *name = tide_malloc(sizeof *name + size);
    if (!name)
        return TIDE_ENOMEM;
    snprintf(name->text, size, "Thread-%u (%.*s)", number, length, function);
    return rename_to(thread, name);
}

int tide_thread_set_daemon(struct tide_thread *thread, bool daemon)
{
    tide_mutex_lock(&registry.lock);
    bool new = tide_thread_phase(thread) == TIDE_THREAD_NEW;
    if (new)
        atomic_store(&thread->daemon, daemon);
    tide_mutex_unlock(&registry.lock);
    return new ? 0 : TIDE_EAGAIN;
}

int tide_thread_launch(struct tide_thread *thread)
{
    struct tide_future *future = &thread->future;
    struct tide_runtime *runtime = tide_runtime_get();
    tide_mutex_lock(&registry.lock);
    enum tide_thread_phase phase = tide_thread_phase(thread);
    if (phase == TIDE_THREAD_NEW) {
        tide_future_adopt(future, &registry.owner); /* nobody cancels one that is new without this lock */
        future->name = tide_thread_name(thread);
        future->place = TIDE_FUTURE_LAUNCHED;
        tide_list_append(&registry.threads, &future->link);
        atomic_fetch_add(&registry.count, 1);
        if (atomic_load(&thread->daemon))
            tide_runtime_daemon_add(runtime);
        else
            tide_runtime_hold(runtime);
        atomic_store(&thread->id, atomic_fetch_add_explicit(&runtime->next_task_id, 1, memory_order_relaxed) + 1);
        atomic_store(&thread->phase, TIDE_THREAD_STARTED);
    }
    tide_mutex_unlock(&registry.lock);
    if (phase != TIDE_THREAD_NEW)
        return phase == TIDE_THREAD_WITHDRAWN ? TIDE_ECANCELED : TIDE_EAGAIN;
    tide_future_launch(future, TIDE_LAUNCH_LAST);
    return 0;
}

/* ---- asking ---- */

const char *tide_thread_name(struct tide_thread *thread)
{
    struct tide_thread_name *name = atomic_load(&thread->name);
    return name ? name->text : "?";
}

bool tide_thread_is_alive(struct tide_thread *thread)
{
    switch (tide_thread_phase(thread)) {
    case TIDE_THREAD_STARTED: return !tide_future_done(&thread->future);
    case TIDE_THREAD_STANDS: return true;
    default: return false;
    }
}

bool tide_thread_cancel(struct tide_thread *thread)
{
    tide_mutex_lock(&registry.lock);
    enum tide_thread_phase phase = tide_thread_phase(thread);
    if (phase == TIDE_THREAD_NEW)
        atomic_store(&thread->phase, TIDE_THREAD_WITHDRAWN);
    tide_mutex_unlock(&registry.lock);
    if (phase == TIDE_THREAD_STANDS || phase == TIDE_THREAD_STOOD)
        return false;
    return tide_future_cancel(&thread->future);
}

/* ---- the registry ---- */

size_t tide_threads_count(void)
{
    return atomic_load(&registry.count);
}

size_t tide_threads_list(struct tide_thread **out, size_t room)
{
    size_t count = 0;
    tide_mutex_lock(&registry.lock);
    tide_list_each (link, &registry.threads) {
        struct tide_thread *thread = thread_of(tide_container(link, struct tide_future, link));
        if (count < room) {
            tide_thread_ref(thread);
            out[count] = thread;
        }
        count++;
    }
    tide_mutex_unlock(&registry.lock);
    return count;
}
