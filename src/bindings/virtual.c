#include "bindings/virtual.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/module.h"
#include "sched/runtime.h"

#include <math.h>

static struct tide_baton *baton_of(lua_State *L)
{
    return tide_worker_of(L)->runtime->baton;
}

/* ---- os.time, os.clock, os.date, math.randomseed; the first upvalue is Lua's own function ---- */

static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static lua_Integer wall_time(void)
{
    return (lua_Integer)floor(tide_wall_seconds());
}

static int os_time(lua_State *L)
{
    if (!lua_isnoneornil(L, 1))
        return call_original(L);
    lua_pushinteger(L, wall_time());
    return 1;
}

static int os_clock(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)(tide_now_ns() - TIDE_MS(TIDE_VIRTUAL_START_MS)) / 1e9);
    return 1;
}

static int os_date(lua_State *L)
{
    if (!lua_isnoneornil(L, 2))
        return call_original(L);
    lua_settop(L, 1);
    lua_pushinteger(L, wall_time());
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "%c");
        lua_replace(L, 1);
    }
    return call_original(L);
}

/* Without arguments it would take the time of day and an address. */
static int randomseed(lua_State *L)
{
    if (lua_isnone(L, 1)) {
        lua_pushinteger(L, (lua_Integer)tide_baton_draw(baton_of(L)));
        lua_pushinteger(L, (lua_Integer)tide_baton_draw(baton_of(L)));
    }
    return call_original(L);
}

/* in: - out: - */
static void replace(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    lua_getglobal(L, library);
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, function, 1);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

void tide_virtual_open(lua_State *L)
{
    struct tide_worker *w = tide_worker_of(L);
    if (!w->runtime->baton)
        return;
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)w->runtime->options.seed);
    lua_pushinteger(L, w->index);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
    replace(L, "math", "randomseed", randomseed);
    replace(L, "os", "time", os_time);
    replace(L, "os", "clock", os_clock);
    replace(L, "os", "date", os_date);
}

/* ---- for lua/tidemill/testing.lua ---- */

/* virtual() -> true in a run with virtual time */
static int is_virtual(lua_State *L)
{
    lua_pushboolean(L, baton_of(L) != NULL);
    return 1;
}

/* manual(true): the clock no longer jumps by itself; manual(false) takes one such call back */
static int manual(lua_State *L)
{
    struct tide_baton *baton = baton_of(L);
    if (lua_toboolean(L, 1))
        baton->manual++;
    else
        baton->manual--;
    return 0;
}

static int advanced(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    enum tide_wait_state how = tide_await_end(L);
    tide_list_remove(&tide_task_of(L)->waiter.link);
    tide_await_check(L, how);
    return 0;
}

/* advance(seconds) */
static int advance(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0, 1, isnan(seconds) ? "duration is NaN" : "duration is negative");
    int64_t until = tide_deadline_after(seconds);
    luaL_argcheck(L, until != TIDE_NEVER, 1, "duration is infinite or too long");
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    tide_baton_advance(baton_of(L), task, until);
    return tide_await(L, &(struct tide_await){.deadline = TIDE_NEVER, .what = "the clock to be moved"}, 0, advanced);
}

void tide_open_virtual(lua_State *L)
{
    static const luaL_Reg functions[] = {{"virtual", is_virtual}, {"manual", manual}, {"advance", advance}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "clock");
}
