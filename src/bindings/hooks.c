#include "bindings/hooks.h"

#include "bindings/state.h"
#include "sched/preempt.h"

#include <string.h>

static const char hooks_key;

static lua_State *coroutine_argument(lua_State *L, int *first)
{
    *first = lua_isthread(L, 1) ? 1 : 0;
    return *first ? lua_tothread(L, 1) : L;
}

/* in: -. out: the entry {function, mask, count} of `co`, or nil */
static void push_entry(lua_State *L, lua_State *co)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
    if (!lua_checkstack(co, 1))
        luaL_error(L, "stack overflow");
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

static void call_hook(lua_State *L, lua_Debug *ar)
{
    static const char *const events[] = {"call", "return", "line", "count", "tail call"};
    push_entry(L, L);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
    lua_pushstring(L, events[ar->event]);
    if (ar->currentline >= 0)
        lua_pushinteger(L, ar->currentline);
    else
        lua_pushnil(L);
    lua_call(L, 2, 0);
    if (ar->event == LUA_HOOKCOUNT || ar->event == LUA_HOOKLINE)
        tide_preempt_poll(tide_worker_of(L), L);
}

static int mask_of(const char *text, lua_Integer count)
{
    return (strchr(text, 'c') ? LUA_MASKCALL : 0) | (strchr(text, 'r') ? LUA_MASKRET : 0) |
           (strchr(text, 'l') ? LUA_MASKLINE : 0) | (count > 0 ? LUA_MASKCOUNT : 0);
}

static void apply(lua_State *co, struct tide_worker *w, int mask, int count)
{
    if (tide_preempt_delivering(co)) /* the cancellation that is due comes first; then the hook is restored */
        return;
    w->hook_busy = 1;
    lua_sethook(co, mask ? call_hook : NULL, mask, count);
    w->hook_busy = 0;
}

void tide_hooks_restore(lua_State *L)
{
    if (!lua_checkstack(L, 4))
        return;
    push_entry(L, L);
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, 2);
        lua_rawgeti(L, -2, 3);
        lua_sethook(L, call_hook, (int)lua_tointeger(L, -2), (int)lua_tointeger(L, -1));
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
}

static int forget(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    return 0;
}

void tide_hooks_forget(lua_State *L, lua_State *co)
{
    struct tide_worker *w = tide_worker_of(L);
    if (w->user_hooks && lua_checkstack(L, 2) && lua_checkstack(co, 1)) {
        lua_pushcfunction(L, forget);
        lua_pushthread(co);
        lua_xmove(co, L, 1);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            lua_pop(L, 1);
    }
    w->hook_busy = 1;
    lua_sethook(co, NULL, 0, 0);
    w->hook_busy = 0;
}

static int sethook(lua_State *L)
{
    int first = 0, mask = 0;
    lua_State *co = coroutine_argument(L, &first);
    lua_Integer count = 0;
    bool off = lua_isnoneornil(L, first + 1);
    if (off) {
        lua_settop(L, first + 1);
    } else {
        const char *text = luaL_checkstring(L, first + 2);
        luaL_checktype(L, first + 1, LUA_TFUNCTION);
        count = luaL_optinteger(L, first + 3, 0);
        mask = mask_of(text, count);
    }
    tide_worker_of(L)->user_hooks = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
    if (!lua_checkstack(co, 1))
        return luaL_error(L, "stack overflow");
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
    if (off) {
        lua_pushnil(L);
    } else {
        lua_createtable(L, 3, 0);
        lua_pushvalue(L, first + 1);
        lua_rawseti(L, -2, 1);
        lua_pushinteger(L, mask);
        lua_rawseti(L, -2, 2);
        lua_pushinteger(L, count);
        lua_rawseti(L, -2, 3);
    }
    lua_rawset(L, -3);
    apply(co, tide_worker_of(L), mask, (int)count);
    if (tide_task_of(L) && atomic_load_explicit(&tide_task_of(L)->attention, memory_order_relaxed))
        tide_preempt_arm(tide_worker_of(L), L); /* what was just set may have displaced the cut that sees to it */
    return 0;
}

static int gethook(lua_State *L)
{
    int first = 0, i = 0;
    char text[5];
    lua_State *co = coroutine_argument(L, &first);
    push_entry(L, co);
    if (!lua_istable(L, -1)) {
        luaL_pushfail(L);
        return 1;
    }
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    int mask = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    if (mask & LUA_MASKCALL)
        text[i++] = 'c';
    if (mask & LUA_MASKRET)
        text[i++] = 'r';
    if (mask & LUA_MASKLINE)
        text[i++] = 'l';
    text[i] = '\0';
    lua_pushstring(L, text);
    lua_rawgeti(L, -3, 3);
    return 3;
}

void tide_hooks_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"sethook", sethook}, {"gethook", gethook}, {NULL, NULL}};
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
    lua_getglobal(L, "debug");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
