/* tm.executor */
#include "exec/executor.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/executor.h"
#include "bindings/future.h"
#include "bindings/module.h"
#include "bindings/program.h"
#include "bindings/paths.h"
#include "transport/pack.h"

static const char *const keys[] = {"max_workers", "name", "initializer", "queue_size", NULL};

struct tide_executor *tide_executor_check(lua_State *L, int arg)
{
    return (struct tide_executor *)(void *)tide_handle_check(L, arg, &tide_executor_class);
}

static int new(lua_State *L)
{
    struct tide_executor_options options = {.max_workers = 32};
    struct tide_code *initializer = NULL;
    if (tide_bind_options(L, 1, keys)) {
        options.max_workers = (uint32_t)tide_bind_integer(L, 1, "max_workers", 1, 1 << 30, 32);
        options.queue_size = (uint32_t)tide_bind_integer(L, 1, "queue_size", 1, 1 << 30, 0);
        options.name = tide_bind_string(L, 1, "name", NULL);
        if (tide_bind_function(L, 1, "initializer")) {
            initializer = tide_pack_function(L, lua_gettop(L));
            options.initializer = &initializer->base;
        }
    }
    tide_paths_publish(L);
    struct tide_executor *executor = tide_executor_new(&options);
    tide_code_unref(initializer);
    return tide_bind_new(L, (struct tide_object *)executor);
}

int tide_executor_refused(lua_State *L, struct tide_executor *executor)
{
    const char *why = tide_executor_error(executor);
    const char *name = executor->name ? executor->name : "executor";
    if (why)
        return luaL_error(L, "%s is broken, its initializer failed: %s", name, why);
    if (tide_program_closing())
        return luaL_error(L, "cannot submit to %s: the program is ending", name);
    return luaL_error(L, "cannot submit to %s: it has been shut down", name);
}

/* Stack of a submit that waits for room: 1 executor, 2 future. */
static int submit_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_executor *executor = tide_executor_check(L, 1);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_executor_leave(executor, &task->waiter);
    tide_future_resume_own(task);
    if (how == TIDE_WAIT_WOKEN && !tide_executor_admitted(&task->waiter))
        return tide_executor_refused(L, executor);
    tide_await_check(L, how);
    return 1;
}

static int submit_wait(lua_State *L, struct tide_executor *executor, struct tide_future *future)
{
    struct tide_task *task = tide_await_prepare(L);
    lua_replace(L, 2);
    lua_settop(L, 2);
    tide_wait_begin(task);
    int now = tide_executor_enqueue(executor, &task->waiter, task, future);
    if (now != 0 && tide_await_skip(task))
        return now > 0 ? 1 : tide_executor_refused(L, executor);
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = TIDE_NEVER, .what = "room in an executor's queue"}, 0, submit_finish);
}

static int submit(lua_State *L)
{
    struct tide_executor *executor = tide_executor_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (tide_program_closing())
        return tide_executor_refused(L, executor);
    struct tide_future *future = tide_future_make(L, 2, lua_gettop(L) - 2);
    switch (tide_executor_submit(executor, future, true)) {
    case 0: return 1;
    case TIDE_EAGAIN: return submit_wait(L, executor, future);
    default: return tide_executor_refused(L, executor);
    }
}

/* ---- shutdown ---- */

static int idle_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_executor *executor = tide_executor_check(L, 1);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_executor_leave(executor, &task->waiter);
    tide_future_resume_own(task);
    tide_await_check(L, how);
    lua_pushboolean(L, how == TIDE_WAIT_WOKEN);
    return 1;
}

static int wait_idle(lua_State *L, struct tide_executor *executor, int64_t deadline)
{
    struct tide_task *task = tide_await_prepare(L);
    lua_settop(L, 1);
    tide_wait_begin(task);
    if (tide_executor_enqueue_idle(executor, &task->waiter, task) && tide_await_skip(task)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "an executor to be idle"}, 0, idle_finish);
}

static int shutdown(lua_State *L)
{
    static const char *const options[] = {"wait", "cancel", "timeout", NULL};
    static const char *const cancels[] = {"none", "pending", "all", NULL}; /* as enum tide_executor_cancel has them */
    struct tide_executor *executor = tide_executor_check(L, 1);
    tide_bind_options(L, 2, options);
    bool wait = tide_bind_boolean(L, 2, "wait", true);
    int64_t deadline = tide_bind_deadline(L, 2, "timeout");
    int cancel = tide_bind_choice(L, 2, "cancel", cancels, TIDE_EXECUTOR_CANCEL_NONE);
    tide_executor_shutdown(executor, (enum tide_executor_cancel)cancel);
    if (wait)
        return wait_idle(L, executor, deadline);
    lua_pushboolean(L, tide_executor_counts(executor).outstanding == 0);
    return 1;
}

/* Left by an error, the block has no use for what has not begun. */
static int close(lua_State *L)
{
    struct tide_executor *executor = tide_executor_check(L, 1);
    tide_executor_shutdown(executor, TIDE_EXECUTOR_CANCEL_NONE);
    return wait_idle(L, executor, TIDE_NEVER);
}

static int tostring(lua_State *L)
{
    struct tide_executor *executor = tide_executor_check(L, 1);
    struct tide_executor_counts n = tide_executor_counts(executor);
    if (executor->name)
        lua_pushfstring(L, "executor '%s'", executor->name);
    else
        lua_pushliteral(L, "executor");
    lua_pushfstring(L, "%s (%I running, %I pending)", lua_tostring(L, -1), (LUAI_UACINT)n.running, (LUAI_UACINT)n.pending);
    return 1;
}

void tide_open_executor(lua_State *L)
{
    static const luaL_Reg methods[] = {{"submit", submit}, {"shutdown", shutdown}, {"map", tide_map_method}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__close", close}, {"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_executor_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "executor");
}
