#include "bindings/coro.h"

#include "bindings/protect.h"
#include "sched/preempt.h"

enum status { RUNNING, DEAD, SUSPENDED, NORMAL };

static const char *const status_names[] = {"running", "dead", "suspended", "normal"};

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "thread");
    return co;
}

static bool is_base(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    return task && task->L == L;
}

static enum status status_of(lua_State *L, lua_State *co)
{
    lua_Debug ar;
    if (L == co)
        return RUNNING;
    if (tide_coro_marked(co))
        return NORMAL;
    switch (lua_status(co)) {
    case LUA_YIELD: return SUSPENDED;
    case LUA_OK:
        if (lua_getstack(co, 0, &ar))
            return NORMAL;
        return lua_gettop(co) == 0 ? DEAD : SUSPENDED;
    default: return DEAD;
    }
}

/* Runs `inner` as the innermost coroutine of the task around one call that resumes or closes it. */
static void enter(struct tide_worker *w, struct tide_frame *frame, lua_State *L, lua_State *co, bool yieldable)
{
    struct tide_frame *outer = atomic_load_explicit(&w->frame, memory_order_relaxed);
    *frame = (struct tide_frame){.L = co, .outer = outer,
                                 .yieldable = yieldable && outer && outer->yieldable && lua_isyieldable(L)};
    tide_preempt_enter(w, co);
    if (w->task && atomic_load_explicit(&w->task->attention, memory_order_relaxed))
        tide_preempt_arm(w, co);
    atomic_store_explicit(&w->frame, frame, memory_order_relaxed);
}

static void leave(struct tide_worker *w, struct tide_frame *frame)
{
    atomic_store_explicit(&w->frame, frame->outer, memory_order_relaxed);
    /* what was asked of the task while `co` ran, and not done there, is asked of the one that goes on */
    if (w->task && atomic_load_explicit(&w->task->attention, memory_order_relaxed) && frame->outer)
        tide_preempt_arm(w, frame->outer->L);
}

/* ---- resume and wrap ----
 * The context holds the token of protect.h, and one bit: wrap. */

static lua_State *subject(lua_State *L, lua_KContext context)
{
    return context & 1 ? lua_tothread(L, lua_upvalueindex(1)) : lua_tothread(L, 1);
}

/* Closes a coroutine that ended by an error, or was never finished; its closers run here. The result is on co's stack. */
static int close_coroutine(lua_State *L, lua_State *co)
{
    struct tide_worker *w = tide_worker_of(L);
    struct tide_frame frame;
    enter(w, &frame, L, co, false);
    frame.closing = true;
    int status = lua_resetthread(co);
    leave(w, &frame);
    return status;
}

/* in: error value on co. out: the outcome of a failed resume on L. */
static int failed(lua_State *L, lua_State *co, lua_KContext context)
{
    struct tide_task *task = tide_task_of(L);
    bool wrap = context & 1;
    int status = lua_status(co);
    bool died = status != LUA_OK && status != LUA_YIELD;
    if (died && (wrap || (task && task->unwinding))) {
        status = close_coroutine(L, co);
        if (!lua_checkstack(L, 3))
            luaL_error(L, "stack overflow");
        lua_pop(L, 1); /* the error that was moved before the closers could replace it */
        lua_xmove(co, L, 1);
    }
    tide_protect_leave(L, (uint32_t)(context >> 1), true);
    if (!wrap) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int refuse(lua_State *L, lua_KContext context, const char *message)
{
    lua_pushstring(L, message);
    if (!(context & 1)) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
    return lua_error(L);
}

static int step(lua_State *L, lua_State *co, int given, lua_KContext context);

static int again(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    return step(L, subject(L, context), 0, context);
}

static int step(lua_State *L, lua_State *co, int given, lua_KContext context)
{
    struct tide_worker *w = tide_worker_of(L);
    struct tide_frame frame;
    int results = 0;
    tide_coro_unmark(co);
    enter(w, &frame, L, co, true);
    int status = lua_resume(co, L, given, &results);
    if (status == LUA_YIELD && w->yielded != TIDE_YIELD_USER) {
        atomic_store_explicit(&w->frame, frame.outer, memory_order_relaxed);
        tide_coro_mark(co);
        return lua_yieldk(L, 0, context, again);
    }
    leave(w, &frame);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return failed(L, co, context);
    }
    tide_protect_leave(L, (uint32_t)(context >> 1), false);
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(co, results);
        return refuse(L, context, "too many results to resume");
    }
    if (!(context & 1))
        lua_pushboolean(L, 1);
    lua_xmove(co, L, results);
    return context & 1 ? results : results + 1;
}

static int begin(lua_State *L, lua_State *co, int given, lua_KContext context)
{
    if (!lua_checkstack(co, given))
        return refuse(L, context, "too many arguments to resume");
    switch (status_of(L, co)) {
    case DEAD: return refuse(L, context, "cannot resume dead coroutine");
    case RUNNING:
    case NORMAL: return refuse(L, context, "cannot resume non-suspended coroutine");
    case SUSPENDED: break;
    }
    lua_xmove(L, co, given);
    return step(L, co, given, context);
}

static int resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    return begin(L, co, lua_gettop(L) - 1, (lua_KContext)tide_protect_enter(L) << 1);
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return begin(L, co, lua_gettop(L), (lua_KContext)tide_protect_enter(L) << 1 | 1);
}

static int create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

static int wrap(lua_State *L)
{
    create(L);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

/* ---- the rest ---- */

static int yield(lua_State *L)
{
    if (is_base(L))
        return luaL_error(L, "attempt to yield from outside a coroutine");
    struct tide_task *task = tide_task_of(L);
    for (struct tide_cancel *s = task ? task->scope : NULL; s && s->outer; s = s->outer)
        if (s->home == L)
            return luaL_error(L, "attempt to yield out of tm.timeout, tm.shield or tm.scope; yield outside of it");
    return lua_yield(L, lua_gettop(L));
}

static int status(lua_State *L)
{
    lua_pushstring(L, status_names[status_of(L, check_coroutine(L))]);
    return 1;
}

static int isyieldable(lua_State *L)
{
    lua_State *co = lua_isnone(L, 1) ? L : check_coroutine(L);
    lua_pushboolean(L, !is_base(co) && lua_isyieldable(co));
    return 1;
}

static int running(lua_State *L)
{
    bool main = lua_pushthread(L) || is_base(L);
    lua_pushboolean(L, main);
    return 2;
}

static int close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    enum status status = status_of(L, co);
    if (status != DEAD && status != SUSPENDED)
        return luaL_error(L, "cannot close a %s coroutine", status_names[status]);
    uint32_t token = tide_protect_enter(L);
    bool failed = close_coroutine(L, co) != LUA_OK;
    if (failed)
        lua_xmove(co, L, 1);
    tide_protect_leave(L, token, failed);
    lua_pushboolean(L, !failed);
    if (!failed)
        return 1;
    lua_insert(L, -2);
    return 2;
}

int tide_coro_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"create", create}, {"resume", resume},           {"wrap", wrap},       {"yield", yield},
        {"status", status}, {"isyieldable", isyieldable}, {"running", running}, {"close", close},
        {NULL, NULL},
    };
    luaL_newlib(L, functions);
    return 1;
}
