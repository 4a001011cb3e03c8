/* thread.h - a mutex of four bytes, a parking place, and threads with an explicit stack.
 *
 * Used by   everything above.
 * Model     the mutex is the three-state futex lock of Drepper, "Futexes are tricky" (2011), section 5, with a short spin
 *           before it sleeps. Held for a few lines only; ranks stand in docs/internals/threads.md.
 */
#ifndef TIDE_BASE_THREAD_H
#define TIDE_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In a loop that looks at one word again and again: leaves the other threads of this core their share. */
static inline void tide_cpu_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

struct tide_mutex {
    _Atomic uint32_t word; /* 0 free, 1 held, 2 held and somebody may sleep; zeroed is initialised */
};

void tide_mutex_lock_slow(struct tide_mutex *m);
void tide_mutex_wake(struct tide_mutex *m);

static inline void tide_mutex_lock(struct tide_mutex *m)
{
    uint32_t free = 0;
    /* acquire: pairs with the release in unlock */
    if (!atomic_compare_exchange_strong_explicit(&m->word, &free, 1, memory_order_acquire, memory_order_relaxed))
        tide_mutex_lock_slow(m);
}

static inline void tide_mutex_unlock(struct tide_mutex *m)
{
    if (atomic_exchange_explicit(&m->word, 0, memory_order_release) == 2)
        tide_mutex_wake(m);
}

/* A place where one thread sleeps until another wakes it. A wake that comes first is not lost. */
struct tide_park {
    _Atomic uint32_t word; /* 0 awake or not yet asleep, 1 a wake is stored, 2 asleep; zeroed is initialised */
};

/* Owner thread: sleeps until woken or until `deadline_ns` (TIDE_NEVER: for ever). May return early for a signal.
 * Consumes a stored wake. True if it was woken, false on the deadline or a signal. */
bool tide_park_wait(struct tide_park *p, int64_t deadline_ns);

/* Any thread, async-signal-safe: wakes the owner, or stores the wake. */
void tide_park_wake(struct tide_park *p);

/* Starts a joinable thread with every signal blocked but those that the caller has open and SIGURG.
 * `stack` in bytes, 0: the system's default. 0, or TIDE_ETHREAD with errno set. */
int tide_thread_start(pthread_t *out, size_t stack, const char *name, void *(*run)(void *), void *arg);

/* The calling thread's C stack: its lowest usable address, for checks of depth. NULL if the system does not say. */
char *tide_thread_stack_floor(void);

/* Online CPUs that this process may use (affinity and cgroup quota respected), at least 1. */
int tide_cpu_count(void);

#endif
