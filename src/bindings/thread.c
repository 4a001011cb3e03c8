/* tm.thread, tm.spawn. Methods and fields take a thread's handle, or an instance of a class of threads
 * (lua/tidemill/thread.lua): a table whose thread stands in a weak table of the state. */
#include "bindings/thread.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/excepthook.h"
#include "bindings/future.h"
#include "bindings/module.h"
#include "bindings/program.h"

#include <string.h>

static const char instances, runner; /* registry: [instance] = handle, weak; the function that runs an instance */

/* ---- arguments ---- */

static struct tide_thread *thread_at(lua_State *L, int index)
{
    return (struct tide_thread *)(void *)tide_handle_test(L, index, &tide_thread_class);
}

/* Argument 1 is a thread or an instance. out: its handle in the place of argument 1, the instance or nil as a new argument 2,
 * the others behind it. */
static struct tide_thread *check(lua_State *L)
{
    struct tide_thread *thread = thread_at(L, 1);
    if (thread) {
        lua_pushnil(L);
    } else if (lua_istable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &instances);
        lua_pushvalue(L, 1);
        lua_rawget(L, -2);
        thread = thread_at(L, -1);
        if (!thread)
            luaL_argerror(L, 1, "a copy of an instance, or no instance; its thread is known to the task that made it");
        lua_replace(L, -2);
        lua_pushvalue(L, 1);
        lua_insert(L, -2);
        lua_replace(L, 1);
    } else {
        luaL_typeerror(L, 1, tide_thread_class.name);
    }
    lua_insert(L, 2);
    return thread;
}

/* The same for what only a thread of its own can do. */
static struct tide_thread *check_own(lua_State *L, const char *deed)
{
    struct tide_thread *thread = check(L);
    enum tide_thread_phase phase = tide_thread_phase(thread);
    if (thread == tide_thread_main())
        luaL_error(L, "cannot %s 'main': it is the program's main chunk", deed);
    if (phase == TIDE_THREAD_STANDS || phase == TIDE_THREAD_STOOD)
        luaL_error(L, "cannot %s '%s': it is no thread but a task of an executor, a scope or a callback; use its future", deed,
                   tide_thread_name(thread));
    return thread;
}

/* ---- making and starting ---- */

static int begin(struct tide_future *future, struct tide_task *task)
{
    int result = tide_future_begin(future, task);
    if (result == 0)
        task->id = atomic_load(&tide_thread_of(future)->id);
    return result;
}

static const struct tide_call_sort sort = {
    {tide_call_run, tide_call_future_ended, tide_call_future_name}, begin, tide_future_finish};

static void start_entry(struct tide_entry *entry, struct tide_worker *worker)
{
    tide_call_start_sort(entry, worker, &sort);
}

/* out: the handle of a new thread */
static struct tide_thread *make(lua_State *L)
{
    struct tide_thread *own = tide_thread_own(L);
    struct tide_thread *thread = tide_thread_new(start_entry, own && atomic_load(&own->daemon));
    tide_bind_new(L, (struct tide_object *)thread);
    tide_handle_register(L, -1); /* enumerate and current find it */
    return thread;
}

static void must(lua_State *L, int result)
{
    if (result == TIDE_ENOMEM)
        luaL_error(L, "not enough memory");
}

static void start_now(lua_State *L, struct tide_thread *thread)
{
    int result = TIDE_ECANCELED;
    if (tide_program_closing())
        luaL_error(L, "cannot start thread '%s': the program is ending", tide_thread_name(thread));
    result = tide_thread_launch(thread);
    if (result == TIDE_EAGAIN)
        luaL_error(L, "cannot start thread '%s': it was started before; make a new one", tide_thread_name(thread));
    if (result == TIDE_ECANCELED)
        luaL_error(L, "cannot start thread '%s': it was cancelled before its start", tide_thread_name(thread));
}

