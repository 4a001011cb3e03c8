#include "bindings/errors.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
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

/* in: -; out: the raw field of the table at `index`. True if it is a text. */
static bool push_text_field(lua_State *L, int index, const char *key)
{
    lua_pushstring(L, key);
    return lua_rawget(L, index) == LUA_TSTRING;
}

const char *tide_errors_text(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 5, NULL);
    if (lua_isstring(L, index))
        return luaL_tolstring(L, index, NULL);
    if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        return luaL_tolstring(L, index, NULL);
    }
    if (!lua_istable(L, index))
        return lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, index));
    int top = lua_gettop(L);
    bool has_kind = push_text_field(L, index, "kind"), has_message = push_text_field(L, index, "message");
    if (has_kind && has_message)
        lua_pushfstring(L, "%s: %s", lua_tostring(L, top + 1), lua_tostring(L, top + 2));
    else if (has_message)
        lua_pushvalue(L, top + 2);
    else if (has_kind)
        lua_pushfstring(L, "(error object is a table value of kind '%s')", lua_tostring(L, top + 1));
    else
        lua_pushliteral(L, "(error object is a table value)");
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return lua_tostring(L, -1);
}
