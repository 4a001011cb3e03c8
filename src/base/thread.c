#define _GNU_SOURCE
#include "base/thread.h"

#include "base/error.h"
#include "base/time.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 60 };

static long futex(_Atomic uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op, value, timeout, NULL, FUTEX_BITSET_MATCH_ANY);
}

void tide_mutex_lock_slow(struct tide_mutex *m)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t free = 0;
        if (atomic_load_explicit(&m->word, memory_order_relaxed) == 0 &&
            atomic_compare_exchange_weak_explicit(&m->word, &free, 1, memory_order_acquire, memory_order_relaxed))
            return;
        tide_cpu_pause();
    }
    while (atomic_exchange_explicit(&m->word, 2, memory_order_acquire) != 0)
        futex(&m->word, FUTEX_WAIT_BITSET_PRIVATE, 2, NULL);
}

void tide_mutex_wake(struct tide_mutex *m)
{
    futex(&m->word, FUTEX_WAKE_PRIVATE, 1, NULL);
}

#ifdef __SANITIZE_THREAD__
/* The thread sanitizer puts the handlers of signals off until a call that it knows, and a plain system call is none. */
static void sleep_on(struct tide_park *p, int64_t deadline_ns)
{
    static const int64_t piece = TIDE_MS(20);
    int64_t now = tide_real_now_ns(); /* is such a call */
    while (now < deadline_ns && atomic_load(&p->word) == 2) {
        int64_t until = deadline_ns - now < piece ? deadline_ns : now + piece;
        struct timespec at = {.tv_sec = until / 1000000000, .tv_nsec = until % 1000000000};
        futex(&p->word, FUTEX_WAIT_BITSET_PRIVATE, 2, &at);
        now = tide_real_now_ns();
    }
}
#else
static void sleep_on(struct tide_park *p, int64_t deadline_ns)
{
    struct timespec at = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
    futex(&p->word, FUTEX_WAIT_BITSET_PRIVATE, 2, deadline_ns == TIDE_NEVER ? NULL : &at);
}
#endif

bool tide_park_wait(struct tide_park *p, int64_t deadline_ns)
{
    uint32_t awake = 0;
    if (!atomic_compare_exchange_strong(&p->word, &awake, 2)) {
        atomic_store(&p->word, 0); /* a wake was stored */
        return true;
    }
    sleep_on(p, deadline_ns);
    return atomic_exchange(&p->word, 0) == 1;
}

void tide_park_wake(struct tide_park *p)
{
    if (atomic_exchange(&p->word, 1) == 2)
        futex(&p->word, FUTEX_WAKE_PRIVATE, 1, NULL);
}

int tide_thread_start(pthread_t *out, size_t stack, const char *name, void *(*run)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all, old;
    if (pthread_attr_init(&attr) != 0)
        return TIDE_ETHREAD;
    if (stack)
        pthread_attr_setstacksize(&attr, stack);
    /* Only the main thread takes the process's signals, so that a handler knows where it runs. */
    sigfillset(&all);
    sigdelset(&all, SIGURG);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(out, &attr, run, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (failed) {
        errno = failed;
        return TIDE_ETHREAD;
    }
    pthread_setname_np(*out, name);
    return 0;
}

char *tide_thread_stack_floor(void)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return NULL;
    if (pthread_attr_getstack(&attr, &low, &size) != 0)
        low = NULL;
    pthread_attr_destroy(&attr);
    return low;
}

/* The CPUs that cgroup v2's quota allows, rounded up; a large number where there is none. */
static int cgroup_cpus(void)
{
    long long quota = 0, period = 0;
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!f)
        return INT_MAX;
    int fields = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    if (fields != 2 || quota <= 0 || period <= 0)
        return INT_MAX;
    return (int)((quota + period - 1) / period);
}

int tide_cpu_count(void)
{
    cpu_set_t set;
    int count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = CPU_COUNT(&set);
    else if (sysconf(_SC_NPROCESSORS_ONLN) > 0)
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = cgroup_cpus();
    if (quota < count)
        count = quota;
    return count > 0 ? count : 1;
}