/* in: the list of arguments on top. out: its values in its place; returns how many */
static int push_list(lua_State *L)
{
    int list = lua_gettop(L), exact = 1;
    lua_Integer n = (lua_Integer)lua_rawlen(L, list);
    lua_getfield(L, list, "n");
    if (!lua_isnil(L, -1))
        n = lua_tointegerx(L, -1, &exact);
    lua_pop(L, 1);
    if (!exact || n < 0 || n > 1000000)
        luaL_argerror(L, 1, "option 'args': its field n is no number of arguments");
    luaL_checkstack(L, (int)n + 2, "too many arguments");
    for (lua_Integer i = 1; i <= n; i++)
        lua_rawgeti(L, list, i);
    lua_remove(L, list);
    return (int)n;
}

static bool push_table_option(lua_State *L, int arg, const char *key)
{
    int type = lua_getfield(L, arg, key);
    if (type == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    if (type != LUA_TTABLE) {
        lua_pushfstring(L, "option '%s': a table expected, got a %s", key, luaL_typename(L, -1));
        luaL_argerror(L, arg, lua_tostring(L, -1));
    }
    return true;
}

/* __call of tm.thread. Stack: 1 the options, 2 the handle, 3 the target, then the arguments. */
static int new(lua_State *L)
{
    static const char *const keys[] = {"target", "args", "kwargs", "name", "daemon", NULL};
    int count = 0;
    lua_remove(L, 1);
    lua_settop(L, 1);
    if (!tide_bind_options(L, 1, keys))
        luaL_argerror(L, 1, "a table of options expected, with a target");
    const char *name = tide_bind_string(L, 1, "name", NULL);
    struct tide_thread *thread = make(L);
    if (!tide_bind_function(L, 1, "target"))
        luaL_argerror(L, 1, "option 'target': a function expected, got nothing");
    must(L, tide_thread_set_daemon(thread, tide_bind_boolean(L, 1, "daemon", atomic_load(&thread->daemon))));
    if (push_table_option(L, 1, "args"))
        count = push_list(L);
    if (push_table_option(L, 1, "kwargs"))
        count++;
    tide_future_prepare(L, &thread->future, 3, count);
    must(L, name ? tide_thread_set_name(thread, name) : tide_thread_name_after(thread, thread->future.name));
    lua_settop(L, 2);
    return 1;
}

static int spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int count = lua_gettop(L) - 1;
    struct tide_thread *thread = make(L);
    lua_insert(L, 1);
    tide_future_prepare(L, &thread->future, 2, count);
    must(L, tide_thread_name_after(thread, thread->future.name));
    start_now(L, thread);
    lua_settop(L, 1);
    return 1;
}

/* Stack: 1 the handle, 2 the instance. Its call is the runner with the instance, copied now. */
static void prepare_instance(lua_State *L, struct tide_thread *thread)
{
    if (lua_getfield(L, 2, "run") != LUA_TFUNCTION)
        luaL_error(L, "cannot start thread '%s': its class has no method 'run'", tide_thread_name(thread));
    if (tide_thread_phase(thread) != TIDE_THREAD_NEW)
        return;
    tide_message_unref(tide_future_take_call(&thread->future)); /* of a start that was refused */
    tide_message_unref(thread->future.code);
    thread->future.code = NULL;
    lua_settop(L, 2);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &runner);
    lua_pushvalue(L, 2);
    tide_future_prepare(L, &thread->future, 3, 1);
}

static int start(lua_State *L)
{
    struct tide_thread *thread = check_own(L, "start");
    bool instance = lua_istable(L, 2);
    if (instance)
        prepare_instance(L, thread);
    start_now(L, thread);
    lua_settop(L, instance ? 2 : 1);
    return 1;
}

/* ---- instances ---- */

/* thread.bind(instance, name of the class, daemon): gives it a thread, and returns it. */
static int bind_instance(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = luaL_checkstring(L, 2);
    lua_settop(L, 3);
    struct tide_thread *thread = make(L);
    if (lua_isboolean(L, 3))
        tide_thread_set_daemon(thread, lua_toboolean(L, 3));
    must(L, tide_thread_name_after(thread, name));
    lua_rawgetp(L, LUA_REGISTRYINDEX, &instances);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 4);
    lua_rawset(L, -3);
    lua_settop(L, 1);
    return 1;
}

