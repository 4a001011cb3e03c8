#include "bindings/callback.h"

#include "base/alloc.h"
#include "bindings/call.h"
#include "bindings/errors.h"
#include "bindings/program.h"
#include "bindings/protect.h"
#include "transport/handle.h"

static void deliver(struct tide_mail *mail, struct tide_worker *worker);

struct tide_callback *tide_callback_new(lua_State *L, const char *what)
{
    int function = luaL_ref(L, LUA_REGISTRYINDEX); /* first, as it may raise */
    struct tide_callback *c = tide_calloc(1, sizeof *c);
    if (!c) {
        luaL_unref(L, LUA_REGISTRYINDEX, function);
        luaL_error(L, "not enough memory");
    }
    c->mail.deliver = deliver;
    c->home = tide_worker_of(L);
    c->what = what;
    c->function = function;
    c->generation = c->home->state ? ((struct tide_state *)c->home->state)->generation : 0;
    return c;
}

void tide_callback_free(struct tide_callback *callback)
{
    struct tide_state *state = callback->home->state;
    if (state && state->L && callback->generation == state->generation)
        luaL_unref(state->L, LUA_REGISTRYINDEX, callback->function);
    tide_object_unref(callback->argument);
    tide_free(callback);
}

static int finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_callback *c = (struct tide_callback *)context;
    struct tide_task *task = tide_task_of(L);
    if ((status == LUA_OK || status == LUA_YIELD) || task->unwinding == &task->root)
        return 0;
    tide_program_failed();
    struct tide_strbuf text = {0};
    tide_errors_text(L, -1);
    tide_strbuf_printf(&text, "%s failed: %s\n%s", c->what, lua_tostring(L, -1), tide_strbuf_text(&tide_state_of(L)->trace));
    tide_program_report(tide_strbuf_text(&text));
    tide_strbuf_fini(&text);
    return 0;
}

static int run(lua_State *L)
{
    struct tide_callback *c = lua_touserdata(L, 1);
    int count = 0;
    lua_pushcfunction(L, tide_call_traceback);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->function);
    if (c->argument) {
        tide_handle_push(L, c->argument);
        count = 1;
    } else if (c->text) {
        lua_pushstring(L, c->text);
        count = 1;
    }
    int status = lua_pcallk(L, count, 0, 2, (lua_KContext)c, finish);
    return finish(L, status, (lua_KContext)c);
}

static void post(struct tide_callback *c)
{
    tide_worker_post(c->home, &c->mail);
}

/* One that stays holds the program from its first firing until none is left: its mail never comes to a worker that is gone. */
static void post_first(struct tide_callback *c)
{
    if (atomic_fetch_add(&c->posted, 1) > 0)
        return;
    tide_runtime_hold(c->home->runtime);
    post(c);
}

/* It has run, or cannot: the next firing, or its end. */
static void settle(struct tide_callback *c)
{
    struct tide_runtime *runtime = c->home->runtime;
    if (!c->again) {
        tide_callback_free(c);
    } else if (atomic_fetch_sub(&c->posted, 1) > 1) { /* else it may be retired, and gone, from here on */
        post(c);
        return;
    }
    tide_runtime_release(runtime);
}

static void ended(struct tide_task *task, void *subject, int status)
{
    struct tide_callback *c = subject;
    if (status != LUA_OK) {
        tide_program_failed();
        tide_program_report(lua_tostring(task->L, -1) ? lua_tostring(task->L, -1) : c->what);
    }
    settle(c);
}

static const char *name_of(struct tide_task *task)
{
    struct tide_callback *c = task->work;
    return c->what;
}

static const struct tide_local_call callback_call = {run, ended, name_of};

static void deliver(struct tide_mail *mail, struct tide_worker *worker)
{
    struct tide_callback *c = tide_container(mail, struct tide_callback, mail);
    if (atomic_load(&c->retired)) {
        tide_callback_free(c);
        tide_runtime_release(worker->runtime);
        return;
    }
    if (c->again && tide_program_closing()) { /* it would be started only to be cancelled, and nobody would do that */
        if (c->skipped)
            c->skipped();
        settle(c);
        return;
    }
    bool lost = c->generation != ((struct tide_state *)worker->state)->generation;
    if (!lost && tide_call_local(worker->state, &callback_call, c))
        return;
    tide_program_failed();
    tide_program_report(lost ? "a callback was lost: the Lua state that it lived in ran out of memory"
                             : "not enough memory to run a callback");
    settle(c);
}

void tide_callback_retire(struct tide_callback *callback)
{
    if (tide_on_worker(callback->home) && atomic_load(&callback->posted) == 0) {
        tide_callback_free(callback); /* nobody else can fire it any more */
        return;
    }
    atomic_store(&callback->retired, 1);
    post_first(callback);
}

void tide_callback_abandon(struct tide_callback *callback)
{
    tide_free(callback); /* its function goes with its state */
}

void tide_callback_fire(struct tide_callback *callback, struct tide_object *argument)
{
    if (!callback->again) {
        callback->argument = argument;
        post(callback);
    } else {
        post_first(callback);
    }
}
