#include "reactor/job.h"

#include "base/alloc.h"
#include "reactor/pool.h"
#include "reactor/reactor.h"

#include <uv.h>

struct tide_job {
    struct tide_operation operation;
    void (*run)(struct tide_job *job, void *argument);
    void (*destroy)(void *argument);
    void *argument;
    uv_work_t work;  /* reactor */
    bool queued;     /* reactor: libuv has it */
};

static void destroy(struct tide_object *object)
{
    struct tide_job *job = (struct tide_job *)(void *)object;
    job->destroy(job->argument);
    tide_free(job);
}

static const struct tide_class job_class = {"tidemill.job", destroy};

static void run_cb(uv_work_t *work)
{
    struct tide_job *job = work->data;
    if (!tide_job_dropped(job))
        job->run(job, job->argument);
}

static void done_cb(uv_work_t *work, int status)
{
    struct tide_job *job = work->data;
    (void)status; /* UV_ECANCELED: it was dropped before it began */
    job->queued = false;
    tide_operation_finish(&job->operation);
}

static void act(struct tide_operation *op, uint32_t asks)
{
    struct tide_job *job = (struct tide_job *)(void *)op;
    if (asks & TIDE_ASK_START) {
        job->work.data = job;
        /* fails only without a function to run */
        job->queued = uv_queue_work(tide_reactor_loop(), &job->work, run_cb, done_cb) == 0;
    }
    if (asks & TIDE_ASK_DROP && job->queued)
        uv_cancel((uv_req_t *)&job->work); /* refused once it runs: then it ends by itself */
}

struct tide_job *tide_job_new(void (*run)(struct tide_job *, void *), void (*destroy_argument)(void *), void *argument)
{
    struct tide_job *job = tide_calloc(1, sizeof *job);
    if (!job)
        return NULL;
    tide_operation_init(&job->operation, &job_class, act);
    job->run = run;
    job->destroy = destroy_argument;
    job->argument = argument;
    return job;
}

int tide_job_start(struct tide_job *job, struct tide_runtime *runtime)
{
    int failed = tide_reactor_start(runtime); /* before the rehearsal, as its thread counts, too */
    if (!failed)
        failed = tide_pool_ready();
    return failed ? failed : tide_operation_start(&job->operation, runtime);
}

void *tide_job_argument(struct tide_job *job)
{
    return job->argument;
}

struct tide_operation *tide_job_operation(struct tide_job *job)
{
    return &job->operation;
}

bool tide_job_dropped(struct tide_job *job)
{
    return tide_operation_is_dropped(&job->operation);
}

void tide_job_unref(struct tide_job *job)
{
    if (job)
        tide_object_unref(&job->operation.object);
}