/* thread.enter(instance): the copy that the running thread works on. */
static int enter_instance(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    struct tide_thread *own = tide_thread_own(L);
    if (!own)
        return luaL_error(L, "no thread runs here");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &instances);
    lua_pushvalue(L, 1);
    tide_handle_push(L, &own->future.object);
    lua_rawset(L, -3);
    return 0;
}

static int set_runner(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &runner);
    return 0;
}

/* The runner's first two results at `fields` and behind: the fields of the copy, and the keys that it lost. Stack: 2 the
 * instance. */
static void write_back(lua_State *L, int fields)
{
    for (lua_pushnil(L); lua_next(L, fields);) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        if (lua_rawequal(L, -1, fields)) { /* the copy itself is the instance here */
            lua_pop(L, 1);
            lua_pushvalue(L, 2);
        }
        lua_rawset(L, 2);
    }
    for (lua_Integer i = 1; lua_rawgeti(L, fields + 1, i) != LUA_TNIL; i++) {
        lua_pushnil(L);
        lua_rawset(L, 2);
    }
    lua_pop(L, 1);
}

/* Its thread ended well: the fields come back, once. Stack: 1 the handle, 2 the instance or nil. */
static void collect(lua_State *L, struct tide_thread *thread)
{
    if (!lua_istable(L, 2) || thread->collected || tide_future_state(&thread->future) != TIDE_FUTURE_DONE)
        return;
    int top = lua_gettop(L);
    tide_future_outcome(L, 1, &thread->future);
    if (!thread->collected) { /* still: decoding may have waited */
        thread->collected = true;
        write_back(L, top + 1);
    }
    lua_settop(L, top);
}

/* ---- waiting ----
 * Stack: 1 the handle, 2 the instance or nil. */

enum { ASK_JOIN, ASK_RESULT, ASK_ERROR };

static struct tide_task *edge_owner(struct tide_object *object)
{
    return tide_future_task((struct tide_future *)(void *)object);
}

static void edge_describe(struct tide_object *object, struct tide_strbuf *out)
{
    tide_strbuf_printf(out, "thread '%s'", tide_thread_name((struct tide_thread *)(void *)object));
}

static const struct tide_edge_class edges[] = {
    {"the end of", edge_owner, edge_describe},
    {"the result of", edge_owner, edge_describe},
    {"the error of", edge_owner, edge_describe},
};

static int answer(lua_State *L, struct tide_thread *thread, int what)
{
    collect(L, thread);
    if (what == ASK_JOIN) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (what == ASK_ERROR)
        return tide_future_outcome_error(L, 1, &thread->future);
    int count = tide_future_outcome(L, 1, &thread->future);
    return lua_istable(L, 2) ? count - 2 : count;
}

static int wait_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_thread *thread = thread_at(L, 1);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_future_leave(&thread->future, &task->waiter);
    tide_future_resume_own(task);
    bool ended = how == TIDE_WAIT_WOKEN || (how == TIDE_WAIT_TIMED_OUT && tide_future_done(&thread->future));
    if (context != ASK_JOIN && ended)
        tide_thread_answered(thread);
    else if (context != ASK_JOIN)
        tide_thread_gave_up(thread);
    tide_await_check(L, how);
    if (ended)
        return answer(L, thread, (int)context);
    if (context != ASK_JOIN)
        return tide_bind_raise_timeout(L, "timeout: the thread has not ended");
    lua_pushboolean(L, 0);
    return 1;
}

static int heard(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    tide_await_check(L, tide_await_end(L));
    return answer(L, thread_at(L, 1), (int)context);
}

/* It has ended, nobody has waited. A failure may be on its way to an excepthook of this state, as mail that was not looked at
 * yet: it has its turn first, so that who joined finds it told. */
