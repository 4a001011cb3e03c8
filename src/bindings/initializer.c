#include "bindings/initializer.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/errors.h"
#include "exec/executor.h"
#include "sync/event.h"
#include "transport/env.h"
#include "transport/pack.h"

static const char layers;

static struct tide_executor *executor_of(struct tide_future *future)
{
    struct tide_future_owner *owner = future->owner; /* stays while the future runs */
    bool is = owner && owner->object.class == &tide_executor_class;
    return is ? (struct tide_executor *)(void *)owner : NULL;
}

static int start_again(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    lua_settop(L, 1);
    return ((lua_CFunction)context)(L);
}

/* in: event at -1 */
static int waited(lua_State *L, int status, lua_KContext context)
{
    struct tide_event *event = (struct tide_event *)(void *)tide_handle_check(L, 2, &tide_event_class);
    enum tide_wait_state how = tide_await_end(L);
    tide_event_leave(event, &tide_task_of(L)->waiter);
    tide_await_check(L, how);
    return start_again(L, status, context);
}

static int wait(lua_State *L, struct tide_event *event, lua_CFunction base)
{
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    if (tide_event_enqueue(event, &task->waiter, task) && tide_await_skip(task))
        return start_again(L, LUA_OK, (lua_KContext)base);
    struct tide_await how = {.deadline = TIDE_NEVER, .what = "the initializer of its executor"};
    return tide_await(L, &how, (lua_KContext)base, waited);
}

static void set_layer(lua_State *L, uint64_t epoch, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &layers);
    lua_pushvalue(L, index);
    lua_rawseti(L, -2, (lua_Integer)epoch);
    lua_pop(L, 1);
}

/* Stack: 1 the future (light), 2 the event, 3 the message handler, 4 the initializer, then its error. */
static int ran(lua_State *L, int status, lua_KContext context)
{
    struct tide_executor *executor = executor_of(lua_touserdata(L, 1));
    struct tide_event *event = (struct tide_event *)(void *)tide_handle_check(L, 2, &tide_event_class);
    if (status == LUA_OK || status == LUA_YIELD) {
        tide_env_of(L, 4);
        if (!lua_istable(L, -1)) {
            lua_pop(L, 1);
            lua_pushglobaltable(L);
        }
        set_layer(L, executor->epoch, -1);
        tide_event_set(event);
        return start_again(L, status, context);
    }
    lua_pushnil(L);
    set_layer(L, executor->epoch, -1);
    lua_pop(L, 1);
    struct tide_task *task = tide_task_of(L);
    if (task->unwinding != &task->root) { /* else only its task was cancelled: the next one tries again */
        const char *text = tide_errors_text(L, -1);
        tide_executor_break(executor, text);
        lua_pop(L, 1);
    }
    tide_event_set(event);
    return lua_error(L);
}

static int run(lua_State *L, struct tide_executor *executor, lua_CFunction base)
{
    tide_bind_new(L, (struct tide_object *)tide_event_new());
    set_layer(L, executor->epoch, -1);
    lua_pushcfunction(L, tide_call_traceback);
    lua_pushnil(L);
    tide_env_set_layer(L, -1);
    lua_pop(L, 1);
    tide_unpack_function(L, (struct tide_code *)(void *)executor->initializer);
    lua_pushvalue(L, -1);
    int status = lua_pcallk(L, 0, 0, 3, (lua_KContext)base, ran);
    return ran(L, status, (lua_KContext)base);
}

bool tide_initializer_ready(lua_State *L, struct tide_future *future, lua_CFunction base, int *result)
{
    struct tide_executor *executor = executor_of(future);
    if (!executor || !executor->initializer) {
        lua_pushnil(L);
        tide_env_set_layer(L, -1);
        lua_pop(L, 1);
        return true;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &layers);
    int type = lua_rawgeti(L, -1, (lua_Integer)executor->epoch);
    lua_remove(L, -2);
    if (type == LUA_TTABLE) {
        tide_env_set_layer(L, -1);
        lua_pop(L, 1);
        return true;
    }
    if (type == LUA_TUSERDATA) {
        *result = wait(L, (struct tide_event *)(void *)tide_handle_check(L, 2, &tide_event_class), base);
        return false;
    }
    lua_pop(L, 1);
    *result = run(L, executor, base);
    return false;
}

void tide_initializer_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &layers);
}
