#include "reactor/reactor.h"

#include "base/error.h"
#include "base/list.h"
#include "base/thread.h"
#include "base/time.h"
#include "sched/runtime.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <uv.h>

enum { STACK = 1024 * 1024, PARTS = 4 };

/* How long the end waits for jobs that are inside of the kernel. Sanitizers want to see everything freed. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { END_MS = 10000 };
#else
enum { END_MS = 100 };
#endif

static struct {
    struct tide_mutex start_lock; /* rank 10: as the starting of workers */
    /* written under start_lock, read by everybody who knows that it was started */
    struct tide_runtime *runtime;
    _Atomic bool started;
    pthread_t thread;

    /* any thread */
    struct tide_mailbox mail;
    _Atomic uint32_t asleep;      /* the reactor polls, or is about to: who posts must wake it */
    _Atomic uint32_t late;        /* threads inside of tide_reactor_post_late */
    _Atomic bool stopping;
    _Atomic bool stopped;         /* the thread touches nothing any more */
    struct tide_park ended;       /* main waits here for the end */

    /* reactor */
    uv_loop_t loop;
    uv_async_t wake;
    uv_prepare_t before;          /* the poll */
    uv_check_t after;
    const struct tide_reactor_part *parts[PARTS];
    int part_count;
} reactor;

const char *tide_reactor_uv_version(void)
{
    return uv_version_string();
}

uv_loop_t *tide_reactor_loop(void)
{
    return &reactor.loop;
}

struct tide_runtime *tide_reactor_runtime(void)
{
    return reactor.runtime;
}

int64_t tide_reactor_now_ns(void)
{
    return (int64_t)(uv_now(&reactor.loop) * 1000000); /* libuv's clock is CLOCK_MONOTONIC too */
}

void tide_reactor_add_part(const struct tide_reactor_part *part)
{
    for (int i = 0; i < reactor.part_count; i++)
        if (reactor.parts[i] == part)
            return;
    assert(reactor.part_count < PARTS);
    reactor.parts[reactor.part_count++] = part;
}

void tide_reactor_post(struct tide_mail *mail)
{
    tide_mailbox_push(&reactor.mail, mail);
    if (atomic_load(&reactor.asleep) && atomic_exchange(&reactor.asleep, 0))
        uv_async_send(&reactor.wake); /* the handle lives until stop, when no task is left that could post */
}

/* seq_cst: who is not counted before the end looks at `late` sees `asleep` as the end has left it. */
void tide_reactor_post_late(struct tide_mail *mail)
{
    atomic_fetch_add(&reactor.late, 1);
    tide_reactor_post(mail);
    atomic_fetch_sub(&reactor.late, 1);
}

static void take_mail(void)
{
    struct tide_link *link = tide_mailbox_empty(&reactor.mail) ? NULL : tide_mailbox_take(&reactor.mail);
    while (link) {
        struct tide_link *next = link->next;
        struct tide_mail *mail = tide_container(link, struct tide_mail, link);
        mail->deliver(mail, NULL);
        link = next;
    }
}

static void turn(void)
{
    do {
        take_mail();
        for (int i = 0; i < reactor.part_count; i++)
            if (reactor.parts[i]->turn)
                reactor.parts[i]->turn();
    } while (!tide_mailbox_empty(&reactor.mail));
}

/* seq_cst on both sides: either the look at the box after the store sees the mail, or who posts sees `asleep`. */
static void before_cb(uv_prepare_t *handle)
{
    (void)handle;
    turn();
    atomic_store(&reactor.asleep, 1);
    if (!tide_mailbox_empty(&reactor.mail)) {
        atomic_store(&reactor.asleep, 0);
        turn();
        atomic_store(&reactor.asleep, 1);
        if (!tide_mailbox_empty(&reactor.mail))
            uv_async_send(&reactor.wake);
    }
    atomic_fetch_sub_explicit(&reactor.runtime->helping, 1, memory_order_relaxed); /* only a hint for spinning workers */
    if (atomic_load(&reactor.stopping))
        uv_stop(&reactor.loop);
}