static int answer_now(lua_State *L, struct tide_thread *thread, int what)
{
    if (what != ASK_JOIN || tide_future_state(&thread->future) != TIDE_FUTURE_FAILED)
        return answer(L, thread, what);
    tide_wait_begin(tide_await_prepare(L));
    struct tide_await how = {.deadline = tide_deadline_after(0), .what = "its turn"};
    return tide_await(L, &how, what, heard);
}

static int ask(lua_State *L, int what, const char *deed)
{
    int64_t deadline = tide_await_deadline(L, 2);
    struct tide_thread *thread = check_own(L, deed);
    if (tide_thread_phase(thread) == TIDE_THREAD_NEW)
        return luaL_error(L, "cannot %s thread '%s': it was not started; call start() first", deed, tide_thread_name(thread));
    if (thread == tide_thread_own(L))
        return luaL_error(L, "cannot %s thread '%s': it is the one that runs, and would wait for itself", deed,
                          tide_thread_name(thread));
    lua_settop(L, 2);
    if (tide_future_done(&thread->future))
        return answer_now(L, thread, what);
    struct tide_task *task = tide_await_prepare(L);
    if (what != ASK_JOIN)
        tide_thread_ask(thread); /* nothing raises before wait_finish takes it back */
    tide_wait_begin(task);
    if (tide_future_enqueue(&thread->future, &task->waiter, task) && tide_await_skip(task)) {
        if (what != ASK_JOIN)
            tide_thread_answered(thread);
        return answer_now(L, thread, what);
    }
    tide_future_lend_own(task);
    struct tide_await how = {.deadline = deadline, .edge = &edges[what], .object = &thread->future.object};
    return tide_await(L, &how, what, wait_finish);
}

static int join(lua_State *L)
{
    return ask(L, ASK_JOIN, "join");
}

static int result(lua_State *L)
{
    return ask(L, ASK_RESULT, "ask for the result of");
}

static int error(lua_State *L)
{
    return ask(L, ASK_ERROR, "ask for the error of");
}

/* ---- the rest of the methods ---- */

static int is_alive(lua_State *L)
{
    lua_pushboolean(L, tide_thread_is_alive(check(L)));
    return 1;
}

static int traceback(lua_State *L)
{
    struct tide_future *future = &check_own(L, "ask for the traceback of")->future;
    lua_pushstring(L, tide_future_state(future) == TIDE_FUTURE_FAILED ? future->error : NULL);
    return 1;
}

static int cancel(lua_State *L)
{
    lua_pushboolean(L, tide_thread_cancel(check_own(L, "cancel")));
    return 1;
}

static int ignore(lua_State *L)
{
    tide_future_mark(&check_own(L, "ignore")->future, TIDE_FUTURE_IGNORED);
    lua_settop(L, lua_istable(L, 2) ? 2 : 1);
    return 1;
}

static const char *state_name(struct tide_thread *thread)
{
    static const char *const states[] = {"pending", "running", "done", "failed", "cancelled"};
    switch (tide_thread_phase(thread)) {
    case TIDE_THREAD_NEW: return "not started";
    case TIDE_THREAD_STANDS: return "running";
    case TIDE_THREAD_STOOD: return "ended";
    default: return states[tide_future_state(&thread->future)];
    }
}

static int tostring(lua_State *L)
{
    struct tide_thread *thread = check(L);
    lua_pushfstring(L, "thread '%s' (%s)", tide_thread_name(thread), state_name(thread));
    return 1;
}

/* ---- fields ---- */

static bool push_field(lua_State *L, struct tide_thread *thread, const char *key)
{
    if (strcmp(key, "name") == 0) {
        lua_pushstring(L, tide_thread_name(thread));
    } else if (strcmp(key, "daemon") == 0) {
        lua_pushboolean(L, atomic_load(&thread->daemon));
    } else if (strcmp(key, "id") == 0) {
        uint32_t id = atomic_load(&thread->id);
        if (id)
            lua_pushinteger(L, id);
        else
            lua_pushnil(L);
    } else {
        return false;
    }
    return true;
}

/* __index of handles. Upvalue 1: the methods. */
static int handle_index(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    return push_field(L, thread_at(L, 1), lua_tostring(L, 2));
}

