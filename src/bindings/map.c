/* executor:map: the runner of a batch, and the iterator that its consumer takes values from. */
#include "exec/batch.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/executor.h"
#include "bindings/future.h"
#include "bindings/initializer.h"
#include "bindings/module.h"
#include "bindings/program.h"
#include "bindings/protect.h"
#include "sync/lock.h"
#include "transport/pack.h"

/* ---- the runner ----
 * Stack of a batch's base frame: 1 the batch (light), 2 the message handler, then what pcallk returns. Of its body: 1 the
 * batch, 2 the function. Items must not tell how they were batched: one function serves several only where nobody can tell. */

static void split(struct tide_task *task)
{
    struct tide_future *future = tide_call_future(task);
    if (future)
        tide_batch_split((struct tide_batch *)(void *)future);
}

static int run_items(lua_State *L, int status, lua_KContext context)
{
    struct tide_batch *batch = lua_touserdata(L, 1);
    struct tide_task *task = tide_task_of(L);
    bool called = context, reusable = ((struct tide_code *)(void *)batch->future.code)->reusable;
    for (;;) {
        if (called) {
            tide_lock_abandon_all(task); /* what an item leaves locked the next one does not hold */
            if (tide_packer_try(L, -1, "result") != 0 || tide_call_captures_changed(L, 2, &batch->future))
                return lua_error(L);
            batch->produced++;
            lua_settop(L, reusable ? 2 : 1);
        }
        if (!tide_batch_next(batch))
            return 0;
        if (lua_gettop(L) == 1)
            tide_call_function(L, &batch->future);
        struct tide_cursor cursor = {(struct tide_parcel *)(void *)batch->items, (size_t)batch->offset};
        lua_pushvalue(L, 2);
        if (!tide_cursor_next(L, &cursor))
            return luaL_error(L, "corrupt message: a batch ends early");
        batch->offset = cursor.at;
        task->on_block = split;
        called = true;
        lua_callk(L, 1, 1, 1, run_items);
    }
    (void)status;
}

static int body(lua_State *L)
{
    tide_packer_begin(L);
    return run_items(L, LUA_OK, 0);
}

static int batch_finish(lua_State *L, int status, lua_KContext context)
{
    struct tide_batch *batch = lua_touserdata(L, 1);
    struct tide_state *state = tide_state_of(L);
    struct tide_task *task = tide_task_of(L);
    struct tide_message *error = NULL;
    enum tide_future_state how = TIDE_FUTURE_DONE;
    (void)context;
    task->on_block = NULL;
    tide_lock_abandon_all(task);
    if (task->unwinding == &task->root) {
        how = TIDE_FUTURE_CANCELLED;
    } else if (status != LUA_OK && status != LUA_YIELD) {
        how = TIDE_FUTURE_FAILED;
        state->memory.reserve = true;
        error = tide_call_pack_error(L);
    }
    uint32_t produced = batch->produced;
    struct tide_parcel *values = produced ? tide_packer_finish(L) : NULL;
    state->memory.reserve = false;
    tide_batch_finish(batch, how, values ? &values->base : NULL, produced, error,
                      how == TIDE_FUTURE_FAILED ? tide_strbuf_detach(&state->trace) : NULL);
    return 0;
}

static int batch_run(lua_State *L)
{
    int result = 0;
    struct tide_batch *batch = lua_touserdata(L, 1);
    if (!tide_initializer_ready(L, &batch->future, batch_run, &result))
        return result;
    lua_pushcfunction(L, tide_call_traceback);
    lua_pushcfunction(L, body);
    lua_pushvalue(L, 1);
    int status = lua_pcallk(L, 1, 0, 2, 0, batch_finish);
    return batch_finish(L, status, 0);
}

static void complete(struct tide_future *future, enum tide_future_state state, struct tide_message *error, char *text)
{
    struct tide_batch *batch = (struct tide_batch *)(void *)future;
    tide_batch_finish(batch, state, NULL, 0, error, text);
}

static int begin(struct tide_future *future, struct tide_task *task)
{
    return tide_batch_begin((struct tide_batch *)(void *)future, task);
}

static const struct tide_call_sort batch_sort = {{batch_run, tide_call_future_ended, tide_call_future_name}, begin, complete};