static void after_cb(uv_check_t *handle)
{
    (void)handle;
    atomic_store(&reactor.asleep, 0);
    atomic_fetch_add_explicit(&reactor.runtime->helping, 1, memory_order_relaxed);
}

static void wake_cb(uv_async_t *handle)
{
    (void)handle;
}

static void close_cb(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void *run(void *arg)
{
    (void)arg;
    atomic_fetch_add_explicit(&reactor.runtime->helping, 1, memory_order_relaxed);
    while (!atomic_load(&reactor.stopping))
        uv_run(&reactor.loop, UV_RUN_DEFAULT);
    atomic_store(&reactor.asleep, 0);
    take_mail();
    for (int i = reactor.part_count; i-- > 0;)
        if (reactor.parts[i]->stop)
            reactor.parts[i]->stop();
    uv_walk(&reactor.loop, close_cb, NULL);
    uv_run(&reactor.loop, UV_RUN_DEFAULT); /* closes, and waits for jobs that have begun */
    take_mail();
    while (atomic_load(&reactor.late)) /* a few instructions */
        sched_yield();
    uv_loop_close(&reactor.loop);
    atomic_store(&reactor.stopped, true);
    tide_park_wake(&reactor.ended);
    return NULL;
}

/* libuv's errors are negative values of errno. */
static int init_failed(int code)
{
    errno = -code;
    return code == UV_ENOMEM ? TIDE_ENOMEM : TIDE_ESYSTEM;
}

/* Each connection is a descriptor, and the usual soft limit of 1024 only guards programs that use select(2). */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit); /* where it is refused, the lower limit holds */
    }
}

static int init(struct tide_runtime *runtime)
{
    raise_descriptors();
    int code = uv_loop_init(&reactor.loop);
    if (code)
        return init_failed(code);
    code = uv_async_init(&reactor.loop, &reactor.wake, wake_cb);
    if (code) {
        uv_loop_close(&reactor.loop);
        return init_failed(code);
    }
    uv_prepare_init(&reactor.loop, &reactor.before); /* these four cannot fail */
    uv_prepare_start(&reactor.before, before_cb);
    uv_check_init(&reactor.loop, &reactor.after);
    uv_check_start(&reactor.after, after_cb);
    reactor.runtime = runtime;
    return 0;
}

static void fini(void)
{
    int problem = errno;
    uv_walk(&reactor.loop, close_cb, NULL);
    uv_run(&reactor.loop, UV_RUN_DEFAULT);
    uv_loop_close(&reactor.loop);
    errno = problem;
}

int tide_reactor_start(struct tide_runtime *runtime)
{
    if (atomic_load_explicit(&reactor.started, memory_order_acquire)) /* pairs with the release below */
        return 0;
    tide_mutex_lock(&reactor.start_lock);
    int failed = 0;
    if (!atomic_load(&reactor.started)) {
        failed = init(runtime);
        if (!failed) {
            failed = tide_thread_start(&reactor.thread, STACK, "reactor", run, NULL);
            if (failed)
                fini();
        }
        if (!failed)
            atomic_store_explicit(&reactor.started, true, memory_order_release);
    }
    tide_mutex_unlock(&reactor.start_lock);
    return failed;
}

bool tide_reactor_stop(void)
{
    if (!atomic_load(&reactor.started))
        return true;
    int64_t limit = tide_real_now_ns() + TIDE_MS(END_MS);
    atomic_store(&reactor.stopping, true);
    uv_async_send(&reactor.wake);
    while (!atomic_load(&reactor.stopped) && tide_real_now_ns() < limit)
        tide_park_wait(&reactor.ended, limit);
    if (!atomic_load(&reactor.stopped))
        return false;
    pthread_join(reactor.thread, NULL);
    return true;
}
