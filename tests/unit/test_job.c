#include "unit.h"

#include "base/alloc.h"
#include "base/time.h"
#include "fake_worker.h"
#include "reactor/job.h"
#include "reactor/reactor.h"

#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POOL = 4, COLLISIONS = 3000, THREADS = 4, ROUNDS = 1500 };

/* What a job of these tests works on. */
struct work {
    sem_t *gate;                /* run waits here; NULL: it does not */
    bool until_dropped;         /* run goes on until its job is dropped */
    bool freed;                 /* destroy frees it */
    _Atomic int began, ran, destroyed;
};

static _Atomic int alive; /* of those that destroy frees */

static void run(struct tide_job *job, void *argument)
{
    struct work *work = argument;
    work->began++;
    if (work->gate)
        sem_wait(work->gate);
    while (work->until_dropped && !tide_job_dropped(job))
        sched_yield();
    work->ran++;
}

static void destroy(void *argument)
{
    struct work *work = argument;
    work->destroyed++;
    if (work->freed) {
        tide_free(work);
        alive--;
    }
}

static struct tide_operation *start(struct tide_job *job)
{
    if (!job || tide_job_start(job, tide_runtime_get()) != 0)
        abort();
    return tide_job_operation(job);
}

/* As a binding waits, but with a time limit. True: the operation is done. */
static bool wait_for(struct tide_operation *op, struct tide_task *task, int64_t deadline)
{
    tide_wait_begin(task);
    if (tide_operation_enqueue(op, &task->waiter, task) && tide_wait_abandon(task))
        return true;
    enum tide_wait_state how = fake_wait(task, deadline);
    tide_operation_leave(op, &task->waiter);
    return how == TIDE_WAIT_WOKEN;
}

static void eventually(_Atomic int *value, int wanted)
{
    int64_t limit = tide_now_ns() + TIDE_MS(30000);
    while (atomic_load(value) != wanted && tide_now_ns() < limit)
        sched_yield();
    assert_int_equal(atomic_load(value), wanted);
}

static void nothing_is_under_way(void)
{
    int64_t limit = tide_now_ns() + TIDE_MS(30000);
    while (tide_operation_count() && tide_now_ns() < limit)
        sched_yield();
    assert_int_equal(tide_operation_count(), 0);
}

static int setup(void **state)
{
    static bool opened;
    if (!opened)
        fake_runtime_open(1, true);
    opened = true;
    return 0;
}

static int close_all(void **state)
{
    bool stopped = tide_reactor_stop();
    fake_runtime_close();
    return stopped ? 0 : -1;
}

static void the_task_goes_on_when_it_has_run(void **state)
{
    struct work work = {0};
    struct tide_task *task = fake_task();
    struct tide_job *job = tide_job_new(run, destroy, &work);
    struct tide_operation *op = start(job);
    assert_true(wait_for(op, task, TIDE_NEVER));
    assert_true(tide_operation_is_done(op));
    assert_int_equal(work.ran, 1);
    assert_int_equal(work.destroyed, 0);
    assert_ptr_equal(tide_job_argument(job), &work);
    assert_true(wait_for(op, task, TIDE_NEVER)); /* again: at once */
    tide_operation_drop(op);                     /* too late, no harm */
    tide_job_unref(job);
    eventually(&work.destroyed, 1);
    nothing_is_under_way();
    tide_task_free(task);
}

static void one_that_was_never_started_is_destroyed_with_its_last_reference(void **state)
{
    struct work work = {0};
    tide_job_unref(tide_job_new(run, destroy, &work));
    tide_job_unref(NULL);
    assert_int_equal(work.destroyed, 1);
}

static void one_that_nobody_waits_for_runs(void **state)
{
    struct work work = {0};
    struct tide_job *job = tide_job_new(run, destroy, &work);
    start(job);
    tide_job_unref(job);
    eventually(&work.destroyed, 1);
    assert_int_equal(work.ran, 1);
}

static void one_that_is_dropped_before_it_begins_never_runs(void **state)
{
    sem_t gate;
    struct work busy[POOL] = {0}, work = {0};
    struct tide_job *jobs[POOL];
    struct tide_task *task = fake_task();
    sem_init(&gate, 0, 0);
    for (int i = 0; i < POOL; i++) {
        busy[i].gate = &gate;
        jobs[i] = tide_job_new(run, destroy, &busy[i]);
        start(jobs[i]);
        eventually(&busy[i].began, 1);
    }
    struct tide_job *job = tide_job_new(run, destroy, &work);
    struct tide_operation *op = start(job);
    assert_false(wait_for(op, task, tide_now_ns() + TIDE_MS(5)));
    tide_operation_drop(op);
    assert_true(wait_for(op, task, TIDE_NEVER)); /* though no thread is free */
    assert_int_equal(work.began, 0);
    tide_job_unref(job);
    eventually(&work.destroyed, 1);
    for (int i = 0; i < POOL; i++)
        sem_post(&gate);
    for (int i = 0; i < POOL; i++) {
        tide_job_unref(jobs[i]);
        eventually(&busy[i].destroyed, 1);
    }
    nothing_is_under_way();
    sem_destroy(&gate);
    tide_task_free(task);
}

static void one_that_runs_sees_that_it_is_dropped(void **state)
{
    struct work work = {.until_dropped = true};
    struct tide_job *job = tide_job_new(run, destroy, &work);
    struct tide_operation *op = start(job);
    eventually(&work.began, 1);
    tide_operation_drop(op);
    tide_operation_drop(op);
    tide_job_unref(job);
    eventually(&work.destroyed, 1);
    assert_int_equal(work.ran, 1);
}

