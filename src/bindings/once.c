/* tm.once */
#include "sync/once.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/future.h"
#include "bindings/guard.h"
#include "bindings/kept.h"
#include "bindings/module.h"
#include "transport/pack.h"

static struct tide_once *check(lua_State *L, int arg)
{
    return (struct tide_once *)(void *)tide_handle_check(L, arg, &tide_once_class);
}

static int new(lua_State *L)
{
    luaL_argcheck(L, lua_isnoneornil(L, 1), 1, "no argument expected; the function goes to run(fn, ...)");
    return tide_bind_new(L, (struct tide_object *)tide_once_new());
}

/* ---- the graph: who waits waits for whose turn it is ---- */

static struct tide_task *edge_owner(struct tide_object *object)
{
    return tide_once_runner((struct tide_once *)(void *)object);
}

static void edge_describe(struct tide_object *object, struct tide_strbuf *out)
{
    tide_once_describe((struct tide_once *)(void *)object, out);
}

static const struct tide_edge_class once_edge = {"the run of", edge_owner, edge_describe};

/* ---- the turn: a guard that passes it on, whatever ends the call; nothing where the call was completed ---- */

static void drop_turn(struct tide_object *object)
{
    tide_once_fail((struct tide_once *)(void *)object);
}

static void end_turn(lua_State *L, struct tide_object *object)
{
    (void)L;
    drop_turn(object);
}

static const struct tide_guard_class turn_class = {"tidemill.once_turn", "once", end_turn, drop_turn};

/* ---- o:run(fn, ...) ----
 * Stack: 1 the once, 2 the turn, 3 the function, then its arguments, and later the results. */

enum { AT_ONCE = 1, AT_TURN, AT_FUNCTION };

static int answer(lua_State *L, struct tide_once *once)
{
    int count = tide_kept_push(L, AT_ONCE);
    if (count >= 0)
        return count;
    int first = lua_gettop(L) + 1;
    count = tide_unpack(L, (struct tide_parcel *)(void *)tide_once_values(once));
    tide_kept_put(L, AT_ONCE, first);
    return count;
}

static int called(lua_State *L, int status, lua_KContext context)
{
    struct tide_parcel *values = NULL;
    int count = lua_gettop(L) - AT_TURN;
    (void)status;
    (void)context;
    if (tide_pack_values(L, AT_TURN + 1, count, "result", &values) != 0)
        return lua_error(L);
    tide_once_finish(check(L, AT_ONCE), &values->base);
    tide_kept_put(L, AT_ONCE, AT_TURN + 1);
    return count;
}

/* It is the task's turn. Nothing raises before the guard has it. */
static int turn(lua_State *L)
{
    tide_guard_hold(L, AT_TURN);
    lua_toclose(L, AT_TURN);
    lua_callk(L, lua_gettop(L) - AT_FUNCTION, LUA_MULTRET, 0, called);
    return called(L, LUA_OK, 0);
}

static int run_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_once *once = check(L, AT_ONCE);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    (void)status;
    (void)context;
    tide_future_resume_own(task);
    if (how == TIDE_WAIT_WOKEN)
        return tide_once_done(once) ? answer(L, once) : turn(L);
    tide_once_leave(once, &task->waiter);
    tide_await_check(L, how);
    return 0; /* no time-out: there is no limit */
}

static int run(lua_State *L)
{
    struct tide_once *once = check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    if (tide_once_done(once))
        return answer(L, once);
    tide_handle_register(L, 1);
    tide_guard_push(L, &turn_class, (struct tide_object *)once);
    lua_insert(L, AT_TURN);
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    enum tide_once_state state = tide_once_enter(once, &task->waiter, task);
    if (state != TIDE_ONCE_WAITS) {
        if (tide_await_skip(task)) {
            if (state == TIDE_ONCE_RECURSES)
                return luaL_error(L, "this once is being run by this very task: what it runs called run again");
            return state == TIDE_ONCE_TURN ? turn(L) : answer(L, once);
        }
        if (state == TIDE_ONCE_TURN) /* interrupted at the same time: whoever is next has it */
            tide_once_fail(once);
    }
    tide_future_lend_own(task); /* what runs it may need the slot */
    struct tide_await how = {.deadline = TIDE_NEVER, .edge = &once_edge, .object = (struct tide_object *)once};
    return tide_await(L, &how, 0, run_finish);
}

static int done(lua_State *L)
{
    lua_pushboolean(L, tide_once_done(check(L, 1)));
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_once *once = check(L, 1);
    lua_pushfstring(L, "once (%s)", tide_once_done(once) ? "done" : tide_once_runner(once) ? "running" : "not run");
    return 1;
}

void tide_open_once(lua_State *L)
{
    static const luaL_Reg methods[] = {{"run", run}, {"done", done}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_once_class, methods, meta);
    tide_guard_open(L, &turn_class);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "once");
}
