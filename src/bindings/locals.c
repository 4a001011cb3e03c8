#include "bindings/locals.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/module.h"
#include "bindings/paths.h"
#include "exec/thread.h"
#include "sync/event.h"
#include "sync/local.h"
#include "transport/env.h"
#include "transport/item.h"
#include "transport/pack.h"

static const char task_values, worker_values;

/* ---- where values stand ---- */

void tide_locals_open(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &task_values);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &worker_values);
}

void tide_locals_push(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    if (!task)
        luaL_error(L, "no task is running");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &task_values);
    if (!(task->flags & TIDE_TASK_LOCALS)) {
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, task->slot);
        task->flags |= TIDE_TASK_LOCALS;
    } else {
        lua_rawgeti(L, -1, task->slot);
    }
    lua_remove(L, -2);
}

void tide_locals_forget(struct tide_state *state, struct tide_task *task)
{
    lua_State *L = state->L;
    int top = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &task_values);
    lua_rawgeti(L, top + 1, task->slot);
    lua_rawgeti(L, top + 2, 0);
    struct tide_object *standing = tide_handle_test(L, -1, &tide_thread_class);
    if (standing)
        tide_thread_stood((struct tide_thread *)(void *)standing);
    lua_pushnil(L); /* allocates nothing, as the key is there */
    lua_rawseti(L, top + 1, task->slot);
    lua_settop(L, top);
}

/* ---- one value ----
 * Stack of all that follows: 1 the handle, 2 the table of values. */

enum { AT_HANDLE = 1, AT_VALUES, AT_EVENT };

static struct tide_local *check(lua_State *L)
{
    return (struct tide_local *)(void *)tide_handle_check(L, AT_HANDLE, &tide_local_class);
}

static lua_Integer place_of(const struct tide_local *local)
{
    return (lua_Integer)local->index * 3;
}

static void push_values(lua_State *L, const struct tide_local *local)
{
    if (local->of_worker)
        lua_rawgetp(L, LUA_REGISTRYINDEX, &worker_values);
    else
        tide_locals_push(L);
}

/* Who has the place: `generation` this local, the negative of it this local while its value is made, else nobody that lives. */
static lua_Integer holder(lua_State *L, const struct tide_local *local)
{
    lua_rawgeti(L, AT_VALUES, place_of(local));
    lua_Integer is = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return is;
}

/* in: value on top; out: the same. A nil empties the place. */
static void store(lua_State *L, const struct tide_local *local)
{
    lua_Integer at = place_of(local);
    bool empty = lua_isnil(L, -1);
    lua_pushvalue(L, -1);
    lua_rawseti(L, AT_VALUES, at + 1);
    lua_pushnil(L);
    lua_rawseti(L, AT_VALUES, at + 2);
    if (empty)
        lua_pushnil(L);
    else
        lua_pushinteger(L, local->generation);
    lua_rawseti(L, AT_VALUES, at);
}

static int get(lua_State *L);

static int get_again(lua_State *L)
{
    lua_settop(L, AT_HANDLE);
    return get(L);
}

/* ---- making the first value ---- */

static void push_maker(lua_State *L, const struct tide_local *local)
{
    tide_paths_follow(L);
    lua_pushnil(L);
    tide_env_set_layer(L, -1);
    lua_pop(L, 1);
    tide_unpack_function(L, (struct tide_code *)(void *)local->maker);
}

static int made(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    store(L, check(L));
    return 1;
}

static int pass(lua_State *L, int status, lua_KContext context)
{
    (void)L;
    (void)status;
    (void)context;
    return 1;
}

static int call_maker(lua_State *L)
{
    push_maker(L, check(L));
    lua_callk(L, 0, 1, 0, pass);
    return 1;
}

/* Behind the event: the value, or an error. Whoever waits for the value looks again. */
static int made_for_worker(lua_State *L, int status, lua_KContext context)
{
    struct tide_local *local = check(L);
    struct tide_event *event = (struct tide_event *)(void *)tide_handle_check(L, AT_EVENT, &tide_event_class);
    bool failed = status != LUA_OK && status != LUA_YIELD;
    bool replaced = holder(L, local) != -(lua_Integer)local->generation; /* somebody set it meanwhile */
    (void)context;
    if (!replaced && failed) {
        lua_pushnil(L);
        store(L, local);
        lua_pop(L, 1);
    } else if (!replaced) {
        store(L, local);
    }
    tide_event_set(event);
    if (failed)
        return lua_error(L);
    return replaced ? get_again(L) : 1;
}

