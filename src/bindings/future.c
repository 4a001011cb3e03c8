#include "bindings/future.h"

#include "base/alloc.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/callback.h"
#include "bindings/kept.h"
#include "bindings/module.h"
#include "bindings/program.h"
#include "bindings/protect.h"
#include "bindings/paths.h"
#include "sync/watch.h"
#include "transport/pack.h"

struct tide_future *tide_future_check(lua_State *L, int arg)
{
    return (struct tide_future *)(void *)tide_handle_check(L, arg, &tide_future_class);
}

struct tide_future *tide_future_make(lua_State *L, int index, int count)
{
    struct tide_future *future = tide_future_new(tide_call_start);
    tide_bind_new(L, (struct tide_object *)future); /* from here on the handle owns it: what follows may raise */
    tide_future_prepare(L, future, index, count);
    return future;
}

void tide_future_prepare(lua_State *L, struct tide_future *future, int index, int count)
{
    struct tide_code *code = tide_pack_function(L, index);
    future->code = &code->base;
    if (tide_state_of(L)->sent != code) { /* another function than last time: it may need modules of paths set meanwhile */
        tide_state_of(L)->sent = code;
        tide_paths_publish(L);
    }
    future->name = tide_code_name(code);
    if (count)
        future->call = &tide_pack(L, index + 1, count)->base;
}

void tide_future_lend_own(struct tide_task *task)
{
    struct tide_future *own = tide_call_future(task);
    if (own)
        tide_future_lend(own);
}

void tide_future_resume_own(struct tide_task *task)
{
    struct tide_future *own = tide_call_future(task);
    if (own)
        tide_future_resume(own);
}

/* ---- outcomes ---- */

static bool plain(lua_State *L, int first)
{
    for (int i = first; i <= lua_gettop(L); i++)
        if (lua_type(L, i) > LUA_TSTRING)
            return false;
    return true;
}

static int push_values(lua_State *L, int index, struct tide_future *future)
{
    struct tide_parcel *parcel = (struct tide_parcel *)(void *)future->result;
    int first = lua_gettop(L) + 1;
    if (!parcel)
        return 0;
    if (atomic_load_explicit(&future->marks, memory_order_relaxed) & TIDE_FUTURE_KEPT) {
        int count = tide_kept_push(L, index);
        if (count >= 0)
            return count;
    }
    int count = tide_unpack(L, parcel);
    if (!plain(L, first)) {
        tide_kept_put(L, index, first);
        tide_future_mark(future, TIDE_FUTURE_KEPT);
    }
    return count;
}

void tide_future_push_error(lua_State *L, struct tide_future *future)
{
    if (future->result && tide_unpack(L, (struct tide_parcel *)(void *)future->result) > 0)
        return;
    lua_pushstring(L, future->error ? future->error : "the task failed");
}

/* The same, the same value each time. */
static void push_same_error(lua_State *L, int index, struct tide_future *future)
{
    if (!future->result || push_values(L, index, future) == 0)
        tide_future_push_error(L, future);
}

int tide_future_outcome(lua_State *L, int index, struct tide_future *future)
{
    tide_future_mark(future, TIDE_FUTURE_OBSERVED);
    switch (tide_future_state(future)) {
    case TIDE_FUTURE_DONE: return push_values(L, index, future);
    case TIDE_FUTURE_CANCELLED: tide_cancel_push(L, TIDE_CANCEL_REQUESTED); return lua_error(L);
    default: break;
    }
    push_same_error(L, index, future);
    tide_call_remote_trace(L, future, false);
    return lua_error(L);
}

int tide_future_outcome_error(lua_State *L, int index, struct tide_future *future)
{
    if (tide_future_state(future) == TIDE_FUTURE_CANCELLED)
        return tide_future_outcome(L, index, future);
    tide_future_mark(future, TIDE_FUTURE_OBSERVED);
    if (tide_future_state(future) == TIDE_FUTURE_DONE)
        lua_pushnil(L);
    else
        push_same_error(L, index, future);
    return 1;
}

/* ---- waiting ---- */

static struct tide_task *edge_owner(struct tide_object *object)
{
    return tide_future_task((struct tide_future *)(void *)object);
}

static void edge_describe(struct tide_object *object, struct tide_strbuf *out)
{
    struct tide_future *future = (struct tide_future *)(void *)object;
    tide_strbuf_printf(out, "'%s'", future->name ? future->name : "?");
}