static void a_cancelled_task_leaves_at_once(void **state)
{
    sem_t gate;
    struct work work = {.gate = &gate};
    struct tide_task *task = fake_task();
    sem_init(&gate, 0, 0);
    struct tide_job *job = tide_job_new(run, destroy, &work);
    struct tide_operation *op = start(job);
    tide_wait_begin(task);
    assert_int_equal(tide_operation_enqueue(op, &task->waiter, task), 0);
    assert_true(tide_cancel_request(&task->root, TIDE_CANCEL_REQUESTED));
    assert_int_equal(fake_wait(task, TIDE_NEVER), TIDE_WAIT_INTERRUPTED);
    tide_operation_leave(op, &task->waiter);
    tide_operation_drop(op);
    tide_job_unref(job);
    assert_int_equal(work.destroyed, 0); /* its thread still works on it, or its mail is on the way */
    sem_post(&gate);
    eventually(&work.destroyed, 1);
    nothing_is_under_way();
    sem_destroy(&gate);
    tide_task_free(task);
}

/* A job that owns its argument; NULL without memory. */
static struct tide_job *small_job(void)
{
    struct work *work = tide_calloc(1, sizeof *work);
    struct tide_job *job = work ? tide_job_new(run, destroy, work) : NULL;
    if (!job) {
        tide_free(work);
        return NULL;
    }
    work->freed = true;
    alive++;
    return job;
}

static void its_end_and_a_drop_may_meet(void **state)
{
    uint32_t random = fake_seed();
    for (int i = 0; i < COLLISIONS; i++) {
        struct tide_job *job = small_job();
        struct tide_operation *op = start(job);
        int64_t until = tide_now_ns() + (int64_t)(fake_random(&random) % 30000);
        while (tide_now_ns() < until)
            sched_yield();
        tide_operation_drop(op);
        if (i % 2) {
            struct tide_task *task = fake_task();
            assert_true(wait_for(op, task, TIDE_NEVER));
            tide_task_free(task);
        }
        tide_job_unref(job);
    }
    eventually(&alive, 0);
    nothing_is_under_way();
}

struct client {
    pthread_t thread;
    uint32_t seed;
    long done, given_up;
};

static void *make_jobs(void *arg)
{
    struct client *me = arg;
    struct tide_worker worker;
    fake_worker_open(&worker);
    struct tide_task *task = fake_task();
    for (int i = 0; i < ROUNDS; i++) {
        struct tide_job *job = small_job();
        struct tide_operation *op = start(job);
        uint32_t random = fake_random(&me->seed);
        if (wait_for(op, task, random % 2 ? TIDE_NEVER : tide_now_ns() + (int64_t)(random % 60000))) {
            me->done++;
        } else {
            me->given_up++;
            tide_operation_drop(op);
        }
        tide_job_unref(job);
    }
    fake_take_mail();
    tide_task_free(task);
    fake_worker_close(&worker);
    return NULL;
}

static void thousands_from_several_threads(void **state)
{
    struct client clients[THREADS];
    uint32_t seed = fake_seed();
    for (int i = 0; i < THREADS; i++) {
        clients[i] = (struct client){.seed = seed * 31 + (uint32_t)i + 1};
        assert_int_equal(tide_thread_start(&clients[i].thread, 0, "client", make_jobs, &clients[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(clients[i].thread, NULL);
        print_message("done %ld, given up %ld\n", clients[i].done, clients[i].given_up);
        assert_int_equal(clients[i].done + clients[i].given_up, ROUNDS);
    }
    eventually(&alive, 0);
    nothing_is_under_way();
}

static void new_fails_without_memory(void **state)
{
    struct work work = {0};
    tide_alloc_fail_after(0);
    struct tide_job *job = tide_job_new(run, destroy, &work);
    tide_alloc_fail_after(-1);
    assert_null(job);
    assert_int_equal(work.destroyed, 0);
}

/* ---- a job that does not come back, in a process of its own ---- */

static sem_t never;

static int hang(void)
{
    static struct work work = {.gate = &never};
    fake_runtime_open(1, true);
    sem_init(&never, 0, 0);
    struct tide_job *job = tide_job_new(run, destroy, &work);
    struct tide_operation *op = start(job);
    eventually(&work.began, 1);
    tide_operation_drop(op);
    int64_t before = tide_now_ns();
    bool stopped = tide_reactor_stop();
    return stopped ? 1 : tide_now_ns() - before > TIDE_MS(20000) ? 2 : 0;
}

/* First of all tests, while this process has one thread. */
static void the_end_does_not_wait_for_one_that_hangs(void **state)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(hang());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define JOB_TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_does_not_wait_for_one_that_hangs),
        JOB_TEST(the_task_goes_on_when_it_has_run),
        JOB_TEST(one_that_was_never_started_is_destroyed_with_its_last_reference),
        JOB_TEST(one_that_nobody_waits_for_runs),
        JOB_TEST(one_that_is_dropped_before_it_begins_never_runs),
        JOB_TEST(one_that_runs_sees_that_it_is_dropped),
        JOB_TEST(a_cancelled_task_leaves_at_once),
        JOB_TEST(its_end_and_a_drop_may_meet),
        JOB_TEST(thousands_from_several_threads),
        JOB_TEST(new_fails_without_memory),
    };
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    return cmocka_run_group_tests(tests, NULL, close_all);
}
