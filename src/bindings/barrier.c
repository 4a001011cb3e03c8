/* tm.barrier */
#include "sync/barrier.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/module.h"
#include "bindings/paths.h"
#include "transport/env.h"
#include "transport/pack.h"

static struct tide_barrier *check(lua_State *L, int arg)
{
    return (struct tide_barrier *)(void *)tide_handle_check(L, arg, &tide_barrier_class);
}

static int new(lua_State *L)
{
    static const char *const keys[] = {"action", "timeout", NULL};
    struct tide_message *action = NULL;
    lua_Integer parties = luaL_checkinteger(L, 1);
    luaL_argcheck(L, parties >= 1, 1, "the number of parties is less than 1");
    luaL_argcheck(L, parties <= 1 << 30, 1, "too many parties");
    tide_bind_options(L, 2, keys);
    lua_Number timeout = tide_bind_seconds(L, 2, "timeout");
    if (tide_bind_function(L, 2, "action")) {
        tide_paths_publish(L);
        action = &tide_pack_function(L, lua_gettop(L))->base;
    }
    return tide_bind_new(L, (struct tide_object *)tide_barrier_new((uint32_t)parties, timeout, action));
}

static int raise_broken(lua_State *L, enum tide_barrier_outcome why)
{
    static const char *const reasons[] = {
        [TIDE_BARRIER_TIMED_OUT] = "the time limit of a task that waited was over; reset() makes it whole",
        [TIDE_BARRIER_CANCELLED] = "a task that waited was cancelled; reset() makes it whole",
        [TIDE_BARRIER_FAILED] = "its action failed; reset() makes it whole",
        [TIDE_BARRIER_ABORTED] = "abort() was called; reset() makes it whole",
        [TIDE_BARRIER_RESET] = "reset() was called while this task was in it; later waits work again",
    };
    luaL_where(L, 1);
    lua_pushfstring(L, "%sthe barrier is broken: %s", lua_tostring(L, -1), reasons[why]);
    tide_errors_make(L, "broken_barrier");
    return lua_error(L);
}

/* ---- the turn: who has to run the action of a generation, and breaks it if that does not come to its end ---- */

static const char turn_name[] = "tidemill.barrier_turn";

struct turn {
    struct tide_barrier *barrier; /* with a reference; NULL: collected */
    uint64_t generation;
    bool held;
};

static struct turn *push_turn(lua_State *L, struct tide_barrier *barrier)
{
    struct turn *turn = lua_newuserdatauv(L, sizeof *turn, 0);
    *turn = (struct turn){.barrier = NULL};
    luaL_setmetatable(L, turn_name);
    tide_object_ref(&barrier->object);
    turn->barrier = barrier;
    return turn;
}

static int turn_close(lua_State *L)
{
    struct turn *turn = luaL_checkudata(L, 1, turn_name);
    struct tide_task *task = tide_task_of(L);
    if (turn->held && turn->barrier)
        tide_barrier_fail(turn->barrier, turn->generation,
                          task && task->unwinding ? TIDE_BARRIER_CANCELLED : TIDE_BARRIER_FAILED);
    turn->held = false;
    return 0;
}

static int turn_gc(lua_State *L)
{
    struct turn *turn = luaL_checkudata(L, 1, turn_name);
    turn_close(L);
    if (turn->barrier)
        tide_object_unref(&turn->barrier->object);
    turn->barrier = NULL;
    return 0;
}

/* ---- b:wait([timeout]) ----
 * Stack: 1 the barrier, 2 the deadline, 3 the turn, not held yet, where there is an action. */

enum { AT_BARRIER = 1, AT_DEADLINE, AT_TURN };

static int arrive(lua_State *L);

static int acted(lua_State *L, int status, lua_KContext context)
{
    struct turn *turn = lua_touserdata(L, AT_TURN);
    (void)status;
    (void)context;
    turn->held = false;
    enum tide_barrier_outcome outcome = tide_barrier_pass(turn->barrier, turn->generation);
    if (outcome != TIDE_BARRIER_PASSED)
        return raise_broken(L, outcome);
    lua_pushinteger(L, turn->barrier->parties);
    return 1;
}

