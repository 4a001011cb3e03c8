/* test_transport_util.h - two Lua states in one process, and what carries values between them.
 *
 * In the state `here`, scripts have:
 *   there(f, ...)    the results of f(...), run in the other state; f and arguments and results travel
 *   copy(...)        the values after a journey to the other state and back
 *   refused(...)     the message of a refusal to send these values; refused_function(f) to send a function
 *   changed(f, ...)  what captures.h says after f ran there, or nil
 */
#ifndef TIDE_TESTS_TRANSPORT_UTIL_H
#define TIDE_TESTS_TRANSPORT_UTIL_H

#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "transport/captures.h"
#include "transport/env.h"
#include "transport/handle.h"
#include "transport/pack.h"
#include "transport/transport.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thing {
    struct tide_object object;
    int number;
};

static _Atomic int things_alive;

static void thing_destroy(struct tide_object *object)
{
    things_alive--;
    tide_free(object);
}

static const struct tide_class thing_class = {"tidemill.thing", thing_destroy};
static const struct tide_class other_class = {"tidemill.other", thing_destroy};

static struct thing *thing_make(int number)
{
    struct thing *t = malloc(sizeof *t);
    tide_object_init(&t->object, &thing_class);
    t->number = number;
    things_alive++;
    return t;
}

/* thing(n): a new handle */
static int l_thing(lua_State *L)
{
    struct thing *t = thing_make((int)luaL_optinteger(L, 1, 0));
    if (lua_toboolean(L, 2))
        tide_handle_new(L, &t->object);
    else
        tide_handle_push(L, &t->object);
    tide_object_unref(&t->object);
    return 1;
}

static int l_number(lua_State *L)
{
    lua_pushinteger(L, ((struct thing *)tide_handle_check(L, 1, &thing_class))->number);
    return 1;
}

/* The other state of each, in its registry. */
static const char other_key;

static lua_State *other_of(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &other_key);
    lua_State *other = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return other;
}

/* Moves a string error of the other state over and raises it here. */
static int raise_from(lua_State *L, lua_State *other)
{
    size_t size;
    const char *text = luaL_tolstring(other, -1, &size);
    lua_pushlstring(L, text, size);
    lua_settop(other, 0);
    return lua_error(L);
}

static int l_unpack(lua_State *L)
{
    struct tide_parcel *p = lua_touserdata(L, 1);
    lua_settop(L, 0);
    return tide_unpack(L, p);
}

/* Pushes the values of a parcel in L, in a pcall; LUA_OK or a status with the error on top. */
static int unpack_protected(lua_State *L, struct tide_parcel *p)
{
    lua_pushcfunction(L, l_unpack);
    lua_pushlightuserdata(L, p);
    return lua_pcall(L, 1, LUA_MULTRET, 0);
}

static int l_run(lua_State *L)
{
    struct tide_code *code = lua_touserdata(L, 1);
    struct tide_parcel *arguments = lua_touserdata(L, 2), **results = lua_touserdata(L, 3);
    lua_settop(L, 0);
    tide_unpack_function(L, code);
    lua_pushvalue(L, 1);
    lua_call(L, tide_unpack(L, arguments), LUA_MULTRET);
    *results = tide_pack(L, 2, lua_gettop(L) - 1);
    lua_pushnil(L);
    return tide_captures_check(L, 1, code) ? 1 : (lua_pushnil(L), 1);
}

/* f, arguments on the stack from 1; runs them there. Out: the note of captures.h or nil; *results has the results. */
static void run_there(lua_State *L, struct tide_parcel **results)
{
    lua_State *other = other_of(L);
    struct tide_code *code = tide_pack_function(L, 1);
    struct tide_parcel *arguments = tide_pack(L, 2, lua_gettop(L) - 1);
    lua_pushcfunction(other, l_run);
    lua_pushlightuserdata(other, code);
    lua_pushlightuserdata(other, arguments);
    lua_pushlightuserdata(other, results);
    int status = lua_pcall(other, 3, 1, 0);
    tide_code_unref(code);
    tide_parcel_unref(arguments);
    if (status != LUA_OK)
        raise_from(L, other);
    lua_settop(L, 0);
    lua_pushstring(L, lua_tostring(other, -1));
    lua_settop(other, 0);
}

