#include "bindings/job.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "bindings/await.h"
#include "bindings/bind.h"
#include "reactor/job.h"

#include <errno.h>
#include <string.h>

static const char class_name[] = "tidemill.job";

/* What the job owns. */
struct box {
    const struct tide_job_kind *kind;
    _Alignas(max_align_t) char request[];
};

/* The userdata: closed first, then filled. */
struct pending {
    struct tide_job *job;  /* NULL: there is none any more */
    bool started;
};

static bool stop_asked(void *job)
{
    return tide_job_dropped(job);
}

static void run(struct tide_job *job, void *argument)
{
    struct box *box = argument;
    box->kind->run(box->request, (struct tide_stop){stop_asked, job});
}

static void destroy(void *argument)
{
    struct box *box = argument;
    box->kind->fini(box->request);
    tide_free(box);
}

/* Gives it up, done or not. */
static void release(struct pending *p)
{
    struct tide_job *job = p->job;
    p->job = NULL;
    if (job && p->started)
        tide_operation_drop(tide_job_operation(job));
    tide_job_unref(job);
}

static int collect(lua_State *L)
{
    release(lua_touserdata(L, 1));
    return 0;
}

void tide_bind_job_open(lua_State *L)
{
    tide_bind_hidden_class(L, class_name, collect);
}

void *tide_bind_job(lua_State *L, const struct tide_job_kind *kind, size_t size)
{
    luaL_checkstack(L, 3, NULL);
    struct pending *p = lua_newuserdatauv(L, sizeof *p, 0);
    *p = (struct pending){0};
    luaL_setmetatable(L, class_name);
    struct box *box = tide_calloc(1, sizeof *box + size);
    p->job = box ? tide_job_new(run, destroy, box) : NULL;
    if (!p->job) {
        tide_free(box);
        luaL_error(L, "not enough memory");
    }
    box->kind = kind;
    return box->request;
}

static int deliver(lua_State *L, struct pending *p)
{
    struct box *box = tide_job_argument(p->job);
    int count = box->kind->push(L, box->request); /* if it raises, the collector takes the rest */
    release(p);
    return count;
}

static int finish(lua_State *L, int status, lua_KContext index)
{
    (void)status;
    struct pending *p = lua_touserdata(L, (int)index);
    enum tide_wait_state how = tide_await_end(L);
    tide_operation_leave(tide_job_operation(p->job), &tide_task_of(L)->waiter);
    if (how == TIDE_WAIT_INTERRUPTED)
        release(p);
    tide_await_check(L, how);
    return deliver(L, p);
}

static int start_failed(lua_State *L, int failed)
{
    const char *why = failed == TIDE_ENOMEM ? "not enough memory" : strerror(errno);
    return luaL_error(L, "cannot start the threads for input and output: %s; a limit on processes, memory or open files? "
                         "(ulimit)", why);
}

int tide_bind_job_run(lua_State *L)
{
    int index = lua_gettop(L);
    struct pending *p = lua_touserdata(L, index);
    struct box *box = tide_job_argument(p->job);
    struct tide_operation *op = tide_job_operation(p->job);
    struct tide_task *task = tide_await_prepare(L);
    int failed = tide_job_start(p->job, tide_worker_of(L)->runtime);
    if (failed)
        return start_failed(L, failed);
    p->started = true;
    tide_wait_begin(task);
    if (tide_operation_enqueue(op, &task->waiter, task) && tide_await_skip(task))
        return deliver(L, p);
    struct tide_await how = {.deadline = TIDE_NEVER, .what = box->kind->what, .outside = TIDE_OUTSIDE_JOB};
    return tide_await(L, &how, index, finish);
}
