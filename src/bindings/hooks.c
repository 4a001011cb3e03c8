#include "bindings/hooks.h"

#include "bindings/state.h"
#include "sched/preempt.h"
#include "sched/runtime.h"

#include <string.h>

static const char hooks_key;

/* Instructions between two looks at what the scheduler wants, while a hook of the script is in place. */
enum { STEP = 1000 };

/* The hook of one coroutine: a userdata whose user value is the function. */
struct script_hook {
    int mask;
    lua_Integer count, left; /* left: of the count, until the function is called for it */
    bool called;             /* the last event but for counts was the call of a Lua function: this is its first instruction */
    bool repeats;            /* it was cut at its first instruction: Lua will tell of the call once more */
};

static lua_State *coroutine_argument(lua_State *L, int *first)
{
    *first = lua_isthread(L, 1) ? 1 : 0;
    return *first ? lua_tothread(L, 1) : L;
}

/* in: - out: `co` */
static void push_coroutine(lua_State *L, lua_State *co)
{
    if (!lua_checkstack(co, 1))
        luaL_error(L, "stack overflow");
    lua_pushthread(co);
    if (co != L)
        lua_xmove(co, L, 1);
}

/* in: - out: the userdata of `co`'s hook, or nil (then NULL) */
static struct script_hook *push_hook(lua_State *L, lua_State *co)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
    push_coroutine(L, co);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return lua_touserdata(L, -1);
}

static int step_of(const struct tide_worker *w, lua_Integer left)
{
    if (w->runtime->options.yield_always)
        return 1;
    return left > 0 && left < STEP ? (int)left : STEP;
}

static void install(lua_State *co, struct tide_worker *w, int mask, int step)
{
    sig_atomic_t before = w->hook_busy;
    w->hook_busy = 1;
    lua_sethook(co, tide_hooks_call, mask | LUA_MASKCOUNT, step);
    w->hook_busy = before;
}

/* ---- events ---- */

/* A step of L is over: true if the script's own count is. */
static bool counted(lua_State *L, struct tide_worker *w, struct script_hook *hook)
{
    bool is_over = false;
    int step = lua_gethookcount(L);
    if (hook->count > 0) {
        hook->left -= step;
        is_over = hook->left <= 0;
        if (is_over)
            hook->left = hook->count;
    }
    if (step_of(w, hook->left) != step)
        install(L, w, lua_gethookmask(L), step_of(w, hook->left));
    return is_over;
}

/* in: the hook's userdata. out: the same */
static void call_script(lua_State *L, lua_Debug *ar)
{
    static const char *const events[] = {"call", "return", "line", "count", "tail call"};
    lua_getiuservalue(L, -1, 1);
    lua_pushstring(L, events[ar->event]);
    if (ar->currentline >= 0)
        lua_pushinteger(L, ar->currentline);
    else
        lua_pushnil(L);
    lua_call(L, 2, 0);
}

static bool is_lua(lua_State *L, lua_Debug *ar)
{
    lua_getinfo(L, "f", ar);
    bool is = !lua_iscfunction(L, -1);
    lua_pop(L, 1);
    return is;
}

static void call_event(lua_State *L, lua_Debug *ar, struct script_hook *hook)
{
    if (hook->repeats) {
        hook->repeats = false;
        return;
    }
    hook->called = false; /* if the script's function raises the called one does not begin */
    call_script(L, ar);
    hook->called = is_lua(L, ar);
}

/* The instruction is over as far as hooks go. Cuts the slice here if that was asked for. `hook` may be NULL if not `called`. */
static void cut(lua_State *L, lua_Debug *ar, struct tide_worker *w, struct script_hook *hook, bool called)
{
    if (tide_preempt_delivering(L))
        return;
    if (!w->runtime->options.yield_always && !atomic_load_explicit(&w->asked, memory_order_relaxed))
        return;
    if (called && ar->event == LUA_HOOKCOUNT) {
        /* perhaps at the function's first instruction, perhaps not: the next one tells */
        install(L, w, lua_gethookmask(L), 1);
        return;
    }
    atomic_store_explicit(&w->asked, 0, memory_order_relaxed);
    tide_preempt_slice(w, L);
    if (called && lua_status(L) == LUA_YIELD) {
        lua_getinfo(L, "u", ar);
        hook->repeats = !ar->isvararg; /* the call of a vararg function is told behind its first instruction */
    }
}

