#include "bindings/bind.h"

#include "base/time.h"
#include "bindings/errors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void tide_bind_class(lua_State *L, const struct tide_class *class, const luaL_Reg *methods, const luaL_Reg *meta)
{
    lua_newtable(L);
    if (meta)
        luaL_setfuncs(L, meta, 0);
    lua_newtable(L);
    if (methods)
        luaL_setfuncs(L, methods, 0);
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, class->name);
    lua_setfield(L, -2, "__index");
    tide_handle_class(L, class);
}

void tide_bind_hidden_class(lua_State *L, const char *name, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, gc);
    lua_setfield(L, -2, "__gc");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int tide_bind_new(lua_State *L, struct tide_object *object)
{
    if (!object)
        return luaL_error(L, "not enough memory");
    tide_handle_new(L, object);
    tide_object_unref(object); /* the handle has its own */
    return 1;
}

static bool known(const char *key, const char *const keys[])
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

bool tide_bind_options(lua_State *L, int arg, const char *const keys[])
{
    if (lua_isnoneornil(L, arg))
        return false;
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pushfstring(L, "option names are strings, got a %s", luaL_typename(L, -1));
            luaL_argerror(L, arg, lua_tostring(L, -1));
        }
        if (!known(lua_tostring(L, -1), keys)) {
            lua_pushfstring(L, "unknown option '%s' (known:", lua_tostring(L, -1));
            for (const char *const *k = keys; *k; k++) {
                lua_pushfstring(L, "%s %s", lua_tostring(L, -1), *k);
                lua_remove(L, -2);
            }
            lua_pushfstring(L, "%s)", lua_tostring(L, -1));
            luaL_argerror(L, arg, lua_tostring(L, -1));
        }
    }
    return true;
}

/* Pushes the option; false and nothing pushed where it is absent. */
static bool push_option(lua_State *L, int arg, const char *key)
{
    if (!lua_istable(L, arg))
        return false;
    if (lua_getfield(L, arg, key) != LUA_TNIL)
        return true;
    lua_pop(L, 1);
    return false;
}

static int wrong(lua_State *L, int arg, const char *key, const char *expected)
{
    if (lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING)
        lua_pushfstring(L, "option '%s': %s expected, got %s", key, expected, luaL_tolstring(L, -1, NULL));
    else
        lua_pushfstring(L, "option '%s': %s expected, got a %s", key, expected, luaL_typename(L, -1));
    return luaL_argerror(L, arg, lua_tostring(L, -1));
}

lua_Integer tide_bind_integer(lua_State *L, int arg, const char *key, lua_Integer least, lua_Integer most, lua_Integer absent)
{
    int exact = 0;
    if (!push_option(L, arg, key))
        return absent;
    lua_Integer value = lua_type(L, -1) == LUA_TNUMBER ? lua_tointegerx(L, -1, &exact) : 0;
    if (!exact || value < least || value > most) {
        char expected[96];
        snprintf(expected, sizeof expected, "an integer from %lld to %lld", (long long)least, (long long)most);
        wrong(L, arg, key, expected);
    }
    lua_pop(L, 1);
    return value;
}

bool tide_bind_boolean(lua_State *L, int arg, const char *key, bool absent)
{
    if (!push_option(L, arg, key))
        return absent;
    if (!lua_isboolean(L, -1))
        wrong(L, arg, key, "true or false");
    bool value = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return value;
}

const char *tide_bind_string(lua_State *L, int arg, const char *key, const char *absent)
{
    if (!push_option(L, arg, key))
        return absent;
    if (lua_type(L, -1) != LUA_TSTRING)
        wrong(L, arg, key, "a string");
    size_t size;
    const char *value = lua_tolstring(L, -1, &size);
    if (strlen(value) != size)
        luaL_error(L, "bad option '%s' (it has a zero byte in it)", key);
    lua_pop(L, 1); /* the options table keeps it */
    return value;
}

int tide_bind_choice(lua_State *L, int arg, const char *key, const char *const names[], int absent)
{
    char expected[128] = "";
    size_t size = 0;
    if (!push_option(L, arg, key))
        return absent;
    for (int i = 0; names[i]; i++) {
        if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), names[i]) == 0) {
            lua_pop(L, 1);
            return i;
        }
        int more = snprintf(expected + size, sizeof expected - size, "%s'%s'", i ? " or " : "", names[i]);
        size = size + (size_t)more < sizeof expected ? size + (size_t)more : sizeof expected - 1;
    }
    return wrong(L, arg, key, expected);
}

lua_Number tide_bind_seconds(lua_State *L, int arg, const char *key)
{
    if (!push_option(L, arg, key))
        return HUGE_VAL;
    lua_Number seconds = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(seconds >= 0))
        wrong(L, arg, key, "a number of seconds >= 0");
    lua_pop(L, 1);
    return seconds;
}

int64_t tide_bind_deadline(lua_State *L, int arg, const char *key)
{
    return tide_deadline_after(tide_bind_seconds(L, arg, key));
}

bool tide_bind_function(lua_State *L, int arg, const char *key)
{
    if (!push_option(L, arg, key))
        return false;
    if (!lua_isfunction(L, -1))
        wrong(L, arg, key, "a function");
    return true;
}

const char *tide_bind_path(lua_State *L, int arg)
{
    size_t size;
    luaL_checktype(L, arg, LUA_TSTRING);
    const char *path = lua_tolstring(L, arg, &size);
    luaL_argcheck(L, strlen(path) == size, arg, "path has a zero byte in it");
    return path;
}

int tide_bind_failed(lua_State *L, const char *deed, const char *path, int code, const char *why)
{
    lua_pushnil(L);
    tide_errors_push_failure(L, deed, path, code, why);
    return 2;
}

int tide_bind_timed_out(lua_State *L)
{
    lua_pushnil(L);
    lua_pushliteral(L, "timeout");
    return 2;
}

int tide_bind_raise_timeout(lua_State *L, const char *message)
{
    luaL_where(L, 1);
    lua_pushstring(L, message);
    lua_concat(L, 2);
    tide_errors_make(L, "timeout");
    return lua_error(L);
}
