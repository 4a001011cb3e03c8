#include "bindings/kept.h"

#include "transport/handle.h"

#include <assert.h>
#include <lauxlib.h>

void tide_kept_put(lua_State *L, int index, int first)
{
    int count = lua_gettop(L) - first + 1;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 3, NULL);
    lua_createtable(L, count, 1);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "n");
    int kept = lua_setiuservalue(L, index, TIDE_HANDLE_KEPT);
    assert(kept); /* else class->kept is missing */
    (void)kept;
}

int tide_kept_push(lua_State *L, int index)
{
    if (lua_getiuservalue(L, index, TIDE_HANDLE_KEPT) != LUA_TTABLE) {
        lua_pop(L, 1);
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