/* Only one task of the state makes it; the others wait for its event, which stands in the place of the value. */
static int make_for_worker(lua_State *L, struct tide_local *local)
{
    lua_Integer at = place_of(local);
    tide_bind_new(L, (struct tide_object *)tide_event_new());
    lua_pushvalue(L, AT_EVENT);
    lua_rawseti(L, AT_VALUES, at + 1);
    lua_pushlightuserdata(L, tide_task_of(L));
    lua_rawseti(L, AT_VALUES, at + 2);
    lua_pushinteger(L, -(lua_Integer)local->generation);
    lua_rawseti(L, AT_VALUES, at);
    lua_pushcfunction(L, call_maker);
    lua_pushvalue(L, AT_HANDLE);
    int status = lua_pcallk(L, 1, 1, 0, 0, made_for_worker);
    return made_for_worker(L, status, 0);
}

static int waited(lua_State *L, int status, lua_KContext context)
{
    struct tide_event *event = (struct tide_event *)(void *)tide_handle_check(L, AT_EVENT, &tide_event_class);
    (void)status;
    (void)context;
    enum tide_wait_state how = tide_await_end(L);
    tide_event_leave(event, &tide_task_of(L)->waiter);
    tide_await_check(L, how);
    return get_again(L);
}

static int wait_for_maker(lua_State *L, struct tide_local *local)
{
    lua_rawgeti(L, AT_VALUES, place_of(local) + 2);
    if (lua_touserdata(L, -1) == tide_task_of(L))
        return luaL_error(L, "the function that makes the value of a worker_local asks for that value");
    lua_pop(L, 1);
    struct tide_task *task = tide_await_prepare(L);
    lua_rawgeti(L, AT_VALUES, place_of(local) + 1);
    struct tide_event *event = (struct tide_event *)(void *)tide_handle_check(L, AT_EVENT, &tide_event_class);
    tide_wait_begin(task);
    if (tide_event_enqueue(event, &task->waiter, task) && tide_await_skip(task))
        return get_again(L);
    struct tide_await how = {.deadline = TIDE_NEVER, .what = "the value of a worker_local that another task makes"};
    return tide_await(L, &how, 0, waited);
}

static int make(lua_State *L, struct tide_local *local)
{
    if (!local->maker) {
        tide_unpack_item(L, &local->initial);
        store(L, local);
        return 1;
    }
    if (local->of_worker)
        return make_for_worker(L, local);
    push_maker(L, local);
    lua_callk(L, 0, 1, 0, made);
    store(L, local);
    return 1;
}

/* ---- methods ---- */

static int get(lua_State *L)
{
    struct tide_local *local = check(L);
    lua_settop(L, AT_HANDLE);
    push_values(L, local);
    lua_Integer is = holder(L, local);
    if (is == -(lua_Integer)local->generation)
        return wait_for_maker(L, local);
    if (is != (lua_Integer)local->generation)
        return make(L, local);
    lua_rawgeti(L, AT_VALUES, place_of(local) + 1);
    return 1;
}

static int set(lua_State *L)
{
    struct tide_local *local = check(L);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    push_values(L, local);
    lua_insert(L, AT_VALUES);
    lua_Integer is = holder(L, local);
    bool mine = is == (lua_Integer)local->generation, making = is == -(lua_Integer)local->generation;
    if (!lua_isnil(L, -1) || mine || !making) /* while it is made there is nothing to take away */
        store(L, local);
    return 0;
}

static int tostring(lua_State *L)
{
    lua_pushstring(L, check(L)->of_worker ? "worker_local" : "task_local");
    return 1;
}

static int new(lua_State *L, bool of_worker)
{
    struct tide_local *local = tide_local_new(of_worker);
    lua_settop(L, 1);
    tide_bind_new(L, (struct tide_object *)local);
    if (lua_isfunction(L, 1)) {
        tide_paths_publish(L);
        local->maker = &tide_pack_function(L, 1)->base;
    } else {
        local->initial = tide_pack_item(L, 1, "default");
    }
    return 1;
}

static int new_task_local(lua_State *L)
{
    return new(L, false);
}

static int new_worker_local(lua_State *L)
{
    return new(L, true);
}

void tide_open_locals(lua_State *L)
{
    static const luaL_Reg methods[] = {{"get", get}, {"set", set}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"task_local", new_task_local}, {"worker_local", new_worker_local}, {NULL, NULL}};
    tide_bind_class(L, &tide_local_class, methods, meta);
    luaL_setfuncs(L, functions, 0);
}