/* __index of instances: the class, then the fields of its thread. */
static int instance_index(lua_State *L)
{
    lua_settop(L, 2);
    if (!lua_istable(L, 1) || !lua_getmetatable(L, 1))
        return 0;
    lua_pushvalue(L, 2);
    if (lua_gettable(L, 3) != LUA_TNIL || lua_type(L, 2) != LUA_TSTRING)
        return 1;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &instances);
    lua_pushvalue(L, 1);
    lua_rawget(L, -2);
    struct tide_thread *thread = thread_at(L, -1);
    return thread && push_field(L, thread, lua_tostring(L, 2));
}

static int refuse_late(lua_State *L, struct tide_thread *thread, int result, const char *what)
{
    must(L, result);
    if (result == TIDE_EAGAIN)
        return luaL_error(L, "cannot set the %s of thread '%s': it has been started", what, tide_thread_name(thread));
    return 0;
}

static bool set_field(lua_State *L, struct tide_thread *thread, const char *key, int value)
{
    if (strcmp(key, "name") == 0) {
        if (lua_type(L, value) != LUA_TSTRING)
            luaL_error(L, "cannot set the name of a thread: a string expected, got a %s", luaL_typename(L, value));
        refuse_late(L, thread, tide_thread_set_name(thread, lua_tostring(L, value)), key);
    } else if (strcmp(key, "daemon") == 0) {
        if (!lua_isboolean(L, value))
            luaL_error(L, "cannot set the daemon flag of a thread: true or false expected, got a %s", luaL_typename(L, value));
        refuse_late(L, thread, tide_thread_set_daemon(thread, lua_toboolean(L, value)), "daemon flag");
    } else if (strcmp(key, "id") == 0) {
        luaL_error(L, "cannot set the id of a thread: it has a number of its own; choose another name for the field");
    } else {
        return false;
    }
    return true;
}

/* __newindex of handles and of instances. */
static int newindex(lua_State *L)
{
    lua_settop(L, 3);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    bool instance = lua_istable(L, 1);
    struct tide_thread *thread = thread_at(L, 1);
    if (instance) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &instances);
        lua_pushvalue(L, 1);
        lua_rawget(L, -2);
        thread = thread_at(L, -1);
    }
    if (thread && set_field(L, thread, key, 3))
        return 0;
    if (!instance)
        return luaL_error(L, "a thread has no field '%s' to set (known: name daemon)", luaL_tolstring(L, 2, NULL));
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 0;
}

/* ---- opening ---- */

static const luaL_Reg methods[] = {
    {"start", start},         {"join", join},     {"result", result}, {"error", error}, {"is_alive", is_alive},
    {"traceback", traceback}, {"cancel", cancel}, {"ignore", ignore}, {NULL, NULL},
};

static void open_class(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__newindex", newindex}, {"__tostring", tostring}, {NULL, NULL}};
    lua_newtable(L);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_pushcclosure(L, handle_index, 1);
    lua_setfield(L, -2, "__index");
    tide_handle_class(L, &tide_thread_class);
    tide_thread_list_open(L);
}

/* core.thread: what lua/tidemill/thread.lua is made of, methods included: names of functions are found so deep, not deeper. */
static void open_parts(lua_State *L)
{
    static const luaL_Reg parts[] = {
        {"new", new},
        {"current", tide_thread_current},
        {"main", tide_thread_push_main},
        {"enumerate", tide_thread_enumerate},
        {"active_count", tide_thread_active_count},
        {"set_excepthook", tide_excepthook_set},
        {"bind", bind_instance},
        {"enter", enter_instance},
        {"set_runner", set_runner},
        {"index", instance_index},
        {"newindex", newindex},
        {"tostring", tostring},
        {NULL, NULL},
    };
    luaL_newlib(L, parts);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "thread");
}

void tide_open_thread(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &instances);
    open_class(L);
    open_parts(L);
    lua_pushcfunction(L, spawn);
    lua_setfield(L, -2, "spawn");
}