void tide_hooks_call(lua_State *L, lua_Debug *ar)
{
    struct tide_worker *w = tide_worker_of(L);
    /* Where lines are asked for only their event may yield, as it can follow that of the count at the same instruction. */
    int last = lua_gethookmask(L) & LUA_MASKLINE ? LUA_HOOKLINE : LUA_HOOKCOUNT;
    struct script_hook *hook = push_hook(L, L);
    bool called = hook && hook->called && ar->event == last;
    if (hook && (ar->event == LUA_HOOKCALL || ar->event == LUA_HOOKTAILCALL)) {
        call_event(L, ar, hook);
    } else if (hook) {
        hook->called &= !called;
        if (ar->event != LUA_HOOKCOUNT || counted(L, w, hook))
            call_script(L, ar);
    }
    if (ar->event == last)
        cut(L, ar, w, hook, called);
}

/* ---- setting it ---- */

static void apply(lua_State *co, struct tide_worker *w, int mask, lua_Integer count)
{
    if (tide_preempt_delivering(co)) /* the cancellation that is due comes first; then the hook is restored */
        return;
    if (mask) {
        install(co, w, mask, step_of(w, count));
    } else {
        w->hook_busy = 1;
        lua_sethook(co, NULL, 0, 0);
        tide_preempt_enter(w, co);
        w->hook_busy = 0;
    }
}

void tide_hooks_restore(lua_State *L)
{
    if (!lua_checkstack(L, 4))
        return;
    struct script_hook *hook = push_hook(L, L);
    if (hook) {
        hook->called = hook->repeats = false;
        install(L, tide_worker_of(L), hook->mask, step_of(tide_worker_of(L), hook->left));
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

static int mask_of(const char *text, lua_Integer count)
{
    return (strchr(text, 'c') ? LUA_MASKCALL : 0) | (strchr(text, 'r') ? LUA_MASKRET : 0) |
           (strchr(text, 'l') ? LUA_MASKLINE : 0) | (count > 0 ? LUA_MASKCOUNT : 0);
}

static int sethook(lua_State *L)
{
    int first = 0, mask = 0;
    lua_State *co = coroutine_argument(L, &first);
    lua_Integer count = 0;
    if (lua_isnoneornil(L, first + 1)) {
        lua_settop(L, first + 1);
    } else {
        const char *text = luaL_checkstring(L, first + 2);
        luaL_checktype(L, first + 1, LUA_TFUNCTION);
        count = (int)luaL_optinteger(L, first + 3, 0);
        mask = mask_of(text, count);
    }
    tide_worker_of(L)->user_hooks = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &hooks_key);
    push_coroutine(L, co);
    if (!mask) {
        lua_pushnil(L);
    } else {
        struct script_hook *hook = lua_newuserdatauv(L, sizeof *hook, 1);
        *hook = (struct script_hook){.mask = mask, .count = count, .left = count};
        lua_pushvalue(L, first + 1);
        lua_setiuservalue(L, -2, 1);
    }
    lua_rawset(L, -3);
    apply(co, tide_worker_of(L), mask, count);
    if (tide_task_of(L) && atomic_load_explicit(&tide_task_of(L)->attention, memory_order_relaxed))
        tide_preempt_arm(tide_worker_of(L), L); /* what was just set may have displaced the cut that sees to it */
    return 0;
}

static int gethook(lua_State *L)
{
    int first = 0, i = 0;
    char text[4];
    struct script_hook *hook = push_hook(L, coroutine_argument(L, &first));
    if (!hook) {
        luaL_pushfail(L);
        return 1;
    }
    if (hook->mask & LUA_MASKCALL)
        text[i++] = 'c';
    if (hook->mask & LUA_MASKRET)
        text[i++] = 'r';
    if (hook->mask & LUA_MASKLINE)
        text[i++] = 'l';
    text[i] = '\0';
    lua_getiuservalue(L, -1, 1);
    lua_pushstring(L, text);
    lua_pushinteger(L, hook->count);
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
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "_HOOKKEY"); /* where the debug library has its own */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &hooks_key);
    lua_getglobal(L, "debug");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
