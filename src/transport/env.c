#include "transport/env.h"

#include "transport/record.h"

#include <lauxlib.h>
#include <string.h>

enum { DEPTH_MAX = 8 }; /* of a chain of __index tables */

static const char marker; /* metatable[&marker] = true in the metatables of environments */

/* in: layer at `layer`; out: a metatable for environments above it */
static void push_metatable(lua_State *L, int layer)
{
    layer = lua_absindex(L, layer);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, layer);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &marker);
}

/* in: layer; out: popped. Makes it the present one. */
static void use_layer(lua_State *L, struct tide_transport *t)
{
    int layer = lua_gettop(L);
    const void *pointer = lua_topointer(L, layer);
    tide_slot_push(L, t, TIDE_SLOT_LAYERS);
    lua_pushvalue(L, layer);
    if (lua_rawget(L, -2) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 2, 0);
        push_metatable(L, layer);
        lua_rawseti(L, -2, 1);
        lua_newtable(L);
        tide_slot_push(L, t, TIDE_SLOT_WEAK_VALUES);
        lua_setmetatable(L, -2);
        lua_rawseti(L, -2, 2);
        lua_pushvalue(L, layer);
        lua_pushvalue(L, -2);
        lua_rawset(L, layer + 1);
    }
    t->layer = NULL; /* while the two slots may disagree */
    lua_rawgeti(L, -1, 1);
    tide_slot_set(L, t, TIDE_SLOT_ENV_META);
    lua_rawgeti(L, -1, 2);
    tide_slot_set(L, t, TIDE_SLOT_DECODED);
    t->layer = pointer;
    lua_settop(L, layer - 1);
}

void tide_env_open(lua_State *L, struct tide_transport *t)
{
    lua_newtable(L);
    tide_slot_push(L, t, TIDE_SLOT_WEAK_KEYS);
    lua_setmetatable(L, -2);
    tide_slot_set(L, t, TIDE_SLOT_LAYERS);
    lua_newtable(L);
    tide_slot_push(L, t, TIDE_SLOT_WEAK_KEYS);
    lua_setmetatable(L, -2);
    tide_slot_set(L, t, TIDE_SLOT_ENVS);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    use_layer(L, t);
}

void tide_env_set_layer(lua_State *L, int index)
{
    struct tide_transport *t = tide_transport_of(L);
    bool base = lua_isnoneornil(L, index);
    if (t->layer == (base ? t->globals : lua_topointer(L, index)))
        return;
    luaL_checkstack(L, 8, NULL);
    if (base)
        lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    else
        lua_pushvalue(L, index);
    use_layer(L, t);
}

void tide_env_push_new(lua_State *L, const struct tide_transport *t, int entries)
{
    lua_createtable(L, 0, entries + 1);
    tide_slot_push(L, t, TIDE_SLOT_ENV_META);
    lua_setmetatable(L, -2);
    lua_pushliteral(L, "_G");
    lua_pushvalue(L, -2);
    lua_rawset(L, -3);
}

