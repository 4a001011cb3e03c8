/* What as_completed, wait and gather are made of: core.watch(list) → a watch, or nil and which item is no future;
 * watch:next(deadline) → index | nil. */
#include "sync/watch.h"

#include "base/alloc.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/future.h"
#include "bindings/module.h"

static const char name[] = "tidemill.watching";

static struct tide_watch *check(lua_State *L)
{
    struct tide_watch **box = luaL_checkudata(L, 1, name);
    luaL_argcheck(L, *box, 1, "closed watch");
    return *box;
}

static int new(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    struct tide_watch **box = lua_newuserdatauv(L, sizeof *box, 1);
    *box = NULL;
    luaL_setmetatable(L, name);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    struct tide_future **futures = lua_newuserdatauv(L, (size_t)count * sizeof *futures + 1, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 1, i);
        futures[i - 1] = (struct tide_future *)(void *)tide_handle_test(L, -1, &tide_future_class);
        if (!futures[i - 1]) { /* whom to tell knows the caller */
            lua_pushnil(L);
            lua_pushfstring(L, "item %I: future expected, got %s", (LUAI_UACINT)i, luaL_typename(L, -2));
            return 2;
        }
        lua_pop(L, 1);
    }
    *box = tide_watch_new(futures, (uint32_t)count);
    lua_pop(L, 1);
    if (!*box)
        return luaL_error(L, "not enough memory");
    for (lua_Integer i = count; i-- > 0;) /* each goes to the front, so backwards: their order stays the list's */
        tide_future_hurry((*box)->entries[i].future, false);
    return 1;
}

static int push_index(lua_State *L, int64_t index)
{
    if (index < 0)
        lua_pushnil(L);
    else
        lua_pushinteger(L, index + 1);
    return 1;
}

static int next_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_watch *watch = check(L);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_watch_leave(watch, &task->waiter);
    tide_future_resume_own(task);
    tide_await_check(L, how);
    return push_index(L, how == TIDE_WAIT_WOKEN ? tide_watch_take(watch) : -1);
}

/* next(watch, deadline): the deadline as tm.monotonic gives it, nil for none. nil where it passed. */
static int next(lua_State *L)
{
    struct tide_watch *watch = check(L);
    int64_t index = tide_watch_take(watch);
    if (index >= 0)
        return push_index(L, index);
    int64_t deadline = TIDE_NEVER;
    if (!lua_isnoneornil(L, 2)) {
        lua_Number left = luaL_checknumber(L, 2) - (lua_Number)tide_now_ns() / 1e9;
        if (left <= 0)
            return push_index(L, -1);
        deadline = tide_deadline_after(left);
    }
    struct tide_task *task = tide_await_prepare(L);
    lua_settop(L, 1);
    tide_wait_begin(task);
    if (tide_watch_enqueue(watch, &task->waiter, task) && tide_await_skip(task))
        return push_index(L, tide_watch_take(watch));
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "one of several futures"}, 0, next_finish);
}

static int finalize(lua_State *L)
{
    struct tide_watch **box = luaL_checkudata(L, 1, name), *watch = *box;
    *box = NULL;
    if (watch) {
        tide_watch_end(watch);
        tide_object_unref(&watch->object);
    }
    return 0;
}

void tide_open_watch(lua_State *L)
{
    static const luaL_Reg methods[] = {{"next", next}, {"close", finalize}, {NULL, NULL}};
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, finalize);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "watch");
}
