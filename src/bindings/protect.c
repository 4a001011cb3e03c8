#include "bindings/protect.h"

#include "bindings/errors.h"
#include "bindings/program.h"

static const char *text_of(enum tide_cancel_reason reason)
{
    switch (reason) {
    case TIDE_CANCEL_TIMEOUT: return "timeout";
    case TIDE_CANCEL_SIBLING: return "cancelled: another task of the scope failed";
    case TIDE_CANCEL_SHUTDOWN: return "cancelled: the program is ending";
    case TIDE_CANCEL_MEMORY: return "not enough memory: the worker's Lua state is rebuilt";
    case TIDE_CANCEL_NONE:
    case TIDE_CANCEL_REQUESTED: break;
    }
    return "cancelled";
}

static const char *kind_of(enum tide_cancel_reason reason)
{
    return reason == TIDE_CANCEL_TIMEOUT ? "timeout" : reason == TIDE_CANCEL_MEMORY ? "memory" : "cancelled";
}

/* One error value for each reason, made with the state, so that raising one allocates nothing. */
static const char reason_keys[TIDE_CANCEL_MEMORY + 1];

void tide_cancel_push(lua_State *L, enum tide_cancel_reason reason)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &reason_keys[reason]);
}

static const char memory_key;

void tide_memory_error_push(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &memory_key);
}

int tide_cancel_raise(lua_State *L, struct tide_cancel *scope)
{
    tide_cancel_deliver(scope);
    tide_cancel_push(L, (enum tide_cancel_reason)atomic_load(&scope->reason));
    return lua_error(L);
}

void tide_protect_leave(lua_State *L, uint32_t token, bool failed)
{
    struct tide_task *task = tide_task_of(L);
    if (!task || !task->unwinding)
        return;
    bool outside = token < (task->unwinding->number & 0x7fffffff);
    if (outside || (failed && (task->flags & TIDE_TASK_GRACE_OVER)))
        tide_cancel_raise(L, task->unwinding);
}

void tide_protect_report(lua_State *L, struct tide_cancel *scope)
{
    struct tide_strbuf text = {0};
    tide_cancel_push(L, (enum tide_cancel_reason)atomic_load(&scope->reason));
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    if (same)
        return;
    tide_program_failed();
    tide_errors_text(L, -1);
    tide_strbuf_printf(&text, "task '%s': a <close> variable failed while the task was cancelled: %s",
                       tide_task_name(scope->task), lua_tostring(L, -1));
    lua_pop(L, 1);
    tide_program_report(tide_strbuf_text(&text));
    tide_strbuf_fini(&text);
}

void tide_protect_passing(lua_State *L, uint32_t token)
{
    struct tide_task *task = tide_task_of(L);
    if (task && task->unwinding && token < (task->unwinding->number & 0x7fffffff))
        tide_protect_report(L, task->unwinding);
}

/* ---- pcall, xpcall: as in lbaselib of the manual's section 6.1, with the two calls above around them ----
 * The context carries the token and how many values lie below the results. */

static int finish(lua_State *L, int status, lua_KContext context)
{
    int below = (int)(context & 3);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    if (failed && below == 0) /* xpcall's handler may have made anything of the error */
        tide_protect_passing(L, (uint32_t)(context >> 2));
    tide_protect_leave(L, (uint32_t)(context >> 2), failed);
    if (!failed)
        return lua_gettop(L) - below;
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

static int pcall(lua_State *L)
{
    lua_KContext context = (lua_KContext)tide_protect_enter(L) << 2;
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, context, finish);
    return finish(L, status, context);
}

static int xpcall(lua_State *L)
{
    lua_KContext context = (lua_KContext)tide_protect_enter(L) << 2 | 2;
    int n = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2); /* the function and true below its arguments */
    int status = lua_pcallk(L, n - 2, LUA_MULTRET, 2, context, finish);
    return finish(L, status, context);
}

/* ---- the error value ---- */

static void make_errors(lua_State *L)
{
    for (int reason = 0; reason <= TIDE_CANCEL_MEMORY; reason++) {
        lua_pushstring(L, text_of((enum tide_cancel_reason)reason));
        tide_errors_make(L, kind_of((enum tide_cancel_reason)reason));
        lua_rawsetp(L, LUA_REGISTRYINDEX, &reason_keys[reason]);
    }
    lua_pushliteral(L, "not enough memory");
    tide_errors_make(L, "memory");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &memory_key);
}

void tide_protect_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"pcall", pcall}, {"xpcall", xpcall}, {NULL, NULL}};
    make_errors(L);
    luaL_setfuncs(L, functions, 0);
}
