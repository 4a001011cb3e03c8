/* The threads there are: main, the present one, those that run. */
#include "base/error.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/locals.h"
#include "bindings/thread.h"

static const char list_name[] = "tidemill.thread.list";

static struct tide_thread *main_thread; /* fixed while scripts run */

struct tide_thread *tide_thread_own(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    return task ? tide_thread_of(tide_call_future(task)) : NULL;
}

static int push_standing(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    tide_locals_push(L);
    if (lua_rawgeti(L, -1, 0) == LUA_TNIL) {
        lua_pop(L, 1);
        tide_bind_new(L, (struct tide_object *)tide_thread_stand(tide_task_name(task), task->id));
        tide_handle_register(L, -1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, 0);
    }
    return 1;
}

int tide_thread_current(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    struct tide_thread *own = tide_thread_own(L);
    if (!task)
        return luaL_error(L, "no task is running");
    if (task->flags & TIDE_TASK_MAIN)
        own = main_thread;
    if (!own)
        return push_standing(L);
    tide_handle_push(L, &own->future.object);
    return 1;
}

int tide_thread_push_main(lua_State *L)
{
    tide_handle_push(L, &main_thread->future.object);
    return 1;
}

struct list {
    size_t count;
    struct tide_thread *threads[];
};

static int list_gc(lua_State *L)
{
    struct list *list = lua_touserdata(L, 1);
    for (; list->count; list->count--)
        tide_thread_unref(list->threads[list->count - 1]);
    return 0;
}

int tide_thread_enumerate(lua_State *L)
{
    struct list *list;
    size_t room, there = tide_threads_count();
    do { /* more may have been started meanwhile */
        lua_settop(L, 0);
        room = there + 16;
        list = lua_newuserdatauv(L, sizeof *list + room * sizeof *list->threads, 0);
        list->count = 0;
        luaL_setmetatable(L, list_name);
        there = tide_threads_list(list->threads, room);
        list->count = there < room ? there : room;
    } while (there > room);
    lua_createtable(L, (int)list->count + 1, 0);
    lua_Integer n = 0;
    if (tide_thread_is_alive(main_thread)) {
        tide_thread_push_main(L);
        lua_rawseti(L, 2, ++n);
    }
    for (size_t i = 0; i < list->count; i++) {
        tide_handle_push(L, &list->threads[i]->future.object);
        lua_rawseti(L, 2, ++n);
    }
    lua_pushcfunction(L, list_gc);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 0);
    return 1;
}

int tide_thread_active_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tide_threads_count() + tide_thread_is_alive(main_thread));
    return 1;
}

int tide_thread_main_open(const struct tide_task *task)
{
    main_thread = tide_thread_stand("main", task->id);
    return main_thread ? 0 : TIDE_ENOMEM;
}

void tide_thread_main_ended(void)
{
    tide_thread_stood(main_thread);
}

void tide_thread_main_close(void)
{
    tide_thread_unref(main_thread);
    main_thread = NULL;
}

struct tide_thread *tide_thread_main(void)
{
    return main_thread;
}

void tide_thread_list_open(lua_State *L)
{
    tide_bind_hidden_class(L, list_name, list_gc);
}
