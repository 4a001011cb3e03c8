#include "bindings/paths.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "bindings/state.h"
#include "transport/pack.h"

#include <string.h>

/* A Lua function of main's package.preload. */
struct loader {
    struct loader *next;
    char *name;
    struct tide_code *code;
};

static struct tide_mutex lock; /* rank 45 */
/* protected by lock */
static char *path, *cpath;
static struct loader *loaders;
static _Atomic uint32_t version_now;

/* ---- package.preload ---- */

static void free_loader(struct loader *l)
{
    tide_code_unref(l->code);
    tide_free(l->name);
    tide_free(l);
}

/* Keeps `code`, a reference, as the loader of `name`; true if that is news. */
static bool keep_loader(const char *name, struct tide_code *code)
{
    struct loader *l = loaders;
    while (l && strcmp(l->name, name) != 0)
        l = l->next;
    if (l && l->code == code) {
        tide_code_unref(code);
        return false;
    }
    if (!l) {
        l = tide_calloc(1, sizeof *l);
        char *copy = tide_strdup(name);
        if (!l || !copy) {
            tide_free(l);
            tide_free(copy);
            tide_code_unref(code);
            return false;
        }
        l->name = copy;
        l->next = loaders;
        loaders = l;
    }
    tide_code_unref(l->code);
    l->code = code;
    return true;
}

/* in: function. out: light pointer to its code */
static int pack_loader(lua_State *L)
{
    lua_pushlightuserdata(L, tide_pack_function(L, 1));
    return 1;
}

/* in, out: package on top */
static bool publish_loaders(lua_State *L)
{
    bool changed = false;
    if (lua_getfield(L, -1, "preload") == LUA_TTABLE) {
        lua_pushnil(L);
        while (lua_next(L, -2)) {
            bool lua = lua_type(L, -2) == LUA_TSTRING && lua_isfunction(L, -1) && !lua_iscfunction(L, -1);
            lua_pushcfunction(L, pack_loader);
            lua_insert(L, -2);
            if (lua && lua_pcall(L, 1, 1, 0) == LUA_OK) {
                tide_mutex_lock(&lock);
                changed |= keep_loader(lua_tostring(L, -2), lua_touserdata(L, -1));
                tide_mutex_unlock(&lock);
                lua_pop(L, 1);
            } else {
                lua_pop(L, lua ? 1 : 2);
            }
        }
    }
    lua_pop(L, 1);
    return changed;
}

/* in, out: package on top */
static void follow_loaders(lua_State *L)
{
    if (lua_getfield(L, -1, "preload") != LUA_TTABLE) {
        lua_pop(L, 1);
        return;
    }
    tide_mutex_lock(&lock);
    struct loader *l = loaders; /* only ever grows at its head while main lives */
    tide_mutex_unlock(&lock);
    for (; l; l = l->next) {
        tide_mutex_lock(&lock);
        struct tide_code *code = tide_code_ref(l->code);
        tide_mutex_unlock(&lock);
        /* a raise for lack of memory loses one reference, nothing else */
        tide_unpack_function(L, code);
        tide_code_unref(code);
        lua_setfield(L, -2, l->name);
    }
    lua_pop(L, 1);
}

/* ---- paths ---- */

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

void tide_paths_publish(lua_State *L)
{
    if (tide_worker_of(L)->index != 0)
        return;
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "package");
    bool changed = publish_loaders(L);
    lua_getfield(L, -1, "path");
    lua_getfield(L, -2, "cpath");
    tide_mutex_lock(&lock);
    changed |= replace(&path, lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL);
    changed |= replace(&cpath, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL);
    if (changed)
        atomic_fetch_add(&version_now, 1);
    tide_mutex_unlock(&lock);
    lua_pop(L, 4);
}

void tide_paths_follow(lua_State *L)
{
    struct tide_state *state = tide_state_of(L);
    char *new_path = NULL, *new_cpath = NULL;
    uint32_t version = atomic_load_explicit(&version_now, memory_order_relaxed);
    if (state->paths_version == version || state->worker->index == 0)
        return;
    tide_mutex_lock(&lock);
    new_path = path ? tide_strdup(path) : NULL;
    new_cpath = cpath ? tide_strdup(cpath) : NULL;
    tide_mutex_unlock(&lock);
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
    follow_loaders(L);
    lua_pop(L, 2);
}

void tide_paths_fini(void)
{
    while (loaders) {
        struct loader *l = loaders;
        loaders = l->next;
        free_loader(l);
    }
    tide_free(path);
    tide_free(cpath);
    path = cpath = NULL;
}
