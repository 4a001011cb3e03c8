#include "transport/origin.h"

#include "base/alloc.h"
#include "base/thread.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

enum { BUCKETS = 512, LIMIT = 4096, NAME_MAX_BYTES = 80, LOCALS_MAX = 250, LEVELS_MAX = 8, GLOBALS_MAX = 2000 };

static struct {
    struct tide_mutex lock;
    /* protected by lock */
    unsigned count;
    struct tide_origin *bucket[BUCKETS];
    struct tide_origin *rest;
} places;

/* in: a value on top; out: popped. Writes the name if that value is the function. */
static bool matches(lua_State *L, int index, const char *candidate, char *name, size_t size)
{
    bool same = candidate && candidate[0] != '(' && lua_rawequal(L, -1, index);
    lua_pop(L, 1);
    if (same)
        snprintf(name, size, "%s", candidate);
    return same;
}

static bool among_globals(lua_State *L, int index, char *name, size_t size)
{
    bool found = false;
    int looked = 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
    for (lua_pushnil(L); lua_next(L, -2);) {
        const char *candidate = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (matches(L, index, candidate, name, size) || ++looked == GLOBALS_MAX) {
            found = looked < GLOBALS_MAX;
            lua_pop(L, 1);
            break;
        }
    }
    lua_pop(L, 1);
    return found;
}

/* in: a Lua function on top; out: popped. Whether one of its upvalues is the function. */
static bool among_upvalues(lua_State *L, int index, char *name, size_t size)
{
    const char *candidate;
    int function = lua_gettop(L);
    bool found = false;
    for (int i = 1; !found && (candidate = lua_getupvalue(L, function, i)) != NULL; i++)
        found = matches(L, index, candidate, name, size);
    lua_pop(L, 1);
    return found;
}

static bool among_locals(lua_State *L, int index, const lua_Debug *ar, char *name, size_t size)
{
    const char *candidate;
    for (int i = 1; i <= LOCALS_MAX && (candidate = lua_getlocal(L, ar, i)) != NULL; i++)
        if (matches(L, index, candidate, name, size))
            return true;
    return false;
}

/* Tidemill's own modules in Lua bear this source: their parameters are nobody's names. */
static bool is_own(const lua_Debug *ar)
{
    return strncmp(ar->source, "=tidemill", 9) == 0;
}

bool tide_origin_variable(lua_State *L, int index, char *name, size_t size)
{
    lua_Debug ar;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 6, NULL);
    for (int level = 0; level < LEVELS_MAX && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sf", &ar);
        if (lua_iscfunction(L, -1) || is_own(&ar)) {
            lua_pop(L, 1);
            continue;
        }
        if (among_upvalues(L, index, name, size) || among_locals(L, index, &ar, name, size))
            return true;
        break;
    }
    return among_globals(L, index, name, size);
}

static struct tide_origin *find_locked(uint64_t hash, const char *source, int line)
{
    for (struct tide_origin *o = places.bucket[hash % BUCKETS]; o; o = o->next)
        if (o->hash == hash && o->line == line && strcmp(o->text, source) == 0)
            return o;
    return NULL;
}

static struct tide_origin *make(uint64_t hash, int line, const char *source, const char *place, const char *name)
{
    size_t size = strlen(source) + 1, where = strlen(place) + 1, called = strlen(name) + 1;
    struct tide_origin *o = tide_calloc(1, sizeof *o + size + where + called);
    if (!o)
        return NULL;
    o->hash = hash;
    o->line = line;
    memcpy(o->text, source, size);
    memcpy(o->text + size, place, where);
    memcpy(o->text + size + where, name, called);
    return o;
}

static struct tide_origin *make_place(lua_State *L, int index, uint64_t hash, const lua_Debug *ar)
{
    char variable[NAME_MAX_BYTES], place[LUA_IDSIZE + 16], name[NAME_MAX_BYTES + LUA_IDSIZE + 32];
    if (ar->linedefined > 0)
        snprintf(place, sizeof place, "%s:%d", ar->short_src, ar->linedefined);
    else
        snprintf(place, sizeof place, "%s", ar->short_src);
    if (tide_origin_variable(L, index, variable, sizeof variable))
        snprintf(name, sizeof name, "%s (%s)", variable, place);
    else
        snprintf(name, sizeof name, "function at %s", place);
    return make(hash, ar->linedefined, ar->short_src, place, name);
}

/* Publishes `mine`, or drops it for one that was faster or for the shared one. */
static struct tide_origin *publish(struct tide_origin *mine)
{
    struct tide_origin *kept, *unused = NULL;
    tide_mutex_lock(&places.lock);
    kept = find_locked(mine->hash, mine->text, mine->line);
    if (kept) {
        unused = mine;
    } else if (places.count < LIMIT) {
        kept = mine;
        mine->next = places.bucket[mine->hash % BUCKETS];
        places.bucket[mine->hash % BUCKETS] = mine;
        places.count++;
    } else if (places.rest) {
        kept = places.rest;
        unused = mine;
    } else {
        kept = places.rest = mine;
        mine->shared = true;
    }
    tide_mutex_unlock(&places.lock);
    tide_free(unused);
    return kept;
}

/* A hash for telling functions apart, eight bytes at a time. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t word = 0;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    word = size;
    if (size)
        memcpy(&word, at, size);
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

struct tide_origin *tide_origin_of(lua_State *L, int index, const char *known, const void *code, size_t size)
{
    lua_Debug ar;
    index = lua_absindex(L, index);
    luaL_checkstack(L, 2, NULL);
    lua_pushvalue(L, index);
    lua_getinfo(L, ">S", &ar);
    const char *source = known ? known : ar.short_src;
    uint64_t hash = mix(mix((uint64_t)(unsigned)ar.linedefined, source, strlen(source)), code, known ? 0 : size);

    tide_mutex_lock(&places.lock);
    struct tide_origin *o = find_locked(hash, source, ar.linedefined);
    tide_mutex_unlock(&places.lock);
    if (o)
        return o;
    o = known ? make(hash, ar.linedefined, known, known, known) : make_place(L, index, hash, &ar);
    return o ? publish(o) : NULL;
}

const char *tide_origin_place(const struct tide_origin *origin)
{
    return origin->text + strlen(origin->text) + 1;
}

const char *tide_origin_name(const struct tide_origin *origin)
{
    const char *place = tide_origin_place(origin);
    return origin->shared ? "function" : place + strlen(place) + 1;
}