static const struct tide_edge_class future_edge = {"the result of", edge_owner, edge_describe};

enum { ASK_RESULT, ASK_ERROR };

static int answer(lua_State *L, struct tide_future *future, int what)
{
    return what == ASK_RESULT ? tide_future_outcome(L, 1, future) : tide_future_outcome_error(L, 1, future);
}

static int wait_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_future *future = tide_future_check(L, 1);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_future_leave(future, &task->waiter);
    tide_future_resume_own(task);
    tide_await_check(L, how);
    if (how == TIDE_WAIT_TIMED_OUT)
        return tide_bind_raise_timeout(L, "timeout: the task has not finished");
    return answer(L, future, (int)context);
}

static int ask(lua_State *L, int what)
{
    struct tide_future *future = tide_future_check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    if (tide_future_done(future))
        return answer(L, future, what);
    struct tide_task *task = tide_await_prepare(L);
    lua_settop(L, 1);
    tide_future_hurry(future, false);
    tide_wait_begin(task);
    if (tide_future_enqueue(future, &task->waiter, task) && tide_await_skip(task))
        return answer(L, future, what);
    tide_future_lend_own(task);
    struct tide_await how = {.deadline = deadline, .edge = &future_edge, .object = &future->object};
    return tide_await(L, &how, what, wait_finish);
}

static int result(lua_State *L)
{
    return ask(L, ASK_RESULT);
}

static int error(lua_State *L)
{
    return ask(L, ASK_ERROR);
}

/* ---- the rest of the class ---- */

static int traceback(lua_State *L)
{
    struct tide_future *future = tide_future_check(L, 1);
    if (tide_future_state(future) == TIDE_FUTURE_FAILED && future->error)
        lua_pushstring(L, future->error);
    else
        lua_pushnil(L);
    return 1;
}

static int done(lua_State *L)
{
    lua_pushboolean(L, tide_future_done(tide_future_check(L, 1)));
    return 1;
}

static int running(lua_State *L)
{
    lua_pushboolean(L, tide_future_state(tide_future_check(L, 1)) == TIDE_FUTURE_RUNNING);
    return 1;
}

static int cancelled(lua_State *L)
{
    lua_pushboolean(L, tide_future_state(tide_future_check(L, 1)) == TIDE_FUTURE_CANCELLED);
    return 1;
}

static int cancel(lua_State *L)
{
    lua_pushboolean(L, tide_future_cancel(tide_future_check(L, 1)));
    return 1;
}

static int ignore(lua_State *L)
{
    tide_future_mark(tide_future_check(L, 1), TIDE_FUTURE_IGNORED);
    lua_settop(L, 1);
    return 1;
}

struct on_done {
    struct tide_future_callback watch;
    struct tide_callback *callback;
};

static void fire(struct tide_future_callback *watch, struct tide_future *future)
{
    struct on_done *o = tide_container(watch, struct on_done, watch);
    tide_future_mark(future, TIDE_FUTURE_OBSERVED);
    tide_object_ref(&future->object);
    tide_callback_fire(o->callback, &future->object);
    tide_free(o);
}

static int on_done(lua_State *L)
{
    struct tide_future *future = tide_future_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    tide_handle_register(L, 1); /* so that the function gets this very handle */
    lua_pushvalue(L, 2);
    struct tide_callback *callback = tide_callback_new(L, "callback of a future");
    struct on_done *o = tide_malloc(sizeof *o);
    if (!o) {
        tide_callback_free(callback);
        return luaL_error(L, "not enough memory");
    }
    *o = (struct on_done){.watch.fire = fire, .callback = callback};
    tide_runtime_hold(tide_worker_of(L)->runtime); /* until it has run; see callback.c */
    tide_future_callback_add(future, &o->watch);
    lua_settop(L, 1);
    return 1;
}

static int tostring(lua_State *L)
{
    static const char *const states[] = {"pending", "running", "done", "failed", "cancelled"};
    struct tide_future *future = tide_future_check(L, 1);
    lua_pushfstring(L, "future of '%s' (%s)", future->name ? future->name : "?", states[tide_future_state(future)]);
    return 1;
}

void tide_open_future(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"result", result},   {"error", error},         {"traceback", traceback}, {"done", done},     {"running", running},
        {"cancel", cancel},   {"cancelled", cancelled}, {"on_done", on_done},     {"ignore", ignore}, {NULL, NULL},
    };
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_future_class, methods, meta);
    tide_open_watch(L);
}
