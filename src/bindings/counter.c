/* tm.counter */
#include "sync/counter.h"

#include "bindings/bind.h"
#include "bindings/module.h"

static struct tide_counter *check(lua_State *L, int arg)
{
    return (struct tide_counter *)(void *)tide_handle_check(L, arg, &tide_counter_class);
}

static int new(lua_State *L)
{
    return tide_bind_new(L, (struct tide_object *)tide_counter_new(luaL_optinteger(L, 1, 0)));
}

static int add(lua_State *L)
{
    lua_pushinteger(L, tide_counter_add(check(L, 1), luaL_optinteger(L, 2, 1)));
    return 1;
}

static int get(lua_State *L)
{
    lua_pushinteger(L, tide_counter_get(check(L, 1)));
    return 1;
}

static int set(lua_State *L)
{
    struct tide_counter *counter = check(L, 1);
    lua_pushinteger(L, tide_counter_set(counter, luaL_checkinteger(L, 2)));
    return 1;
}

static int compare_exchange(lua_State *L)
{
    struct tide_counter *counter = check(L, 1);
    int64_t from = luaL_checkinteger(L, 2);
    lua_pushboolean(L, tide_counter_compare_exchange(counter, &from, luaL_checkinteger(L, 3)));
    lua_pushinteger(L, from);
    return 2;
}

static int tostring(lua_State *L)
{
    lua_pushfstring(L, "counter (%I)", (LUAI_UACINT)tide_counter_get(check(L, 1)));
    return 1;
}

void tide_open_counter(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", add}, {"get", get}, {"set", set}, {"compare_exchange", compare_exchange}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_counter_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "counter");
}
