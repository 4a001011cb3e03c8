#include "bindings/errors.h"

#include <lauxlib.h>

static const char name[] = "tidemill.error";

static int tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "message");
    if (!lua_isstring(L, -1))
        lua_pushliteral(L, "(error without a message)");
    return 1;
}

void tide_errors_open(lua_State *L)
{
    luaL_newmetatable(L, name); /* sets __name */
    lua_pushcfunction(L, tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

void tide_errors_push_class(lua_State *L)
{
    luaL_getmetatable(L, name);
}

void tide_errors_make(lua_State *L, const char *kind)
{
    lua_createtable(L, 0, 2);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, kind);
    lua_setfield(L, -2, "kind");
    tide_errors_push_class(L);
    lua_setmetatable(L, -2);
}
