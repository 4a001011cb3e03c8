#define _GNU_SOURCE /* PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP */
#include "bindings/require.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "bindings/bind.h"
#include "bindings/embedded.h"
#include "bindings/module.h"
#include "bindings/state.h"
#include "sync/event.h"

#include <pthread.h>
#include <string.h>

/* ---- paths ---- */

static struct tide_mutex paths_lock; /* rank 45 */
/* protected by paths_lock */
static char *path, *cpath;
static _Atomic uint32_t paths_version;

static bool replace(char **kept, const char *text)
{
    if (!text || (*kept && strcmp(*kept, text) == 0))
        return false;
    char *copy = tide_strdup(text);
    if (!copy)
        return false;
    tide_free(*kept);
    *kept = copy;
    return true;
}

void tide_require_publish(lua_State *L)
{
    if (tide_worker_of(L)->index != 0)
        return;
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    lua_getfield(L, -1, "path");
    lua_getfield(L, -2, "cpath");
    tide_mutex_lock(&paths_lock);
    bool changed = replace(&path, lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL);
    changed |= replace(&cpath, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL);
    if (changed)
        atomic_fetch_add(&paths_version, 1);
    tide_mutex_unlock(&paths_lock);
    lua_pop(L, 4);
}

void tide_require_follow(lua_State *L)
{
    struct tide_state *state = tide_state_of(L);
    char *new_path = NULL, *new_cpath = NULL;
    uint32_t version = atomic_load_explicit(&paths_version, memory_order_relaxed);
    if (state->paths_version == version || state->worker->index == 0)
        return;
    tide_mutex_lock(&paths_lock);
    new_path = path ? tide_strdup(path) : NULL;
    new_cpath = cpath ? tide_strdup(cpath) : NULL;
    tide_mutex_unlock(&paths_lock);
    state->paths_version = version;
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    /* the copies are anchored by the stack before the buffers go; a raise for lack of memory loses two small blocks */
    lua_pushstring(L, new_path);
    lua_pushstring(L, new_cpath);
    tide_free(new_path);
    tide_free(new_cpath);
    if (lua_isstring(L, -1))
        lua_setfield(L, -3, "cpath");
    else
        lua_pop(L, 1);
    if (lua_isstring(L, -1))
        lua_setfield(L, -2, "path");
    else
        lua_pop(L, 1);
    lua_pop(L, 2);
}

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
    } else {
        lua_pushfstring(L, "no module '%s' compiled into tidemill", name);
        return 1;
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

void tide_require_open(lua_State *L)
{
    static const luaL_Reg helpers[] = {{"open", open_library}, {"is_c", is_c}, {"task_id", task_id}, {NULL, NULL}};
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
    lua_setglobal(L, "require");
}
