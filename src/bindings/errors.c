#include "bindings/errors.h"

#include <errno.h>
#include <lauxlib.h>
#include <string.h>

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

static const char *kind_of(int code)
{
    switch (code) {
    case ENOENT: return "not_found";
    case EACCES:
    case EPERM: return "permission";
    case EISDIR: return "is_directory";
    case ENOTDIR: return "not_directory";
    case EFBIG: return "too_large";
    case EMFILE:
    case ENFILE: return "too_many_open";
    default: return "io";
    }
}

void tide_errors_push_failure(lua_State *L, const char *deed, const char *path, int code, const char *why)
{
    char text[128];
    luaL_checkstack(L, 4, NULL);
    if (!why)
        why = strerror_r(code, text, sizeof text) == 0 ? text : "unknown error";
    lua_pushfstring(L, "cannot %s '%s': %s", deed, path, why);
    tide_errors_make(L, kind_of(code));
    lua_pushinteger(L, code);
    lua_setfield(L, -2, "errno");
    lua_pushstring(L, path);
    lua_setfield(L, -2, "path");
}
