#include "bindings/builtins.h"

#include "bindings/program.h"
#include "bindings/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tostring, print: __tostring may wait ---- */

static int tostring_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    if (!lua_isstring(L, -1))
        return luaL_error(L, "'__tostring' must return a string");
    return 1;
}

static int tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
        luaL_tolstring(L, 1, NULL);
        return 1;
    }
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, 0, tostring_finish);
    return tostring_finish(L, LUA_OK, 0);
}

/* One write for the whole line, so that lines of several tasks never mix. in: `n` strings from index 1. */
static void write_line(lua_State *L, int n)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        size_t size;
        const char *text = lua_tolstring(L, i, &size);
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_addlstring(&b, text, size);
    }
    luaL_addchar(&b, '\n');
    luaL_pushresult(&b);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    fwrite(text, 1, size, stdout); /* a failure shows at the end, where stdout is flushed and checked */
}

/* Arguments before `i` are strings already; index i + n is where a called __tostring leaves its result. */
static int print_from(lua_State *L, int i)
{
    int n = lua_gettop(L);
    for (; i <= n; i++) {
        if (luaL_getmetafield(L, i, "__tostring") == LUA_TNIL) {
            luaL_tolstring(L, i, NULL);
        } else {
            lua_pushvalue(L, i);
            return -i;
        }
        lua_replace(L, i);
    }
    write_line(L, n);
    return 0;
}

static int print_continue(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    int i = (int)context;
    for (;;) {
        if (!lua_isstring(L, -1))
            return luaL_error(L, "'__tostring' must return a string");
        lua_replace(L, i);
        int next = print_from(L, i + 1);
        if (next == 0)
            return 0;
        i = -next;
        lua_callk(L, 1, 1, i, print_continue);
    }
}

static int print(lua_State *L)
{
    int next = print_from(L, 1);
    if (next == 0)
        return 0;
    lua_callk(L, 1, 1, -next, print_continue);
    return print_continue(L, LUA_OK, -next);
}

/* ---- load, loadfile, dofile: chunks see the task's environment ---- */

/* in: the chunk on top. out: the same, its first upvalue set. */
static void set_environment(lua_State *L)
{
    tide_state_push_environment(L);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
}

/* in: what a load left, with its status. `env`: index of the environment that was given, 0: none was. */
static int loaded(lua_State *L, int status, int env)
{
    if (status != LUA_OK) {
        luaL_pushfail(L);
        lua_insert(L, -2);
        return 2;
    }
    if (!env) {
        set_environment(L);
    } else {
        lua_pushvalue(L, env);
        if (!lua_setupvalue(L, -2, 1))
            lua_pop(L, 1);
    }
    return 1;
}

enum { AT_PIECE = 5 }; /* behind load's arguments: the piece that the reader gave last */

static const char *next_piece(lua_State *L, void *unused, size_t *size)
{
    (void)unused;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *size = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "reader function must return a string");
    lua_replace(L, AT_PIECE);
    return lua_tolstring(L, AT_PIECE, size);
}

static int load(lua_State *L)
{
    int env = lua_isnone(L, 4) ? 0 : 4, status;
    const char *mode = luaL_optstring(L, 3, "bt");
    size_t size;
    const char *text = lua_tolstring(L, 1, &size);
    if (text) {
        status = luaL_loadbufferx(L, text, size, luaL_optstring(L, 2, text), mode);
    } else {
        const char *name = luaL_optstring(L, 2, "=(load)");
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, AT_PIECE);
        status = lua_load(L, next_piece, NULL, name, mode);
    }
    return loaded(L, status, env);
}

static int loadfile(lua_State *L)
{
    const char *name = luaL_optstring(L, 1, NULL), *mode = luaL_optstring(L, 2, NULL);
    int env = lua_isnone(L, 3) ? 0 : 3;
    return loaded(L, luaL_loadfilex(L, name, mode), env);
}

static int dofile_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

static int dofile(lua_State *L)
{
    const char *name = luaL_optstring(L, 1, NULL);
    lua_settop(L, 1);
    if (luaL_loadfile(L, name) != LUA_OK)
        return lua_error(L);
    set_environment(L);
    lua_callk(L, 0, LUA_MULTRET, 0, dofile_finish);
    return dofile_finish(L, LUA_OK, 0);
}

/* ---- os.exit: the orderly end of the whole program ---- */

static int os_exit(lua_State *L)
{
    int code = EXIT_SUCCESS;
    if (lua_isboolean(L, 1))
        code = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        code = (int)luaL_optinteger(L, 1, EXIT_SUCCESS);
    return tide_program_exit(L, code);
}

void tide_builtins_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"tostring", tostring}, {"print", print}, {"load", load}, {"loadfile", loadfile}, {"dofile", dofile}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "os");
    lua_pushcfunction(L, os_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
}
