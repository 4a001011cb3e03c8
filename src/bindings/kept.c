#include "bindings/kept.h"

#include <lauxlib.h>

static const char kept;

void tide_kept_open(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &kept);
}

void tide_kept_put(lua_State *L, int index, int first)
{
    int count = lua_gettop(L) - first + 1;
    luaL_checkstack(L, 4, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_pushvalue(L, index);
    lua_createtable(L, count, 1);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

int tide_kept_push(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &kept);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) != LUA_TTABLE) {
        lua_pop(L, 2);
        return -1;
    }
    lua_getfield(L, -1, "n");
    int count = (int)lua_tointeger(L, -1), at = lua_gettop(L) - 1;
    lua_pop(L, 1);
    luaL_checkstack(L, count, "too many results");
    for (int i = 1; i <= count; i++)
        lua_rawgeti(L, at, i);
    return count;
}
