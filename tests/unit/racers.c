#include "racers.h"

#include "unit.h"

#include "base/time.h"

#include <sched.h>

struct racer racers[MAX_RACERS];
static _Atomic int running, interrupting;
static int racing;
static int64_t stop;

enum tide_wait_state racer_wait(struct racer *racer, struct tide_task *task, bool for_ever)
{
    uint32_t random = fake_random(&racer->seed);
    bool limited = !for_ever || random % 4 != 0;
    enum tide_wait_state how = fake_wait(task, limited ? tide_now_ns() + (int64_t)(random % 30000) : TIDE_NEVER);
    racer->outcome[how]++;
    return how;
}

bool racer_skip(struct racer *racer, struct tide_task *task)
{
    if (tide_wait_abandon(task))
        return true;
    racer->outcome[fake_wait(task, TIDE_NEVER)]++;
    return false;
}

void racer_pause(uint32_t *seed)
{
    int64_t until = tide_now_ns() + (int64_t)(fake_random(seed) % 30000);
    do
        sched_yield();
    while (tide_now_ns() < until);
}

static void *run(void *arg)
{
    struct racer *me = arg;
    struct tide_worker own;
    fake_worker_open(&own);
    struct tide_task *task = fake_task();
    atomic_store(&me->task, task);
    while (tide_now_ns() < stop)
        me->round(me, task);
    atomic_fetch_sub(&running, 1);
    while (atomic_load(&interrupting)) /* it looks at this task until the end */
        sched_yield();
    fake_take_mail();
    me->left_over += fake_ready() != NULL;
    tide_task_free(task);
    fake_worker_close(&own);
    return NULL;
}

static void *interrupt(void *arg)
{
    uint32_t seed = fake_seed() + 77;
    (void)arg;
    while (atomic_load(&running)) {
        struct racer *victim = &racers[fake_random(&seed) % (uint32_t)racing];
        struct tide_task *task = atomic_load(&victim->task);
        if (task)
            victim->interruptions += tide_wait_interrupt(task, 0);
        racer_pause(&seed);
    }
    atomic_store(&interrupting, 0);
    return NULL;
}

void race(int count, void (*round)(struct racer *, struct tide_task *))
{
    pthread_t interrupter;
    uint32_t seed = fake_seed();
    racing = count;
    stop = tide_now_ns() + TIDE_MS(500);
    atomic_store(&running, count);
    atomic_store(&interrupting, 1);
    for (int i = 0; i < count; i++) {
        racers[i] = (struct racer){.number = i, .seed = seed * 31 + (uint32_t)i + 1, .round = round};
        assert_int_equal(tide_thread_start(&racers[i].thread, 0, "racer", run, &racers[i]), 0);
    }
    assert_int_equal(tide_thread_start(&interrupter, 0, "interrupt", interrupt, NULL), 0);
    pthread_join(interrupter, NULL);
    for (int i = 0; i < count; i++) {
        struct racer *r = &racers[i];
        pthread_join(r->thread, NULL);
        print_message("woken %ld, timed out %ld, interrupted %ld\n", r->outcome[TIDE_WAIT_WOKEN],
                      r->outcome[TIDE_WAIT_TIMED_OUT], r->outcome[TIDE_WAIT_INTERRUPTED]);
        assert_int_equal(r->outcome[TIDE_WAIT_INTERRUPTED], r->interruptions);
        assert_int_equal(r->left_over, 0);
        assert_int_equal(r->wrong, 0);
    }
}
