#define _GNU_SOURCE /* PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP */
#include "bindings/require.h"

#include "bindings/bind.h"
#include "bindings/embedded.h"
#include "bindings/module.h"
#include "bindings/state.h"
#include "sched/runtime.h"
#include "sync/event.h"

#include <pthread.h>
#include <string.h>

/* ---- modules compiled in ---- */

static const struct tide_embedded *find(const char *name)
{
    for (const struct tide_embedded *m = tide_embedded_modules; m->name; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

static void load_embedded(lua_State *L, const struct tide_embedded *m)
{
    char chunk[64] = "=";
    strncat(chunk, m->name, sizeof chunk - 2);
    if (luaL_loadbufferx(L, (const char *)m->data, m->size, chunk, "t") != LUA_OK)
        lua_error(L);
}

static int searcher(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct tide_embedded *m = find(name);
    if (strcmp(name, "tidemill.core") == 0) {
        lua_pushcfunction(L, tide_open_core);
    } else if (m) {
        load_embedded(L, m);
    } else if (strncmp(name, "tidemill.", 9) == 0) {
        lua_pushfstring(L, "no module '%s' compiled into tidemill", name);
        return 1;
    } else {
        return 0; /* adds nothing to the message of a module that was not found */
    }
    lua_pushliteral(L, ":tidemill:");
    return 2;
}

/* ---- what lua/tidemill/require.lua is given ---- */

/* Several states may open the same C library, and its static data, at the same time: one after the other. Recursive, as an
 * opener may require. */
static pthread_mutex_t openers = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

/* open(loader, name, extra): calls a loader written in C. */
static int open_library(lua_State *L)
{
    struct tide_worker *w = tide_worker_of(L);
    while (w->runtime->baton && pthread_mutex_trylock(&openers) != 0) { /* its holder cannot go on without the baton */
        tide_baton_spend(w->runtime->baton, 1000);
        tide_baton_pass(w, TIDE_TURN_MIDWAY);
    }
    if (!w->runtime->baton)
        pthread_mutex_lock(&openers);
    int status = lua_pcall(L, lua_gettop(L) - 1, 1, 0);
    pthread_mutex_unlock(&openers);
    return status == LUA_OK ? 1 : lua_error(L);
}

static int is_c(lua_State *L)
{
    lua_pushboolean(L, lua_iscfunction(L, 1));
    return 1;
}

static int task_id(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    lua_pushinteger(L, task ? task->id : 0);
    return 1;
}

/* set_default(table, key, value): the value that the key has, if need be this one. */
static int set_default(lua_State *L)
{
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 1) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, 3);
    lua_insert(L, 1);
    lua_rawset(L, 2);
    lua_settop(L, 1);
    return 1;
}

static int event(lua_State *L)
{
    luaL_requiref(L, "tidemill.core", tide_open_core, 0);
    lua_getfield(L, -1, "event");
    lua_call(L, 0, 1);
    return 1;
}

static int require_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    return lua_gettop(L) - 1;
}

/* A C function as in plain Lua, for the sake of tracebacks and of the positions in errors. */
static int require(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_callk(L, 1, LUA_MULTRET, 0, require_finish);
    return require_finish(L, LUA_OK, 0);
}

void tide_require_open(lua_State *L)
{
    static const luaL_Reg helpers[] = {{"open", open_library}, {"is_c", is_c},   {"task_id", task_id},
                                       {"event", event},       {"set_default", set_default}, {NULL, NULL}};
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = (lua_Integer)lua_rawlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, searcher);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 1);
    load_embedded(L, find("tidemill.require"));
    lua_insert(L, -2);
    luaL_newlib(L, helpers);
    lua_call(L, 2, 1);
    lua_pushcclosure(L, require, 1);
    lua_setglobal(L, "require");
}
