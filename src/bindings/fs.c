/* tm.fs: files and folders, without holding up the worker. */
#include "formats/file.h"

#include "base/alloc.h"
#include "base/error.h"
#include "bindings/bind.h"
#include "bindings/job.h"
#include "bindings/memory.h"
#include "bindings/module.h"
#include "formats/glob.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIZE = 1024 * 1024 * 1024 };

/* ---- tm.fs.read ---- */

struct reading {
    char *path;
    size_t most;        /* bytes: of max_size, and of the memory that states may have */
    size_t max_size;
    /* after it ran */
    int failed, code;
    char *data;
    size_t size;
};

static void reading_run(void *request, struct tide_stop stop)
{
    struct reading *r = request;
    r->failed = tide_file_load(r->path, r->most, stop, &r->data, &r->size);
    r->code = errno;
}

static void reading_fini(void *request)
{
    struct reading *r = request;
    tide_free(r->path);
    tide_free(r->data);
}

static int reading_push(lua_State *L, void *request)
{
    struct reading *r = request;
    char limit[64];
    bool large = r->failed == TIDE_ESYSTEM && r->code == EFBIG;
    if (r->failed == TIDE_ENOMEM || (large && r->most < r->max_size))
        return luaL_error(L, "not enough memory");
    if (r->failed) {
        snprintf(limit, sizeof limit, "it has more than %zu bytes", r->max_size);
        return tide_bind_failed(L, "read", r->path, r->code, large ? limit : NULL);
    }
    lua_pushlstring(L, r->data, r->size);
    return 1;
}

static int read(lua_State *L)
{
    static const char *const keys[] = {"max_size", NULL};
    static const struct tide_job_kind kind = {"a file to be read", reading_run, reading_fini, reading_push};
    const char *path = tide_bind_path(L, 1);
    tide_bind_options(L, 2, keys);
    size_t max_size = (size_t)tide_bind_integer(L, 2, "max_size", 0, LUA_MAXINTEGER, MAX_SIZE);
    struct reading *r = tide_bind_job(L, &kind, sizeof *r);
    r->max_size = max_size;
    r->most = max_size < tide_memory_limit() ? max_size : tide_memory_limit();
    r->path = tide_strdup(path);
    return r->path ? tide_bind_job_run(L) : luaL_error(L, "not enough memory");
}

/* ---- tm.fs.glob ---- */

struct globbing {
    struct tide_glob glob;
    int failed;         /* after it ran */
};

static void globbing_run(void *request, struct tide_stop stop)
{
    struct globbing *g = request;
    g->glob.stop = stop;
    g->failed = tide_glob_walk(&g->glob);
}

static void globbing_fini(void *request)
{
    tide_glob_fini(&((struct globbing *)request)->glob);
}

static int globbing_push(lua_State *L, void *request)
{
    const struct tide_glob *g = &((struct globbing *)request)->glob;
    if (((struct globbing *)request)->failed)
        return luaL_error(L, "not enough memory");
    lua_createtable(L, g->count < INT_MAX ? (int)g->count : INT_MAX, 0);
    for (size_t i = 0; i < g->count; i++) {
        lua_pushstring(L, g->paths[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    if (!g->problem_count)
        return 1;
    lua_newtable(L);
    for (size_t i = 0; i < g->problem_count; i++) {
        tide_errors_push_failure(L, "look into", g->problems[i].path, g->problems[i].code, NULL);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 2;
}

static int glob(lua_State *L)
{
    static const char *const keys[] = {"hidden", NULL};
    static const struct tide_job_kind kind = {"folders to be listed", globbing_run, globbing_fini, globbing_push};
    const char *pattern = tide_bind_path(L, 1);
    tide_bind_options(L, 2, keys);
    bool hidden = tide_bind_boolean(L, 2, "hidden", false);
    struct globbing *g = tide_bind_job(L, &kind, sizeof *g);
    g->glob.hidden = hidden;
    int failed = tide_glob_init(&g->glob, pattern);
    if (failed == TIDE_EINVAL) {
        lua_pushfstring(L, "pattern is longer than %d bytes, or braces in it stand for more than %d patterns",
                        TIDE_PATTERN_SIZE, TIDE_PATTERN_ALTERNATIVES);
        return luaL_argerror(L, 1, lua_tostring(L, -1));
    }
    return failed ? luaL_error(L, "not enough memory") : tide_bind_job_run(L);
}

void tide_open_fs(lua_State *L)
{
    static const luaL_Reg functions[] = {{"read", read}, {"glob", glob}, {NULL, NULL}};
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "fs");
}