static int l_there(lua_State *L)
{
    struct tide_parcel *results;
    run_there(L, &results);
    lua_settop(L, 0);
    if (unpack_protected(L, results) != LUA_OK) {
        tide_parcel_unref(results);
        return lua_error(L);
    }
    tide_parcel_unref(results);
    return lua_gettop(L);
}

static int l_changed(lua_State *L)
{
    struct tide_parcel *results;
    run_there(L, &results);
    tide_parcel_unref(results);
    return 1;
}

static int l_copy(lua_State *L)
{
    lua_State *other = other_of(L);
    struct tide_parcel *p = tide_pack(L, 1, lua_gettop(L));
    lua_settop(L, 0);
    int status = unpack_protected(other, p);
    tide_parcel_unref(p);
    if (status != LUA_OK)
        return raise_from(L, other);
    p = tide_pack(other, 1, lua_gettop(other));
    lua_settop(other, 0);
    status = unpack_protected(L, p);
    tide_parcel_unref(p);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int l_refused(lua_State *L)
{
    struct tide_parcel *p = NULL;
    int error = tide_pack_try(L, 1, lua_gettop(L), &p);
    if (error == 0) {
        tide_parcel_unref(p);
        lua_pushnil(L);
    }
    return 1;
}

static int l_pack_function(lua_State *L)
{
    struct tide_code *code = tide_pack_function(L, 1);
    lua_pushinteger(L, (lua_Integer)code->id);
    lua_pushboolean(L, code->reusable);
    lua_pushboolean(L, code->watched);
    lua_pushstring(L, tide_code_name(code));
    tide_code_unref(code);
    return 4;
}

static int l_refused_function(lua_State *L)
{
    lua_settop(L, 1);
    lua_pushcfunction(L, l_pack_function);
    lua_insert(L, 1);
    if (lua_pcall(L, 1, 0, 0) == LUA_OK)
        lua_pushnil(L);
    return 1;
}

/* A class of C in a module "native", as a C library would bring it. */
static int native_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"number", l_number}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}

static int open_all(lua_State *L)
{
    static const struct tide_class *const classes[] = {&thing_class, &other_class};
    luaL_openlibs(L);
    tide_transport_open(L);
    for (size_t i = 0; i < 2; i++) {
        lua_newtable(L);
        lua_newtable(L);
        lua_pushcfunction(L, l_number);
        lua_setfield(L, -2, "number");
        lua_setfield(L, -2, "__index");
        tide_handle_class(L, classes[i]);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, native_open);
    lua_setfield(L, -2, "native");
    lua_pop(L, 1);
    return 0;
}

static lua_State *open_state_with(lua_Alloc allocate, void *arg)
{
    lua_State *L = lua_newstate(allocate, arg);
    if (!L)
        return NULL;
    lua_pushcfunction(L, open_all);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
        lua_close(L);
        return NULL;
    }
    return L;
}

static void *plain_alloc(void *arg, void *block, size_t old, size_t size)
{
    (void)arg;
    (void)old;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static void pair(lua_State *L, lua_State *other)
{
    lua_pushlightuserdata(L, other);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &other_key);
}

/* Two states that know each other; the functions above are globals of the first. */
static lua_State *open_pair(lua_State **other)
{
    static const luaL_Reg functions[] = {
        {"there", l_there}, {"copy", l_copy}, {"refused", l_refused}, {"refused_function", l_refused_function},
        {"changed", l_changed}, {"code", l_pack_function}, {"thing", l_thing}, {NULL, NULL},
    };
    lua_State *L = open_state_with(plain_alloc, NULL);
    *other = open_state_with(plain_alloc, NULL);
    assert_non_null(L);
    assert_non_null(*other);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    pair(L, *other);
    pair(*other, L);
    return L;
}

static void close_pair(lua_State *L)
{
    lua_State *other = other_of(L);
    lua_close(L);
    lua_close(other);
}

/* Runs a chunk named "script.lua"; fails the test with its error. */
static void run(lua_State *L, const char *chunk)
{
    if (luaL_loadbuffer(L, chunk, strlen(chunk), "@script.lua") != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

/* A test in one state pair: the chunk, and nothing is left alive afterwards. */
static void script(const char *chunk)
{
    lua_State *other, *L = open_pair(&other);
    run(L, chunk);
    assert_int_equal(lua_gettop(L), 0);
    assert_int_equal(lua_gettop(other), 0);
    close_pair(L);
    assert_int_equal(things_alive, 0);
}

#endif
