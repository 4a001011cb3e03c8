#include "reactor/pool.h"

#include "base/thread.h"

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

enum { USUAL = 4, MOST = 1024 }; /* as in libuv's threadpool.c */

static struct {
    _Atomic bool ready;
    struct tide_mutex lock; /* rank 10: as the starting of workers */
    /* protected by lock */
    pthread_t threads[MOST];
} pool;

static int pool_size(void)
{
    const char *given = getenv("UV_THREADPOOL_SIZE");
    int size = given ? atoi(given) : USUAL;
    return size < 1 ? 1 : size > MOST ? MOST : size;
}

static void *stay(void *gate)
{
    while (sem_wait(gate) != 0)
        ; /* a signal */
    return NULL;
}

/* All at the same time, with the stack that libuv's get, too. */
static int rehearse_locked(void)
{
    sem_t gate;
    int failed = 0, problem = 0, started = 0;
    sem_init(&gate, 0, 0);
    for (int wanted = pool_size(); !failed && started < wanted; started += !failed)
        failed = tide_thread_start(&pool.threads[started], 0, "rehearsal", stay, &gate);
    problem = errno;
    for (int i = 0; i < started; i++)
        sem_post(&gate);
    for (int i = 0; i < started; i++)
        pthread_join(pool.threads[i], NULL);
    sem_destroy(&gate);
    errno = problem;
    return failed;
}

int tide_pool_ready(void)
{
    if (atomic_load_explicit(&pool.ready, memory_order_relaxed)) /* nothing else was written that a reader would need */
        return 0;
    tide_mutex_lock(&pool.lock);
    int failed = atomic_load(&pool.ready) ? 0 : rehearse_locked();
    if (!failed)
        atomic_store(&pool.ready, true);
    tide_mutex_unlock(&pool.lock);
    return failed;
}