void tide_env_expose(lua_State *L, const struct tide_transport *t, int index)
{
    index = lua_absindex(L, index);
    tide_slot_push(L, t, TIDE_SLOT_ENVS);
    lua_pushvalue(L, index);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* in: a table; out: the table in its metatable's __index, in its place; false (and nothing) if there is none */
static bool next_layer(lua_State *L)
{
    if (!lua_getmetatable(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
    if (lua_istable(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

/* in: a layer on top; out: popped. Copies it and what is below it where the environment has nothing yet. */
static void copy_layers(lua_State *L, int env)
{
    int depth = 0;
    do {
        int layer = lua_gettop(L);
        for (lua_pushnil(L); lua_next(L, layer);) {
            lua_pushvalue(L, -2);
            if (lua_rawget(L, env) == LUA_TNIL) {
                lua_pushvalue(L, -3);
                lua_pushvalue(L, -3);
                lua_rawset(L, env);
            }
            lua_pop(L, 2);
        }
    } while (next_layer(L) && ++depth < DEPTH_MAX);
    if (depth == DEPTH_MAX)
        lua_pop(L, 1);
}

void tide_env_complete(lua_State *L, const struct tide_transport *t, int index)
{
    index = lua_absindex(L, index);
    tide_slot_push(L, t, TIDE_SLOT_ENV_META);
    lua_getfield(L, -1, "__index");
    push_metatable(L, -1);
    lua_setmetatable(L, index);
    copy_layers(L, index);
    lua_pop(L, 1);
}

void tide_env_push_standard(lua_State *L, const struct tide_transport *t, const char *name, size_t size)
{
    int top = lua_gettop(L);
    lua_pushlstring(L, name, size);
    tide_slot_push(L, t, TIDE_SLOT_ENV_META);
    lua_getfield(L, -1, "__index");
    lua_pushvalue(L, top + 1);
    tide_env_lookup(L, top + 3);
    if (!tide_env_is_standard(L, t, top + 1, top + 4)) {
        lua_pushnil(L);
        lua_replace(L, top + 4);
    }
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
}

bool tide_env_is(lua_State *L, const struct tide_transport *t, int index, const char *upvalue)
{
    if (lua_type(L, index) != LUA_TTABLE)
        return false;
    if (lua_topointer(L, index) == t->globals)
        return true;
    index = lua_absindex(L, index);
    if (lua_getmetatable(L, index)) {
        bool marked = lua_rawgetp(L, -1, &marker) != LUA_TNIL;
        lua_pop(L, 2);
        if (marked)
            return true;
    } else if (!upvalue || strcmp(upvalue, "_ENV") != 0) {
        return false;
    }
    tide_slot_push(L, t, TIDE_SLOT_ENVS);
    lua_pushvalue(L, index);
    bool is = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return is;
}

void tide_env_lookup(lua_State *L, int index)
{
    int name = lua_gettop(L), depth = 0;
    lua_pushvalue(L, index);
    do {
        lua_pushvalue(L, name);
        if (lua_rawget(L, -2) != LUA_TNIL || depth == DEPTH_MAX) {
            lua_replace(L, name);
            lua_settop(L, name);
            return;
        }
        lua_pop(L, 1);
        depth++;
    } while (next_layer(L));
    lua_pushnil(L);
    lua_replace(L, name);
}

bool tide_env_is_standard(lua_State *L, const struct tide_transport *t, int name, int value)
{
    name = lua_absindex(L, name);
    value = lua_absindex(L, value);
    tide_slot_push(L, t, TIDE_SLOT_BASE);
    lua_pushvalue(L, name);
    lua_rawget(L, -2);
    bool same = !lua_isnil(L, -1) && lua_rawequal(L, -1, value);
    lua_pop(L, 2);
    return same;
}

void tide_env_of(lua_State *L, int index)
{
    struct tide_transport *t = tide_transport_of(L);
    luaL_checkstack(L, 6, NULL);
    index = lua_absindex(L, index);
    if (lua_isfunction(L, index) && !lua_iscfunction(L, index)) {
        const char *name;
        for (int i = 1; (name = lua_getupvalue(L, index, i)) != NULL; i++) {
            if (tide_env_is(L, t, -1, name))
                return;
            lua_pop(L, 1);
        }
    }
    lua_pushnil(L);
}

enum { CAPTURE_LEVELS = 8 }; /* of functions captured by functions: one search has to end */

/* out: the environment found among what the function at `index` captured, or nothing: false */
static bool push_captured(lua_State *L, int index, int levels)
{
    luaL_checkstack(L, 6, NULL);
    tide_env_of(L, index);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    for (int i = 1; levels > 0 && lua_getupvalue(L, index, i) != NULL; i++) {
        bool lua = lua_isfunction(L, -1) && !lua_iscfunction(L, -1);
        if (lua && push_captured(L, lua_gettop(L), levels - 1)) {
            lua_remove(L, -2);
            return true;
        }
        lua_pop(L, 1);
    }
    return false;
}

void tide_env_of_message(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (!push_captured(L, index, CAPTURE_LEVELS))
        tide_env_push_new(L, tide_transport_of(L), 0);
}

void tide_env_current(lua_State *L)
{
    lua_Debug ar;
    luaL_checkstack(L, 6, NULL);
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "f", &ar);
        tide_env_of(L, -1);
        lua_remove(L, -2);
        if (!lua_isnil(L, -1))
            return;
        lua_pop(L, 1);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}