static void batch_start(struct tide_entry *entry, struct tide_worker *worker)
{
    tide_call_start_sort(entry, worker, &batch_sort);
}

/* ---- the consumer ----
 * A userdata with two user values: 1 what items come from (a table, or a function), 2 nothing. */

static const char name[] = "tidemill.map";

struct mapping {
    struct tide_map *map;
    struct tide_batch *batch;       /* whose values are being handed out */
    struct tide_cursor cursor;
    uint32_t left;                  /* values of it not handed out */
    lua_Integer index;              /* of the next value, from 1 */
    lua_Integer next_item;          /* of a table, from 1 */
    int64_t deadline;
    bool fed_all, unordered;
};

static struct mapping *check(lua_State *L)
{
    return luaL_checkudata(L, 1, name);
}

static void drop_batch(struct mapping *m)
{
    if (m->batch)
        tide_object_unref(&m->batch->future.object);
    m->batch = NULL;
    m->left = 0;
}

static void end(struct mapping *m)
{
    drop_batch(m);
    if (!m->map)
        return;
    tide_map_end(m->map);
    tide_object_unref(&m->map->object);
    m->map = NULL;
}

static int finalize(lua_State *L)
{
    end(check(L));
    return 0;
}

/* Pulls one item: pushes it, or nothing at the end. */
static bool pull(lua_State *L, struct mapping *m)
{
    lua_getiuservalue(L, 1, 1);
    if (lua_type(L, -1) == LUA_TTABLE) {
        lua_geti(L, -1, m->next_item++);
    } else {
        lua_call(L, 0, 1); /* may wait: then in a nested loop, as this is called inside an iterator */
    }
    if (lua_istable(L, -2))
        lua_remove(L, -2);
    if (!lua_isnil(L, -1))
        return true;
    lua_pop(L, 1);
    m->fed_all = true;
    return false;
}

/* Encodes and submits items while the window has room. */
static void feed(lua_State *L, struct mapping *m)
{
    uint32_t room;
    while (!m->fed_all && (room = tide_map_room(m->map)) > 0) {
        uint32_t count = 0;
        tide_packer_begin(L);
        while (count < room && pull(L, m)) {
            tide_packer_add(L, -1);
            lua_pop(L, 1);
            count++;
        }
        if (!count)
            break;
        struct tide_parcel *items = tide_packer_finish(L);
        int failed = tide_map_feed(m->map, &items->base, count);
        if (failed) {
            tide_parcel_unref(items);
            if (failed == TIDE_ESHUTDOWN)
                tide_executor_refused(L, m->map->executor);
            luaL_error(L, "not enough memory");
        }
    }
}

/* The batch in hand has no more values: what ended it, if it was an error. */
static int finish_batch(lua_State *L, struct mapping *m)
{
    struct tide_future *future = &m->batch->future;
    enum tide_future_state state = tide_future_state(future);
    if (state == TIDE_FUTURE_DONE) {
        drop_batch(m);
        return 0;
    }
    if (state == TIDE_FUTURE_CANCELLED) {
        tide_cancel_push(L, TIDE_CANCEL_REQUESTED);
    } else {
        tide_future_push_error(L, future);
        tide_call_remote_trace(L, future, false);
    }
    end(m);
    return lua_error(L);
}

static int next(lua_State *L);

static int next_waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct mapping *m = check(L);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    tide_map_leave(m->map, &task->waiter);
    tide_future_resume_own(task);
    tide_await_check(L, how);
    if (how == TIDE_WAIT_TIMED_OUT) {
        end(m);
        return tide_bind_raise_timeout(L, "timeout: the map has not finished");
    }
    return next(L);
}

static int wait(lua_State *L, struct mapping *m)
{
    struct tide_task *task = tide_await_prepare(L);
    struct tide_future *awaited = tide_map_awaited(m->map);
    lua_settop(L, 1);
    if (awaited)
        tide_future_hurry(awaited, false);
    tide_wait_begin(task);
    if (tide_map_enqueue(m->map, &task->waiter, task) && tide_await_skip(task))
        return next(L);
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = m->deadline, .what = "items of a map"}, 0, next_waited);
}

