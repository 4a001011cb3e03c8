/* tm.sleep, tm.now, tm.monotonic. */
#include "base/time.h"

#include "bindings/bind.h"
#include "bindings/module.h"

#include <math.h>

static int sleep_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    tide_await_check(L, tide_await_end(L));
    return 0;
}

static int sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0, 1, isnan(seconds) ? "duration is NaN" : "duration is negative");
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    struct tide_await how = {.deadline = tide_deadline_after(seconds), .what = "time to pass"};
    return tide_await(L, &how, 0, sleep_finish);
}

static int now(lua_State *L)
{
    lua_pushnumber(L, tide_wall_seconds());
    return 1;
}

static int monotonic(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)tide_now_ns() / 1e9);
    return 1;
}

void tide_open_time(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sleep", sleep}, {"now", now}, {"monotonic", monotonic}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
