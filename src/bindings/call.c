#include "bindings/call.h"

#include "base/alloc.h"
#include "bindings/coro.h"
#include "bindings/hooks.h"
#include "bindings/initializer.h"
#include "bindings/locals.h"
#include "bindings/program.h"
#include "bindings/protect.h"
#include "bindings/paths.h"
#include "sync/dict_lock.h"
#include "sync/lock.h"
#include "transport/captures.h"
#include "transport/env.h"
#include "transport/pack.h"

#include <assert.h>
#include <string.h>

/* ---- tasks of any sort ---- */

struct tide_task *tide_call_local(struct tide_state *state, const struct tide_local_call *call, void *subject)
{
    int slot = 0;
    lua_State *co = tide_state_coroutine(state, &slot);
    if (!co)
        return NULL;
    struct tide_task *task = tide_task_new(state->worker, co);
    if (!task) {
        tide_state_release(state, co, slot, true);
        return NULL;
    }
    task->slot = slot;
    task->kind = call;
    task->work = subject;
    task->name = call->name;
    lua_pushcfunction(co, call->run); /* neither push allocates: the stack of a fresh coroutine has room */
    lua_pushlightuserdata(co, subject);
    tide_coro_mark(co); /* until it runs: a script that knows it from an earlier task must not resume or close it */
    tide_worker_ready(state->worker, task);
    return task;
}

void tide_call_ended(struct tide_worker *worker, struct tide_task *task, int status)
{
    struct tide_state *state = worker->state;
    const struct tide_local_call *call = task->kind;
    lua_State *co = task->L;
    int slot = task->slot;
    if (status == LUA_ERRMEM || state->memory.failed)
        state->wants_collection = true;
    state->memory.failed = false;
    if (!tide_list_empty(&task->keys)) /* a coroutine that it left behind inside an update */
        tide_dict_lock_release_all(task);
    tide_lock_abandon_all(task);
    if (call->ended)
        call->ended(task, task->work, status);
    if (task->flags & TIDE_TASK_LOCALS)
        tide_locals_forget(state, task);
    tide_task_free(task);
    if (status == LUA_OK && lua_gethook(co))
        tide_hooks_forget(state->L, co);
    /* after an error in a hook a coroutine is never hooked again, so one that ended by an error is not used twice */
    tide_state_release(state, co, slot, status == LUA_OK);
    if (state->wants_collection || state->lost)
        tide_state_tend(worker);
}

/* ---- tracebacks ---- */

static const char remote_key; /* registry: the error that state->remote belongs to */

void tide_call_remote_trace(lua_State *L, struct tide_future *future, bool more)
{
    struct tide_state *state = tide_state_of(L);
    if (!more) {
        tide_strbuf_clear(&state->remote);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &remote_key);
    }
    if (!future->error)
        return;
    tide_strbuf_printf(&state->remote, "\nin task '%s': %s", future->name ? future->name : "?", future->error);
}

int tide_call_traceback(lua_State *L)
{
    struct tide_state *state = tide_state_of(L);
    struct tide_task *task = tide_task_of(L);
    tide_strbuf_clear(&state->trace);
    if (task && task->unwinding) /* a cancellation passes: nobody asks where it struck */
        return 1;
    luaL_traceback(L, L, NULL, 1);
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    tide_strbuf_append(&state->trace, text, size);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &remote_key);
    if (state->remote.size && lua_rawequal(L, 1, -1))
        tide_strbuf_append(&state->trace, state->remote.data, state->remote.size);
    lua_settop(L, 1);
    return 1;
}

/* ---- a future's call ----
 * Stack of its base frame: 1 the future (light), 2 the message handler, 3 the function, kept for the look at its captures,
 * then the function again and its arguments, and later the results. */

enum { AT_FUTURE = 1, AT_HANDLER, AT_FUNCTION };

struct tide_message *tide_call_pack_error(lua_State *L)
{
    struct tide_parcel *parcel = NULL;
    int top = lua_gettop(L);
    if (tide_pack_values(L, top, 1, "error", &parcel) != 0) {
        /* an error that cannot travel arrives as its text */
        lua_settop(L, top);
        luaL_tolstring(L, top, NULL);
        parcel = tide_pack(L, top + 1, 1);
    }
    return &parcel->base;
}

static void fail(lua_State *L, struct tide_future *future)
{
    struct tide_state *state = tide_state_of(L);
    state->memory.reserve = true; /* until the task has ended */
    struct tide_message *error = tide_call_pack_error(L);
    tide_future_finish(future, TIDE_FUTURE_FAILED, error, tide_strbuf_detach(&state->trace));
}

bool tide_call_captures_changed(lua_State *L, int index, struct tide_future *future)
{
    struct tide_code *code = (struct tide_code *)(void *)future->code;
    if (!code->watched || !tide_captures_check(L, index, code))
        return false;
    if (tide_program_strict())
        return true;
    tide_program_warn(L, -1);
    lua_pop(L, 1);
    return false;
}

