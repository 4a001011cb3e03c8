/* tm.timeout, tm.shield, tm.scope: stretches of a task's stack that a cancellation ends at, or passes by. */
#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/future.h"
#include "bindings/module.h"
#include "bindings/program.h"
#include "bindings/protect.h"
#include "exec/group.h"
#include "sched/preempt.h"

/* ---- tm.timeout(seconds, fn, ...), tm.shield(fn, ...) ----
 * Stack: 1 the scope (a userdata that unlinks itself if its coroutine is dropped), then the results. The context is the token
 * of protect.h. */

enum { MAX_SHIELDS = 200 };

static const char scope_name[] = "tidemill.cancel_scope";

static int scope_gc(lua_State *L)
{
    tide_cancel_close(luaL_checkudata(L, 1, scope_name));
    return 0;
}

static struct tide_cancel *open_scope(lua_State *L, struct tide_task *task, int64_t deadline)
{
    struct tide_cancel *scope = lua_newuserdatauv(L, sizeof *scope, 0);
    *scope = (struct tide_cancel){0};
    luaL_setmetatable(L, scope_name);
    if (tide_cancel_open(scope, task, deadline) != 0)
        luaL_error(L, "not enough memory");
    scope->home = L;
    scope->mark = scope;
    return scope;
}

static int timeout_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_cancel *scope = lua_touserdata(L, 1);
    struct tide_task *task = tide_task_of(L);
    bool failed = status != LUA_OK && status != LUA_YIELD, ours = task->unwinding == scope;
    if (ours && failed)
        tide_protect_report(L, scope);
    tide_cancel_close(scope);
    if (ours)
        return tide_bind_raise_timeout(L, "timeout");
    tide_protect_leave(L, (uint32_t)context, failed);
    return failed ? lua_error(L) : lua_gettop(L) - 1;
}

static int timeout(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0, 1, seconds < 0 ? "time limit is negative" : "time limit is NaN");
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_KContext context = tide_protect_enter(L);
    open_scope(L, tide_await_prepare(L), tide_deadline_after(seconds));
    lua_replace(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, context, timeout_finish);
    return timeout_finish(L, status, context);
}

static int shield_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_cancel *scope = lua_touserdata(L, 1);
    struct tide_task *task = tide_task_of(L);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    tide_cancel_close(scope);
    task->shield--;
    if (atomic_load_explicit(&task->attention, memory_order_relaxed))
        tide_preempt_arm(tide_worker_of(L), L); /* what was held back comes behind the shield, when its results are taken */
    tide_protect_leave(L, (uint32_t)context, failed);
    return failed ? lua_error(L) : lua_gettop(L) - 1;
}

static int shield(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_KContext context = tide_protect_enter(L);
    struct tide_task *task = tide_task_of(L); /* no look for what is due: a closer that begins with a shield runs to its end */
    if (!task || task->shield >= MAX_SHIELDS)
        return luaL_error(L, task ? "too many nested shields" : "no task is running");
    open_scope(L, task, TIDE_NEVER);
    lua_insert(L, 1);
    task->shield++;
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, context, shield_finish);
    return shield_finish(L, status, context);
}

/* ---- tm.scope(fn) ----
 * Stack: 1 the group's handle, then results, or an error value. */

enum { AT_GROUP = 1 };

static struct tide_group *check(lua_State *L, int arg)
{
    return (struct tide_group *)(void *)tide_handle_check(L, arg, &tide_group_class);
}

static int spawn(lua_State *L)
{
    struct tide_group *group = check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (tide_program_closing())
        return luaL_error(L, "cannot spawn: the program is ending");
    struct tide_future *future = tide_future_make(L, 2, lua_gettop(L) - 2);
    if (tide_group_add(group, future) != 0)
        return luaL_error(L, "cannot spawn: the scope was cancelled or has ended");
    return 1;
}

static int cancel(lua_State *L)
{
    tide_group_cancel(check(L, 1));
    return 0;
}

enum { FAILED = 1, BY_CHILD = 2, BY_OURS = 4, BITS = 3 }; /* the body; because a child did; by our own cancellation */

/* Everything has ended: raises what has to be raised, or returns the results. `context`: the bits, and above them the token. */
static int scope_answer(lua_State *L, lua_KContext context)
{
    struct tide_group *group = check(L, AT_GROUP);
    struct tide_future *cause = tide_group_failure(group, NULL);
    bool failed = context & FAILED;
    tide_protect_leave(L, (uint32_t)(context >> BITS), failed && !(context & BY_OURS));
    if (cause && (!failed || context & BY_CHILD)) {
        tide_future_push_error(L, cause);
        for (struct tide_future *f = cause; f; f = tide_group_failure(group, f))
            tide_call_remote_trace(L, f, f != cause);
        return lua_error(L);
    }
    return failed ? lua_error(L) : lua_gettop(L) - AT_GROUP;
}

static int scope_wait(lua_State *L, lua_KContext context);

static int scope_waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_group *group = check(L, AT_GROUP);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_group_leave(group, &task->waiter);
    tide_future_resume_own(task);
    if (how == TIDE_WAIT_WOKEN)
        return scope_answer(L, context);
    /* An outer cancellation: the children end first. It counts as raised from here, so the wait goes on undisturbed until the
     * grace is over. */
    struct tide_cancel *due = tide_cancel_due(task);
    tide_group_cancel(group);
    if (!due || task->unwinding == due)
        tide_await_check(L, how);
    tide_cancel_deliver(due);
    return scope_wait(L, context);
}

static int scope_wait(lua_State *L, lua_KContext context)
{
    struct tide_group *group = check(L, AT_GROUP);
    struct tide_task *task = tide_task_of(L);
    if (tide_group_outstanding(group) == 0)
        return scope_answer(L, context);
    tide_wait_begin(task);
    if (tide_group_enqueue(group, &task->waiter, task) && tide_await_skip(task))
        return scope_answer(L, context);
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = TIDE_NEVER, .what = "the tasks of its scope"}, context, scope_waited);
}

static int scope_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_group *group = check(L, AT_GROUP);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    bool ours = tide_task_of(L)->unwinding == &group->scope;
    if (ours && failed)
        tide_protect_report(L, &group->scope);
    tide_group_close(group);
    /* a child failed before the body did, which may only have stumbled over that: the child is the cause */
    bool child = ours || (failed && tide_group_failure(group, NULL));
    if (failed)
        tide_group_cancel(group);
    return scope_wait(L, context << BITS | (failed ? FAILED : 0) | (child ? BY_CHILD : 0) | (ours ? BY_OURS : 0));
}

static int scope(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_KContext context = tide_protect_enter(L);
    struct tide_task *task = tide_await_prepare(L);
    struct tide_group *group = tide_group_new();
    tide_bind_new(L, (struct tide_object *)group);
    lua_insert(L, 1);
    lua_pushvalue(L, 1);
    if (tide_group_open(group, task, TIDE_NEVER) != 0)
        return luaL_error(L, "not enough memory");
    group->scope.home = L;
    group->scope.mark = lua_topointer(L, AT_GROUP);
    int status = lua_pcallk(L, 1, LUA_MULTRET, 0, context, scope_finish);
    return scope_finish(L, status, context);
}

void tide_open_scope(lua_State *L)
{
    static const luaL_Reg functions[] = {{"timeout", timeout}, {"shield", shield}, {"scope", scope}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"spawn", spawn}, {"cancel", cancel}, {NULL, NULL}};
    luaL_newmetatable(L, scope_name);
    lua_pushcfunction(L, scope_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    tide_bind_class(L, &tide_group_class, methods, NULL);
    luaL_setfuncs(L, functions, 0);
}
