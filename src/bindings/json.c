/* tm.json: the table, null, and the mark of arrays. */
#include "bindings/json.h"

#include "bindings/bind.h"
#include "bindings/module.h"

static const char array_class[] = "tidemill.json.array";

const char tide_json_null;

static void push_null(lua_State *L)
{
    lua_pushlightuserdata(L, (void *)&tide_json_null);
}

void tide_json_push_array_class(lua_State *L)
{
    luaL_getmetatable(L, array_class);
}

/* array([table]): marks it, or a new one. */
static int array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tide_json_push_array_class(L);
    if (lua_getmetatable(L, 1)) {
        luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table has a metatable of its own");
        lua_pop(L, 1);
    }
    lua_setmetatable(L, 1);
    return 1;
}

/* tostring of light userdata: null by its name, others as Lua does it. */
static int light_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
    if (lua_touserdata(L, 1) == &tide_json_null)
        lua_pushliteral(L, "null");
    else
        lua_pushfstring(L, "userdata: %p", lua_touserdata(L, 1));
    return 1;
}

/* All light userdata of a state have one metatable; somebody else's is left alone. In: light userdata. Out: the same. */
static void name_null(lua_State *L)
{
    if (lua_getmetatable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, light_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
}

void tide_open_json(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"decode", tide_json_decode}, {"encode", tide_json_encode}, {"array", array}, {NULL, NULL}};
    luaL_newlib(L, functions);
    push_null(L);
    name_null(L);
    lua_setfield(L, -2, "null");
    luaL_newmetatable(L, array_class); /* its __name makes it a class: a member of the module, it travels by name */
    lua_setfield(L, -2, "array_mt");
    lua_setfield(L, -2, "json");
}
