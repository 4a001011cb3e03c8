#include "bindings/excepthook.h"

#include "base/alloc.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/callback.h"
#include "bindings/errors.h"
#include "bindings/future.h"
#include "bindings/program.h"

struct failure {
    struct tide_link link;
    struct tide_thread *thread; /* with a reference */
};

static struct {
    struct tide_mutex lock;
    /* protected by lock */
    struct tide_callback *callback; /* NULL: none was set */
    struct tide_fifo failures;
} hook;

/* ---- one failure ---- */

static void settle(struct failure *failure)
{
    tide_thread_unref(failure->thread);
    tide_free(failure);
    tide_runtime_release(tide_runtime_get());
}

static void print_default(struct failure *failure)
{
    tide_program_thread_failed(&failure->thread->future);
    settle(failure);
}

static struct failure *take(void)
{
    tide_mutex_lock(&hook.lock);
    struct tide_link *link = tide_fifo_pop(&hook.failures);
    tide_mutex_unlock(&hook.lock);
    return link ? tide_container(link, struct failure, link) : NULL;
}

void tide_excepthook_failed(struct tide_thread *thread)
{
    struct failure *failure = tide_malloc(sizeof *failure);
    bool handed = false;
    if (failure) {
        *failure = (struct failure){.thread = thread};
        tide_mutex_lock(&hook.lock);
        handed = hook.callback != NULL;
        if (handed) {
            tide_thread_ref(thread);
            tide_runtime_hold(tide_runtime_get());
            tide_fifo_push(&hook.failures, &failure->link);
            tide_callback_fire(hook.callback, NULL);
        }
        tide_mutex_unlock(&hook.lock);
    }
    if (!handed) {
        tide_free(failure);
        tide_program_thread_failed(&thread->future);
    }
}

/* ---- the script's function ----
 * `run` is the callback: it takes a failure and calls `call` with the function under a pcall. */

static int done(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 0;
}

/* Stack: 1 the function, 2 the failure (light). */
static int call(lua_State *L)
{
    struct failure *failure = lua_touserdata(L, 2);
    struct tide_future *future = &failure->thread->future;
    lua_settop(L, 1);
    lua_createtable(L, 0, 4);
    tide_future_push_error(L, future);
    lua_setfield(L, 2, "error");
    lua_pushstring(L, future->error);
    lua_setfield(L, 2, "traceback");
    tide_handle_push(L, &future->object);
    lua_setfield(L, 2, "thread");
    lua_pushstring(L, tide_thread_name(failure->thread));
    lua_setfield(L, 2, "name");
    lua_callk(L, 1, 0, 0, done);
    return 0;
}

static int finish(lua_State *L, int status, lua_KContext context)
{
    struct failure *failure = (struct failure *)context;
    struct tide_task *task = tide_task_of(L);
    if (status == LUA_OK || status == LUA_YIELD) {
        settle(failure);
        return 0;
    }
    if (task->unwinding != &task->root) { /* else the run is being ended */
        struct tide_strbuf text = {0};
        tide_program_failed();
        tide_strbuf_printf(&text, "the excepthook failed: %s\n%s", tide_errors_text(L, -1),
                           tide_strbuf_text(&tide_state_of(L)->trace));
        tide_program_report(tide_strbuf_text(&text));
        tide_strbuf_fini(&text);
    }
    print_default(failure);
    return 0;
}

static int run(lua_State *L)
{
    lua_pushcfunction(L, tide_call_traceback);
    lua_pushcfunction(L, call);
    lua_pushvalue(L, lua_upvalueindex(1));
    struct failure *failure = take();
    if (!failure) /* whoever removed a hook before this one took it */
        return 0;
    lua_pushlightuserdata(L, failure); /* from here on nothing raises that is not caught: it would be held for ever */
    int status = lua_pcallk(L, 2, 0, -4, (lua_KContext)failure, finish);
    return finish(L, status, (lua_KContext)failure);
}

/* The program ends: the failure is told as without a hook. */
static void skip(void)
{
    struct failure *failure = take();
    if (failure)
        print_default(failure);
}

/* ---- setting it ---- */

/* Puts `fresh` in the place of what there is; what waits is for the fresh one, or nobody's. */
static struct tide_callback *exchange(struct tide_callback *fresh)
{
    tide_mutex_lock(&hook.lock);
    struct tide_callback *old = hook.callback;
    hook.callback = fresh;
    for (struct tide_link *link = hook.failures.first; fresh && link; link = link->next)
        tide_callback_fire(fresh, NULL);
    tide_mutex_unlock(&hook.lock);
    return old;
}

static void print_rest(void)
{
    struct failure *failure;
    while ((failure = take()) != NULL)
        print_default(failure);
}

int tide_excepthook_set(lua_State *L)
{
    struct tide_callback *fresh = NULL;
    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_pushcclosure(L, run, 1);
        fresh = tide_callback_new(L, "excepthook");
        fresh->again = true;
        fresh->skipped = skip;
    }
    struct tide_callback *old = exchange(fresh);
    if (old)
        tide_callback_retire(old);
    if (!fresh)
        print_rest();
    return 0;
}

void tide_excepthook_fini(void)
{
    struct tide_callback *old = exchange(NULL);
    if (old)
        tide_callback_abandon(old);
    print_rest();
}