/* Hands out the next value: index, value; nothing at the end. */
static int next(lua_State *L)
{
    struct mapping *m = check(L);
    lua_settop(L, 1);
    for (;;) {
        if (m->left) {
            m->left--;
            lua_pushinteger(L, m->index++);
            if (!tide_cursor_next(L, &m->cursor))
                return luaL_error(L, "corrupt message: results end early");
            return 2;
        }
        if (m->batch)
            finish_batch(L, m);
        if (!m->map)
            return 0;
        feed(L, m);
        m->batch = tide_map_take(m->map);
        if (m->batch) {
            m->cursor = (struct tide_cursor){(struct tide_parcel *)(void *)m->batch->values, 0};
            m->left = m->batch->produced;
            if (m->unordered)
                m->index = (lua_Integer)m->batch->first + 1;
            continue;
        }
        if (!tide_map_awaited(m->map)) {
            end(m);
            return 0;
        }
        return wait(L, m);
    }
}

static int collect_step(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    for (;;) {
        /* 1 map, 2 results, then what next returned */
        if (lua_gettop(L) < 4 || lua_isnil(L, 3)) {
            lua_settop(L, 2);
            return 1;
        }
        lua_settop(L, 4);
        lua_rawseti(L, 2, lua_tointeger(L, 3));
        lua_settop(L, 2);
        lua_pushcfunction(L, next);
        lua_pushvalue(L, 1);
        lua_callk(L, 1, LUA_MULTRET, 0, collect_step);
    }
}

static int collect(lua_State *L)
{
    check(L);
    lua_settop(L, 1);
    lua_toclose(L, 1); /* where an error or a cancellation passes, what is pending is cancelled */
    lua_newtable(L);
    lua_pushcfunction(L, next);
    lua_pushvalue(L, 1);
    lua_callk(L, 1, LUA_MULTRET, 0, collect_step);
    return collect_step(L, LUA_OK, 0);
}

static const char *const keys[] = {"timeout", "buffersize", "chunksize", "ordered", NULL};

int tide_map_method(lua_State *L)
{
    struct tide_executor *executor = tide_executor_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    bool table = lua_istable(L, 3);
    if (!table && !lua_isfunction(L, 3) && luaL_getmetafield(L, 3, "__call") == LUA_TNIL)
        return luaL_typeerror(L, 3, "table or iterator function");
    tide_bind_options(L, 4, keys);
    struct tide_map_options options = {
        .start = batch_start,
        .chunk = (uint32_t)tide_bind_integer(L, 4, "chunksize", 1, TIDE_MAP_MAX_CHUNK, 0),
        .window = (uint32_t)tide_bind_integer(L, 4, "buffersize", 1, 1 << 30, 0),
        .workers = (uint32_t)tide_worker_of(L)->runtime->options.workers,
        .unordered = !tide_bind_boolean(L, 4, "ordered", true),
        .total = table ? (uint64_t)luaL_len(L, 3) : 0,
    };
    int64_t deadline = tide_bind_deadline(L, 4, "timeout");
    if (tide_program_closing() || tide_executor_closed(executor))
        return tide_executor_refused(L, executor);
    struct mapping *m = lua_newuserdatauv(L, sizeof *m, 2);
    *m = (struct mapping){.index = 1, .next_item = 1, .deadline = deadline, .unordered = options.unordered};
    luaL_setmetatable(L, name);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 2);
    struct tide_code *code = tide_pack_function(L, 2);
    options.code = &code->base;
    options.name = tide_code_name(code);
    m->map = tide_map_new(executor, &options);
    tide_code_unref(code);
    if (!m->map)
        return luaL_error(L, "not enough memory");
    /* as a generic for takes them: iterator, state, control, and what it closes in the end */
    lua_pushnil(L);
    lua_pushnil(L);
    lua_pushvalue(L, -3);
    return 4;
}

static int call(lua_State *L)
{
    return next(L);
}

void tide_open_map(lua_State *L)
{
    static const luaL_Reg methods[] = {{"collect", collect}, {"next", next}, {"close", finalize}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__call", call}, {"__gc", finalize}, {"__close", finalize}, {NULL, NULL}};
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
