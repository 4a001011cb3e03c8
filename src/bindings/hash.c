/* tm.hash: hash sums of strings, piece by piece in the task itself, and of files, in jobs. */
#include "formats/digest.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/job.h"
#include "bindings/module.h"

#include <errno.h>
#include <string.h>

/* A string is hashed by its worker: no copy of it is needed then. A piece takes about as long as a slice; between two of them
 * the worker's other tasks have their turn. */
enum { PIECE = 512 * 1024 };

static const char class_name[] = "tidemill.digest";

static void must_load(lua_State *L, enum tide_digest_kind kind)
{
    char problem[TIDE_LIBRARY_PROBLEM];
    if (tide_digest_load(kind, problem) != 0)
        luaL_error(L, "%s", problem);
}

/* ---- strings ---- */

/* Stack of a sum that waits between two pieces: */
enum { TEXT = 1, DIGEST, DONE };

static int collect(lua_State *L)
{
    tide_digest_fini(lua_touserdata(L, 1));
    return 0;
}

static int push_sum(lua_State *L, struct tide_digest *digest)
{
    char hex[TIDE_DIGEST_HEX];
    int failed = tide_digest_end(digest, hex);
    tide_digest_fini(digest);
    if (failed)
        return luaL_error(L, "not enough memory");
    lua_pushstring(L, hex);
    return 1;
}

static int next_piece(lua_State *L, int status, lua_KContext done)
{
    size_t size;
    const char *text = lua_tolstring(L, TEXT, &size);
    struct tide_digest *digest = lua_touserdata(L, DIGEST);
    if (status == LUA_YIELD)
        tide_await_check(L, tide_await_end(L));
    size_t rest = size - (size_t)done, piece = rest < PIECE ? rest : PIECE;
    tide_digest_add(digest, text + done, piece);
    if (piece == rest)
        return push_sum(L, digest);
    tide_wait_begin(tide_await_prepare(L));
    struct tide_await how = {.deadline = tide_now_ns(), .what = "its turn"};
    return tide_await(L, &how, done + (lua_KContext)piece, next_piece);
}

/* The sum of the string at `arg`. */
static int sum(lua_State *L, int arg, enum tide_digest_kind kind)
{
    must_load(L, kind);
    lua_pushvalue(L, arg);
    lua_replace(L, TEXT);
    lua_settop(L, TEXT);
    struct tide_digest *digest = lua_newuserdatauv(L, sizeof *digest, 0);
    *digest = (struct tide_digest){0};
    luaL_setmetatable(L, class_name);
    if (tide_digest_init(digest, kind) != 0)
        return luaL_error(L, "not enough memory");
    return next_piece(L, LUA_OK, 0);
}

static int sha256(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    return sum(L, 1, TIDE_SHA256);
}

static int digest_of(lua_State *L)
{
    int kind = luaL_checkoption(L, 1, NULL, tide_digest_names);
    luaL_checktype(L, 2, LUA_TSTRING);
    return sum(L, 2, kind);
}

/* ---- files ---- */

struct hashing {
    enum tide_digest_kind kind;
    char *path;
    /* after it ran */
    int failed, code;
    char hex[TIDE_DIGEST_HEX];
};

static void hashing_run(void *request, struct tide_stop stop)
{
    struct hashing *h = request;
    h->failed = tide_digest_file(h->kind, h->path, stop, h->hex);
    h->code = errno;
}

static void hashing_fini(void *request)
{
    tide_free(((struct hashing *)request)->path);
}

static int hashing_push(lua_State *L, void *request)
{
    struct hashing *h = request;
    if (h->failed == TIDE_ENOMEM)
        return luaL_error(L, "not enough memory");
    if (h->failed)
        return tide_bind_failed(L, "read", h->path, h->code, NULL);
    lua_pushstring(L, h->hex);
    return 1;
}

static int file(lua_State *L)
{
    static const struct tide_job_kind job = {"a file to be hashed", hashing_run, hashing_fini, hashing_push};
    const char *path = tide_bind_path(L, 1);
    int kind = luaL_checkoption(L, 2, "sha256", tide_digest_names);
    must_load(L, kind);
    struct hashing *h = tide_bind_job(L, &job, sizeof *h);
    h->kind = kind;
    h->path = tide_strdup(path);
    return h->path ? tide_bind_job_run(L) : luaL_error(L, "not enough memory");
}

void tide_open_hash(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sha256", sha256}, {"digest", digest_of}, {"file", file}, {NULL, NULL}};
    tide_bind_hidden_class(L, class_name, collect);
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "hash");
}
