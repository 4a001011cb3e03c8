#include "bindings/await.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/protect.h"
#include "sched/runtime.h"

#include <math.h>
#include <string.h>

/* True inside a finalizer: the collector called some function on the stack. The slow path of a wait that cannot yield. */
static bool in_finalizer(lua_State *L)
{
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "n", &ar);
        if (ar.name && strcmp(ar.name, "__gc") == 0 && strcmp(ar.namewhat, "metamethod") == 0)
            return true;
    }
    return false;
}

struct tide_task *tide_await_prepare(lua_State *L)
{
    struct tide_worker *w = tide_worker_of(L);
    struct tide_task *task = w->task;
    if (!task)
        luaL_error(L, "cannot wait here: no task is running (a finalizer at the end of the program?)");
    if (!lua_isyieldable(L) && in_finalizer(L))
        luaL_error(L, "cannot wait inside a __gc finalizer; set an event there, and wait for it elsewhere");
    if (atomic_load_explicit(&task->attention, memory_order_relaxed)) {
        struct tide_cancel *due = tide_cancel_due(task);
        if (due)
            tide_cancel_raise(L, due);
    }
    return task;
}

/* The wait cannot go on: decides it for ourselves if nobody has. If somebody has, the mail is on its way, the wait stands. */
static bool give_up(struct tide_task *task)
{
    return tide_wait_interrupt_own(task);
}

static void nest_problem(struct tide_state *state, int code)
{
    struct tide_strbuf cycle = state->problem;
    state->problem = (struct tide_strbuf){0};
    if (code == TIDE_EDEADLK)
        tide_strbuf_printf(&state->problem, "deadlock: %s", tide_strbuf_text(&cycle));
    else
        tide_strbuf_puts(&state->problem,
                         "cannot wait here: too many waits are nested where Lua cannot yield (a sort comparator, a gsub "
                         "callback, a C function); wait outside of it");
    tide_strbuf_fini(&cycle);
}

/* Publishes the edge; false if it would close a cycle and the wait was given up for it. */
static bool publish(struct tide_state *state, struct tide_task *task, const struct tide_await *how)
{
    if (!how->edge || how->deadline != TIDE_NEVER || tide_cancel_deadline(task) != TIDE_NEVER)
        return true;
    struct tide_strbuf cycle = {0};
    int result = tide_graph_enter(task, how->edge, how->object, &cycle);
    if (result == TIDE_EDEADLK && give_up(task))
        tide_strbuf_printf(&state->problem, "deadlock: %s", tide_strbuf_text(&cycle));
    else
        result = 0;
    tide_strbuf_fini(&cycle);
    return result == 0;
}

static int nest(lua_State *L, struct tide_state *state, struct tide_task *task, lua_KContext context, lua_KFunction k)
{
    int result = tide_worker_nest(state->worker, &state->problem);
    if (result != 0 && give_up(task))
        nest_problem(state, result);
    else if (result != 0)
        tide_worker_absorb(state->worker); /* it was won: only its mail has to come */
    return k(L, LUA_YIELD, context);
}

int tide_await(lua_State *L, const struct tide_await *how, lua_KContext context, lua_KFunction k)
{
    struct tide_worker *w = tide_worker_of(L);
    struct tide_state *state = w->state;
    struct tide_task *task = w->task;
    tide_strbuf_clear(&state->problem);
    task->waits_for = how->what;
    if (task->on_block) {
        void (*tell)(struct tide_task *) = task->on_block;
        task->on_block = NULL;
        tell(task);
    }
    if (!publish(state, task, how))
        return k(L, LUA_YIELD, context);
    int park = tide_wait_commit(task, how->deadline);
    if (park == TIDE_ENOMEM) {
        park = !give_up(task);
        if (!park)
            tide_strbuf_puts(&state->problem, "not enough memory");
    }
    if (!park)
        return k(L, LUA_YIELD, context);
    if (how->outside && w->runtime->baton)
        tide_baton_step_out(w->runtime->baton, task, how->outside == TIDE_OUTSIDE_NETWORK);
    if (!tide_worker_can_yield(w))
        return nest(L, state, task, context, k);
    w->yielded = TIDE_YIELD_WAIT;
    task->inner = L;
    return lua_yieldk(L, 0, context, k);
}

bool tide_await_skip(struct tide_task *task)
{
    return tide_wait_abandon(task);
}

enum tide_wait_state tide_await_end(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    if (task->flags & TIDE_TASK_OUTSIDE)
        tide_baton_step_in(task->worker->runtime->baton, task);
    return tide_wait_end(task);
}

void tide_await_check(lua_State *L, enum tide_wait_state how)
{
    struct tide_state *state = tide_state_of(L);
    if (how != TIDE_WAIT_INTERRUPTED)
        return;
    if (state->problem.size) {
        lua_pushlstring(L, state->problem.data, state->problem.size);
        tide_strbuf_clear(&state->problem);
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
        lua_error(L);
    }
    struct tide_cancel *due = tide_cancel_due(tide_task_of(L));
    if (due)
        tide_cancel_raise(L, due);
    luaL_error(L, "wait interrupted");
}

int64_t tide_await_deadline(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return TIDE_NEVER;
    lua_Number seconds = luaL_checknumber(L, arg);
    luaL_argcheck(L, seconds >= 0, arg, isnan(seconds) ? "time limit is NaN" : "time limit is negative");
    return tide_deadline_after(seconds);
}
