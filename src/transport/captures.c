#include "transport/captures.h"

#include "transport/code.h"
#include "transport/env.h"
#include "transport/origin.h"
#include "transport/record.h"

#include <lauxlib.h>
#include <string.h>

enum { SAMPLE = 64, DEPTH_MAX = 100 };

/* The comparison of a function that ran with one that did not. */
struct compare {
    lua_State *L;
    struct tide_transport *t;
    int visited;            /* stack index: tables and functions of the run side → true */
    const char *what;       /* "captured table", once a difference is found */
    const char *name;       /* lives as long as the functions */
    bool globals;           /* look into environments */
};

static bool same_function(struct compare *c, int ran, int fresh, int depth);

/* in: - ; whether the object at `index` is met for the first time */
static bool first_visit(struct compare *c, int index)
{
    lua_State *L = c->L;
    lua_pushvalue(L, index);
    bool fresh = lua_rawget(L, c->visited) == LUA_TNIL;
    lua_pop(L, 1);
    if (fresh) {
        lua_pushvalue(L, index);
        lua_pushboolean(L, 1);
        lua_rawset(L, c->visited);
    }
    return fresh;
}

static bool same_value(struct compare *c, int ran, int fresh, int depth);

static size_t count_pairs(lua_State *L, int index)
{
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1))
        count++;
    return count;
}

/* Pairs whose key is itself a copy cannot be looked up on the other side: they only count. */
static bool same_table(struct compare *c, int ran, int fresh, int depth)
{
    lua_State *L = c->L;
    size_t pairs = 0;
    bool same = true;
    int key = lua_gettop(L) + 1;
    for (lua_pushnil(L); same && lua_next(L, ran); lua_settop(L, key)) {
        pairs++;
        if (lua_type(L, key) == LUA_TTABLE || lua_type(L, key) == LUA_TFUNCTION)
            continue;
        lua_pushvalue(L, key);
        lua_rawget(L, fresh);
        same = same_value(c, key + 1, key + 2, depth + 1);
    }
    lua_settop(L, key - 1);
    return same && pairs == count_pairs(L, fresh);
}

/* Indices are absolute. What is too deep counts as the same. */
static bool same_value(struct compare *c, int ran, int fresh, int depth)
{
    lua_State *L = c->L;
    int type = lua_type(L, ran);
    if (lua_rawequal(L, ran, fresh))
        return true;
    if (type != lua_type(L, fresh))
        return false;
    if (type == LUA_TNUMBER)
        return !lua_rawequal(L, ran, ran) && !lua_rawequal(L, fresh, fresh); /* both are NaN */
    if (type != LUA_TTABLE && type != LUA_TFUNCTION)
        return false;
    if (tide_env_is(L, c->t, ran, "_ENV"))
        return true;
    luaL_checkstack(L, 12, NULL);
    if (depth > DEPTH_MAX || !first_visit(c, ran))
        return true;
    if (type == LUA_TTABLE)
        return same_table(c, ran, fresh, depth);
    if (lua_iscfunction(L, ran) || lua_iscfunction(L, fresh))
        return false;
    return same_function(c, ran, fresh, depth);
}

static bool report(struct compare *c, const char *what, const char *name)
{
    if (!c->what) {
        c->what = what;
        c->name = name;
    }
    return false;
}

/* The tables among the globals that were sent. One that the task replaced is its own affair. */
static bool same_globals(struct compare *c, int ran, int fresh, int depth)
{
    lua_State *L = c->L;
    bool same = true;
    int key = lua_gettop(L) + 1;
    for (lua_pushnil(L); same && lua_next(L, fresh); lua_settop(L, key)) {
        if (lua_type(L, key) != LUA_TSTRING || lua_type(L, key + 1) != LUA_TTABLE)
            continue;
        lua_pushvalue(L, key);
        if (lua_rawget(L, ran) == LUA_TTABLE && !same_value(c, key + 2, key + 1, depth + 1))
            same = report(c, "global table", lua_tostring(L, key));
    }
    lua_settop(L, key - 1);
    return same;
}

static bool same_upvalue(struct compare *c, const char *name, int depth)
{
    lua_State *L = c->L;
    int fresh = lua_gettop(L), ran = fresh - 1;
    if (tide_env_is(L, c->t, ran, name)) {
        bool look = c->globals && tide_env_is(L, c->t, fresh, name) && first_visit(c, ran);
        return !look || same_globals(c, ran, fresh, depth);
    }
    int type = lua_type(L, fresh);
    if (same_value(c, ran, fresh, depth + 1))
        return true;
    return report(c, type == LUA_TTABLE && lua_istable(L, ran) ? "captured table" : "captured local", name);
}

static bool same_function(struct compare *c, int ran, int fresh, int depth)
{
    lua_State *L = c->L;
    int top = lua_gettop(L);
    const char *name;
    bool same = true;
    for (int i = 1; same && (name = lua_getupvalue(L, ran, i)) != NULL; i++) {
        if (lua_getupvalue(L, fresh, i))
            same = same_upvalue(c, name, depth);
        lua_settop(L, top);
    }
    lua_settop(L, top);
    return same;
}

static bool is_due(const struct tide_transport *t, struct tide_origin *origin)
{
    if (t->strict)
        return true;
    /* relaxed: which of several concurrent runs is looked at does not matter */
    if (origin->shared || atomic_load_explicit(&origin->warned, memory_order_relaxed))
        return false;
    return atomic_fetch_add_explicit(&origin->runs, 1, memory_order_relaxed) % SAMPLE == 0;
}

int tide_captures_check(lua_State *L, int index, struct tide_code *code)
{
    if (!code->watched)
        return 0;
    struct tide_transport *t = tide_transport_of(L);
    if (!is_due(t, code->origin))
        return 0;
    luaL_checkstack(L, 12, NULL);
    int ran = lua_absindex(L, index), top = lua_gettop(L);
    lua_newtable(L);
    tide_code_decode(L, code);
    struct compare c = {.L = L, .t = t, .visited = top + 1, .globals = !code->sets_globals};
    bool same = lua_iscfunction(L, ran) || lua_iscfunction(L, top + 2) || same_function(&c, ran, top + 2, 0);
    if (same || (atomic_exchange(&code->origin->warned, true) && !t->strict)) {
        lua_settop(L, top);
        return 0;
    }
    const char *instead = strcmp(c.what, "captured local") == 0 ? "return the value, or use tm.counter"
                                                                : "return the values, or use tm.dict";
    lua_pushfstring(L, "%s: task changed %s '%s'; the caller will not see it (%s)",
        tide_origin_place(code->origin), c.what, c.name, instead);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return 1;
}
