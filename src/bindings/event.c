/* tm.event: the pattern of every object that tasks wait for. */
#include "sync/event.h"

#include "bindings/bind.h"
#include "bindings/module.h"

static struct tide_event *check(lua_State *L, int arg)
{
    return (struct tide_event *)(void *)tide_handle_check(L, arg, &tide_event_class);
}

static int new(lua_State *L)
{
    luaL_argcheck(L, lua_isnoneornil(L, 1), 1, "no argument expected; a new event is not set");
    return tide_bind_new(L, (struct tide_object *)tide_event_new());
}

static int set(lua_State *L)
{
    tide_event_set(check(L, 1));
    return 0;
}

static int clear(lua_State *L)
{
    tide_event_clear(check(L, 1));
    return 0;
}

static int is_set(lua_State *L)
{
    lua_pushboolean(L, tide_event_is_set(check(L, 1)));
    return 1;
}

static int wait_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_event *event = check(L, 1);
    enum tide_wait_state how = tide_await_end(L);
    tide_event_leave(event, &tide_task_of(L)->waiter);
    tide_await_check(L, how);
    lua_pushboolean(L, how == TIDE_WAIT_WOKEN);
    return 1;
}

static int wait(lua_State *L)
{
    struct tide_event *event = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    if (tide_event_is_set(event)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    if (tide_event_enqueue(event, &task->waiter, task) && tide_await_skip(task)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_settop(L, 1);
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "an event that nobody set"}, 0, wait_finish);
}

static int tostring(lua_State *L)
{
    lua_pushfstring(L, "event (%s)", tide_event_is_set(check(L, 1)) ? "set" : "not set");
    return 1;
}

void tide_open_event(lua_State *L)
{
    static const luaL_Reg methods[] = {{"set", set}, {"clear", clear}, {"is_set", is_set}, {"wait", wait}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_event_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "event");
}