static int act(lua_State *L, uint64_t generation)
{
    struct turn *turn = lua_touserdata(L, AT_TURN);
    turn->generation = generation;
    turn->held = true;
    lua_toclose(L, AT_TURN);
    lua_pushnil(L);
    tide_env_set_layer(L, -1); /* no executor's initializer was there where the action was made */
    lua_pop(L, 1);
    tide_unpack_function(L, (struct tide_code *)(void *)turn->barrier->action);
    lua_callk(L, 0, 0, 0, acted);
    return acted(L, LUA_OK, 0);
}

static int answer(lua_State *L, enum tide_barrier_outcome outcome, const struct tide_waiter *waiter)
{
    switch (outcome) {
    case TIDE_BARRIER_PASSED: lua_pushinteger(L, waiter->index); return 1;
    case TIDE_BARRIER_ACTS: return act(L, tide_barrier_turn(waiter));
    case TIDE_BARRIER_AGAIN: return arrive(L);
    case TIDE_BARRIER_RECURSES: return luaL_error(L, "the action of this barrier waits for the barrier itself");
    default: return raise_broken(L, outcome);
    }
}

static int wait_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_barrier *barrier = check(L, AT_BARRIER);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    (void)status;
    (void)context;
    if (how == TIDE_WAIT_WOKEN)
        return answer(L, tide_barrier_told(&task->waiter), &task->waiter);
    tide_barrier_leave(barrier, &task->waiter, how);
    tide_await_check(L, how);
    return tide_bind_timed_out(L);
}

static int arrive(lua_State *L)
{
    struct tide_barrier *barrier = check(L, AT_BARRIER);
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    enum tide_barrier_outcome outcome = tide_barrier_arrive(barrier, &task->waiter, task);
    if (outcome != TIDE_BARRIER_WAITS) {
        if (tide_await_skip(task))
            return answer(L, outcome, &task->waiter);
        if (outcome == TIDE_BARRIER_ACTS) /* interrupted at the same time */
            tide_barrier_fail(barrier, tide_barrier_turn(&task->waiter), TIDE_BARRIER_CANCELLED);
    }
    struct tide_await how = {.deadline = lua_tointeger(L, AT_DEADLINE), .what = "the other parties of a barrier"};
    return tide_await(L, &how, 0, wait_finish);
}

static int wait(lua_State *L)
{
    struct tide_barrier *barrier = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    if (lua_isnoneornil(L, 2))
        deadline = tide_deadline_after(barrier->timeout);
    lua_settop(L, AT_BARRIER);
    lua_pushinteger(L, deadline);
    if (barrier->action)
        push_turn(L, barrier);
    return arrive(L);
}

/* ---- the rest ---- */

static int abort_(lua_State *L)
{
    tide_barrier_abort(check(L, 1));
    return 0;
}

static int reset(lua_State *L)
{
    tide_barrier_reset(check(L, 1));
    return 0;
}

static int parties(lua_State *L)
{
    lua_pushinteger(L, check(L, 1)->parties);
    return 1;
}

static int n_waiting(lua_State *L)
{
    lua_pushinteger(L, tide_barrier_waiting(check(L, 1)));
    return 1;
}

static int broken(lua_State *L)
{
    lua_pushboolean(L, tide_barrier_broken(check(L, 1)));
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_barrier *barrier = check(L, 1);
    if (tide_barrier_broken(barrier))
        lua_pushliteral(L, "barrier (broken)");
    else
        lua_pushfstring(L, "barrier (%I of %I wait)", (LUAI_UACINT)tide_barrier_waiting(barrier),
                        (LUAI_UACINT)barrier->parties);
    return 1;
}

void tide_open_barrier(lua_State *L)
{
    static const luaL_Reg methods[] = {{"wait", wait},           {"abort", abort_},  {"reset", reset}, {"parties", parties},
                                       {"n_waiting", n_waiting}, {"broken", broken}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_barrier_class, methods, meta);
    tide_bind_hidden_class(L, turn_name, turn_gc);
    luaL_getmetatable(L, turn_name);
    lua_pushcfunction(L, turn_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "barrier");
}