static int finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_future *future = lua_touserdata(L, AT_FUTURE);
    struct tide_task *task = tide_task_of(L);
    struct tide_parcel *parcel = NULL;
    (void)context;
    tide_lock_abandon_all(task); /* before anybody can learn that it has ended */
    if (task->unwinding == &task->root) {
        if (status != LUA_OK && status != LUA_YIELD)
            tide_protect_report(L, &task->root);
        if (atomic_load(&task->root.reason) != TIDE_CANCEL_MEMORY) {
            tide_future_finish(future, TIDE_FUTURE_CANCELLED, NULL, NULL);
            return 0;
        }
        tide_cancel_push(L, TIDE_CANCEL_MEMORY); /* nobody asked for its end: it failed with its state */
        fail(L, future);
        return 0;
    }
    if (status != LUA_OK && status != LUA_YIELD) {
        if (status == LUA_ERRMEM) {
            tide_state_of(L)->memory.failed = true;
            tide_memory_error_push(L);
        }
        fail(L, future);
        return 0;
    }
    int count = lua_gettop(L) - AT_FUNCTION;
    tide_strbuf_clear(&tide_state_of(L)->trace);
    if (tide_pack_values(L, AT_FUNCTION + 1, count, "result", &parcel) != 0 ||
        tide_call_captures_changed(L, AT_FUNCTION, future)) {
        if (parcel)
            tide_message_unref(&parcel->base);
        fail(L, future);
        return 0;
    }
    tide_future_finish(future, TIDE_FUTURE_DONE, &parcel->base, NULL);
    return 0;
}

void tide_call_function(lua_State *L, struct tide_future *future)
{
    struct tide_code *code = (struct tide_code *)(void *)future->code;
    tide_paths_follow(L);
    tide_unpack_function(L, code);
    if (!code->sets_globals && !code->reflects)
        return;
    tide_env_of_message(L, -1); /* what it loads sees the same globals, and sets them */
    tide_state_set_environment(L);
}

int tide_call_run(lua_State *L)
{
    struct tide_future *future = lua_touserdata(L, AT_FUTURE);
    int result = 0;
    if (!tide_initializer_ready(L, future, tide_call_run, &result))
        return result;
    lua_pushcfunction(L, tide_call_traceback);
    tide_call_function(L, future);
    lua_pushvalue(L, AT_FUNCTION);
    int count = future->call ? tide_unpack(L, (struct tide_parcel *)(void *)future->call) : 0;
    tide_message_unref(tide_future_take_call(future)); /* now, as what raised before leaves it to the future */
    int status = lua_pcallk(L, count, LUA_MULTRET, AT_HANDLER, 0, finish);
    return finish(L, status, 0);
}

/* An error that a base function itself let escape: decoding, a cancellation meanwhile, or memory short even for the failure. */
static int fail_late(lua_State *L)
{
    struct tide_task *task = lua_touserdata(L, 1);
    const struct tide_call_sort *sort = task->kind;
    lua_xmove(task->L, L, 1);
    struct tide_message *error = tide_call_pack_error(L);
    sort->complete(task->work, TIDE_FUTURE_FAILED, error, NULL);
    return 0;
}

void tide_call_future_ended(struct tide_task *task, void *subject, int status)
{
    struct tide_future *future = subject;
    struct tide_state *state = task->worker->state;
    const struct tide_call_sort *sort = task->kind;
    bool cancelled = task->unwinding == &task->root && atomic_load(&task->root.reason) != TIDE_CANCEL_MEMORY;
    state->memory.reserve = false;
    if (status != LUA_OK && cancelled && !tide_future_done(future))
        sort->complete(future, TIDE_FUTURE_CANCELLED, NULL, NULL);
    if (status != LUA_OK && !tide_future_done(future) && tide_state_protect(state, fail_late, task) != LUA_OK) {
        lua_pop(state->L, 1);
        if (!tide_future_done(future))
            sort->complete(future, TIDE_FUTURE_FAILED, NULL, tide_strdup("not enough memory"));
    }
    tide_future_unref(future);
}

const char *tide_call_future_name(struct tide_task *task)
{
    struct tide_future *future = task->work;
    return future->name;
}

static const struct tide_call_sort plain = {
    {tide_call_run, tide_call_future_ended, tide_call_future_name}, tide_future_begin, tide_future_finish};

struct tide_future *tide_call_future(struct tide_task *task)
{
    const struct tide_local_call *call = task->kind;
    return call->ended == tide_call_future_ended ? task->work : NULL;
}

static int do_nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static const struct tide_local_call nothing = {do_nothing, NULL, NULL};

void tide_call_start_sort(struct tide_entry *entry, struct tide_worker *worker, const struct tide_call_sort *sort)
{
    struct tide_future *future = tide_container(entry, struct tide_future, entry);
    struct tide_task *task = NULL;
    if (tide_program_closing())
        tide_future_drop(future, TIDE_FUTURE_CANCELLED, NULL);
    if (!tide_future_done(future))
        task = tide_call_local(worker->state, &sort->local, future);
    if (!task) { /* where it is complete, the drop does nothing */
        tide_future_drop(future, TIDE_FUTURE_FAILED, tide_strdup("not enough memory to start the task"));
        tide_future_unref(future);
        return;
    }
    if (sort->begin(future, task) != 0) {
        /* cancelled between the look and here: the task is in the queue, and ends at once */
        task->kind = &nothing;
        task->name = NULL;
        lua_settop(task->L, 0);
        lua_pushcfunction(task->L, do_nothing);
        lua_pushlightuserdata(task->L, NULL);
        tide_future_unref(future);
    }
}

void tide_call_start(struct tide_entry *entry, struct tide_worker *worker)
{
    tide_call_start_sort(entry, worker, &plain);
}
