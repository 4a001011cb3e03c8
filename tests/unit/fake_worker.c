#include "fake_worker.h"

#include "base/alloc.h"
#include "base/time.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- workers ---- */

/* Of the workers that belong to no runtime; never idle as far as activity goes. */
static struct tide_runtime nowhere = {.active = 1 << 30};

void fake_worker_open(struct tide_worker *worker)
{
    tide_worker_init(worker, &nowhere, 0);
    tide_worker_bind(worker);
}

void fake_worker_close(struct tide_worker *worker)
{
    tide_worker_fini(worker);
}

struct tide_task *fake_task(void)
{
    struct tide_task *task = tide_task_new(tide_worker_current(), NULL);
    if (!task)
        abort();
    return task;
}

enum tide_wait_state fake_wait(struct tide_task *task, int64_t deadline)
{
    struct tide_worker *worker = task->worker;
    struct tide_task *outer = worker->task;
    if (tide_wait_commit(task, deadline) == 1) {
        worker->task = task;
        if (tide_worker_nest(worker, NULL) != 0)
            abort();
        worker->task = outer;
    }
    return tide_wait_end(task);
}

void fake_take_mail(void)
{
    struct tide_worker *worker = tide_worker_current();
    struct tide_link *link = tide_mailbox_take(&worker->mail);
    while (link) {
        struct tide_link *next = link->next;
        struct tide_mail *mail = tide_container(link, struct tide_mail, link);
        mail->deliver(mail, worker);
        link = next;
    }
}

struct tide_task *fake_ready(void)
{
    struct tide_worker *worker = tide_worker_current();
    struct tide_link *link = tide_fifo_pop(&worker->ready);
    if (!link)
        return NULL;
    atomic_fetch_sub(&worker->ready_count, 1);
    return tide_container(link, struct tide_task, mail.link);
}

/* ---- the runtime ---- */

static struct tide_runtime runtime;
static bool has_gate;
static sem_t gate;

static int open_state(struct tide_worker *worker)
{
    if (has_gate && worker->index)
        sem_wait(&gate);
    return 0;
}

static void close_state(struct tide_worker *worker)
{
    (void)worker;
}

static void deadlocked(struct tide_runtime *r)
{
    (void)r;
    fprintf(stderr, "fake_worker: nothing can happen any more\n");
    abort();
}

void fake_runtime_open(int workers, bool gated)
{
    static const struct tide_engine engine = {
        .open = open_state, .close = close_state, .tend = close_state, .deadlock = deadlocked};
    struct tide_runtime_options options = {.workers = workers, .grace_ns = TIDE_MS(10000)};
    has_gate = gated;
    sem_init(&gate, 0, 0);
    if (tide_runtime_init(&runtime, &options, &engine) != 0)
        abort();
}

void fake_runtime_close(void)
{
    if (runtime.entries.first || atomic_load(&runtime.holds)) {
        fprintf(stderr, "fake_worker: entries or holds are left behind\n");
        abort();
    }
    for (int i = 0; i < runtime.options.workers; i++)
        sem_post(&gate);
    fake_take_mail();
    tide_runtime_fini(&runtime);
    sem_destroy(&gate);
}

struct tide_entry *fake_pop(void)
{
    tide_mutex_lock(&runtime.queue_lock);
    struct tide_link *link = tide_fifo_pop(&runtime.entries);
    if (link)
        atomic_fetch_sub(&runtime.queued, 1);
    tide_mutex_unlock(&runtime.queue_lock);
    return link ? tide_container(link, struct tide_entry, link) : NULL;
}

/* ---- odds and ends ---- */

struct counted {
    struct tide_message message;
    _Atomic int *alive;
};

static void destroy_counted(struct tide_message *message)
{
    struct counted *counted = tide_container(message, struct counted, message);
    atomic_fetch_sub(counted->alive, 1);
    tide_free(counted);
}

struct tide_message *fake_message(_Atomic int *alive)
{
    struct counted *counted = tide_malloc(sizeof *counted);
    if (!counted)
        abort();
    tide_message_init(&counted->message, destroy_counted, 0);
    counted->alive = alive;
    atomic_fetch_add(alive, 1);
    return &counted->message;
}

uint32_t fake_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

uint32_t fake_seed(void)
{
    static uint32_t seed;
    const char *given = getenv("TIDE_SEED");
    if (seed == 0) {
        seed = given ? (uint32_t)strtoul(given, NULL, 0) : (uint32_t)tide_now_ns() | 1;
        printf("seed: TIDE_SEED=%u\n", seed);
    }
    return seed;
}
