#include "bindings/guard.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>

enum state { EMPTY, HOLDS, RELEASED, CLOSED };

struct guard {
    const struct tide_guard_class *class;
    struct tide_object *object; /* NULL: collected */
    enum state state;
};

/* Each function has two upvalues: the class, and its metatable, so that no other guard and nothing else gets by. */
static struct guard *check(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
        bool is = lua_rawequal(L, -1, lua_upvalueindex(2));
        lua_pop(L, 1);
        if (is)
            return lua_touserdata(L, 1);
    }
    const struct tide_guard_class *class = lua_touserdata(L, lua_upvalueindex(1));
    luaL_typeerror(L, 1, class->name);
    return NULL;
}

/* Before the call, so that a release that raises is not tried again. */
static void give_back(lua_State *L, struct guard *guard, enum state state)
{
    guard->state = state;
    guard->class->release(L, guard->object);
}

static int release(lua_State *L)
{
    struct guard *guard = check(L);
    if (guard->state != HOLDS)
        return luaL_error(L, "this guard of a %s has been released before; take the %s again with guard()", guard->class->noun,
                          guard->class->noun);
    give_back(L, guard, RELEASED);
    return 0;
}

static int close(lua_State *L)
{
    struct guard *guard = check(L);
    if (guard->state == CLOSED)
        return luaL_error(L, "this guard of a %s has been closed before; one guard belongs into one <close> variable",
                          guard->class->noun);
    if (guard->state == HOLDS)
        give_back(L, guard, CLOSED);
    guard->state = CLOSED;
    return 0;
}

static int gc(lua_State *L)
{
    struct guard *guard = check(L);
    if (guard->state == HOLDS && guard->object && guard->class->drop)
        guard->class->drop(guard->object);
    guard->state = CLOSED;
    tide_object_unref(guard->object);
    guard->object = NULL;
    return 0;
}

static int tostring(lua_State *L)
{
    struct guard *guard = check(L);
    lua_pushfstring(L, "guard of a %s (%s)", guard->class->noun, guard->state == HOLDS ? "held" : "released");
    return 1;
}

/* Into the table on top; the metatable is at `meta`. */
static void set_functions(lua_State *L, const luaL_Reg *functions, const struct tide_guard_class *class, int meta)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)class);
    lua_pushvalue(L, meta);
    luaL_setfuncs(L, functions, 2);
}

void tide_guard_open(lua_State *L, const struct tide_guard_class *class)
{
    static const luaL_Reg methods[] = {{"release", release}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__close", close}, {"__gc", gc}, {"__tostring", tostring}, {NULL, NULL}};
    lua_newtable(L);
    int at = lua_gettop(L);
    set_functions(L, meta, class, at);
    lua_newtable(L);
    set_functions(L, methods, class, at);
    lua_setfield(L, at, "__index");
    lua_pushstring(L, class->name);
    lua_setfield(L, at, "__name");
    lua_pushboolean(L, 0);
    lua_setfield(L, at, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, class);
}

void tide_guard_push(lua_State *L, const struct tide_guard_class *class, struct tide_object *object)
{
    struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);
    *guard = (struct guard){.class = class, .state = EMPTY};
    lua_rawgetp(L, LUA_REGISTRYINDEX, class);
    lua_setmetatable(L, -2);
    tide_object_ref(object);
    guard->object = object;
}

void tide_guard_hold(lua_State *L, int index)
{
    struct guard *guard = lua_touserdata(L, index);
    guard->state = HOLDS;
}

struct tide_object *tide_guard_object(lua_State *L, int index)
{
    struct guard *guard = lua_touserdata(L, index);
    return guard->object;
}

static int called(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 1; /* the guard is closed by the return */
}

int tide_guard_call(lua_State *L)
{
    lua_toclose(L, 1);
    lua_callk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, called);
    return called(L, LUA_OK, 0);
}
