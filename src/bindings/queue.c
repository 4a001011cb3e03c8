/* tm.queue, tm.lifo_queue, tm.priority_queue: one class of methods; those of a priority queue take and give a number beside
 * each item. */
#include "sync/queue.h"

#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/items.h"
#include "bindings/module.h"
#include "sched/worker.h"

#include <limits.h>
#include <math.h>

static struct tide_queue *check(lua_State *L, int arg)
{
    struct tide_object *object = tide_handle_test(L, arg, NULL);
    if (!object || !tide_is_queue(object))
        luaL_typeerror(L, arg, "queue");
    return (struct tide_queue *)(void *)object;
}

static bool ranked(const struct tide_queue *queue)
{
    return queue->order == TIDE_QUEUE_PRIORITY;
}

/* Whether the number at `index` is the same as a float: integers beyond 2^53 need not be. */
static bool exact_priority(lua_State *L, int index)
{
    double priority = lua_tonumber(L, index);
    return !lua_isinteger(L, index) || (priority < 0x1p63 && (lua_Integer)priority == lua_tointeger(L, index));
}

static double check_priority(lua_State *L, int arg)
{
    double priority = luaL_checknumber(L, arg);
    luaL_argcheck(L, !isnan(priority), arg, "priority is NaN");
    luaL_argcheck(L, exact_priority(L, arg), arg, "priority is an integer beyond 2^53, which a float does not hold");
    return priority;
}

static int push_reason(lua_State *L, const char *reason)
{
    lua_pushnil(L);
    lua_pushstring(L, reason);
    return 2;
}

static bool over(int64_t deadline)
{
    return deadline != TIDE_NEVER && deadline <= tide_now_ns();
}

/* ---- tm.queue([maxsize or options]) ---- */

static int new(lua_State *L, enum tide_queue_order order)
{
    static const char *const keys[] = {"maxsize", "name", NULL};
    lua_Integer maxsize = 0;
    const char *name = NULL;
    if (lua_type(L, 1) == LUA_TNUMBER) {
        maxsize = luaL_checkinteger(L, 1);
        luaL_argcheck(L, maxsize >= 0, 1, "maxsize is negative; 0 or nil means no limit");
    } else if (tide_bind_options(L, 1, keys)) {
        maxsize = tide_bind_integer(L, 1, "maxsize", 0, LUA_MAXINTEGER, 0);
        name = tide_bind_string(L, 1, "name", NULL);
    }
    return tide_bind_new(L, (struct tide_object *)tide_queue_new(order, (size_t)maxsize, name));
}

static int new_fifo(lua_State *L)
{
    return new(L, TIDE_QUEUE_FIFO);
}

static int new_lifo(lua_State *L)
{
    return new(L, TIDE_QUEUE_LIFO);
}

static int new_priority(lua_State *L)
{
    return new(L, TIDE_QUEUE_PRIORITY);
}

/* ---- waiting ----
 * One item waits in the task's own waiter; a batch, and one item with a priority, in a hand, which stands at HAND on the stack
 * of the wait. The context is the deadline. */

enum { HAND = 4 };

/* Queues and waits; -1: no wait is needed, look again. `item`, where there is one, is put, or dropped. */
static int wait_for(lua_State *L, struct tide_queue *queue, enum tide_queue_want want, struct tide_batch *batch,
                    struct tide_item *item, int64_t deadline, lua_KFunction finish)
{
    struct tide_task *task = tide_task_of(L);
    int ready = 0;
    tide_wait_begin(task);
    switch (want) {
    case TIDE_QUEUE_ITEM: ready = tide_queue_enqueue_get(queue, &task->waiter, task, batch); break;
    case TIDE_QUEUE_ROOM: ready = tide_queue_enqueue_put(queue, &task->waiter, task, batch, item); break;
    case TIDE_QUEUE_END: ready = tide_queue_enqueue_join(queue, &task->waiter, task); break;
    }
    if (ready && item)
        tide_item_drop(item);
    if (ready && tide_await_skip(task))
        return -1;
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = queue->wants[want]}, (lua_KContext)deadline,
                      finish);
}

/* Closes the wait: true if it was woken, false if its time is over; raises if it was interrupted. What was handed over is in
 * *item, or what was not taken; it is dropped unless the wait was woken. */
static bool end_wait(lua_State *L, struct tide_queue *queue, struct tide_item *item)
{
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    if (how != TIDE_WAIT_WOKEN)
        tide_queue_leave(queue, &task->waiter);
    *item = tide_item_take(&task->waiter.item);
    if (how == TIDE_WAIT_WOKEN)
        return true;
    tide_item_drop(item);
    tide_await_check(L, how);
    return false;
}

/* ---- put(item [, timeout]); with a priority put(item, priority [, timeout]) ---- */

static int put_answer(lua_State *L, int result)
{
    switch (result) {
    case 0: lua_pushboolean(L, 1); return 1;
    case TIDE_EAGAIN: return push_reason(L, "full");
    case TIDE_ESHUTDOWN: return push_reason(L, "shutdown");
    default: return luaL_error(L, "not enough memory");
    }
}

static int put_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_queue *queue = check(L, 1);
    struct tide_item item;
    if (!end_wait(L, queue, &item))
        return tide_bind_timed_out(L);
    bool moved = ranked(queue) ? ((struct tide_hand *)lua_touserdata(L, HAND))->batch.done == 1 : item.kind == TIDE_ITEM_NONE;
    tide_item_drop(&item);
    return put_answer(L, moved ? 0 : TIDE_ESHUTDOWN);
}

/* Waits for room, if it still is to be waited for: else -1. Nothing is in hand where the wait is prepared, which may raise. */
static int put_wait(lua_State *L, struct tide_queue *queue, double priority, int64_t deadline)
{
    tide_await_prepare(L);
    lua_settop(L, HAND - 1);
    if (!ranked(queue)) {
        struct tide_item item = tide_items_check(L, 2);
        return wait_for(L, queue, TIDE_QUEUE_ROOM, NULL, &item, deadline, put_finish);
    }
    struct tide_hand *hand = tide_items_hand(L, 1, true);
    hand->items[0] = tide_items_check(L, 2);
    hand->batch.priorities[0] = priority;
    return wait_for(L, queue, TIDE_QUEUE_ROOM, &hand->batch, NULL, deadline, put_finish);
}

static int try_to_put(lua_State *L, struct tide_queue *queue, double priority)
{
    struct tide_item item = tide_items_check(L, 2);
    struct tide_batch batch = {.items = &item, .priorities = &priority, .count = 1};
    int result = tide_queue_put(queue, &batch);
    if (result != 0)
        tide_item_drop(&item);
    return result;
}

static int put(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    double priority = ranked(queue) ? check_priority(L, 3) : 0;
    int64_t deadline = tide_await_deadline(L, ranked(queue) ? 4 : 3);
    if (lua_isnoneornil(L, 2))
        return luaL_argerror(L, 2, "nil is no item; false is one");
    for (;;) {
        /* A queue that looks full is not tried: the item is packed once, for the wait. */
        int result = tide_queue_full(queue) ? TIDE_EAGAIN : try_to_put(L, queue, priority);
        if (result == TIDE_EAGAIN && tide_queue_is_shut(queue))
            result = TIDE_ESHUTDOWN;
        if (result != TIDE_EAGAIN)
            return put_answer(L, result);
        if (over(deadline))
            return tide_bind_timed_out(L);
        int results = put_wait(L, queue, priority, deadline);
        if (results >= 0)
            return results;
    }
}

static int try_put(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    double priority = ranked(queue) ? check_priority(L, 3) : 0;
    return put_answer(L, try_to_put(L, queue, priority));
}

/* ---- get([timeout]) ---- */

/* Pushes what was got; the item is dropped. */
static int push_got(lua_State *L, struct tide_queue *queue, struct tide_item item, double priority)
{
    tide_items_push(L, item);
    if (!ranked(queue))
        return 1;
    tide_items_push_priority(L, priority);
    return 2;
}

static int get_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_queue *queue = check(L, 1);
    struct tide_item item;
    double priority = 0;
    if (!end_wait(L, queue, &item))
        return tide_bind_timed_out(L);
    if (ranked(queue)) {
        struct tide_batch *batch = &((struct tide_hand *)lua_touserdata(L, HAND))->batch;
        item = tide_item_take(&batch->items[0]);
        priority = batch->priorities[0];
    }
    return item.kind == TIDE_ITEM_NONE ? push_reason(L, "shutdown") : push_got(L, queue, item, priority);
}

static int get_until(lua_State *L, struct tide_queue *queue, int64_t deadline)
{
    for (;;) {
        struct tide_item item;
        double priority = 0;
        struct tide_batch batch = {.items = &item, .priorities = ranked(queue) ? &priority : NULL, .count = 1};
        int result = tide_queue_get(queue, &batch);
        if (result == 0)
            return push_got(L, queue, item, priority);
        if (result == TIDE_ESHUTDOWN)
            return push_reason(L, "shutdown");
        if (over(deadline))
            return tide_bind_timed_out(L);
        tide_await_prepare(L);
        lua_settop(L, HAND - 1);
        struct tide_batch *place = ranked(queue) ? &tide_items_hand(L, 1, true)->batch : NULL;
        int results = wait_for(L, queue, TIDE_QUEUE_ITEM, place, NULL, deadline, get_finish);
        if (results >= 0)
            return results;
    }
}

static int get(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    return get_until(L, queue, tide_await_deadline(L, 2));
}

/* __call: what `for item in queue do` calls, with two arguments that mean nothing here. */
static int next(lua_State *L)
{
    return get_until(L, check(L, 1), TIDE_NEVER);
}

static int try_get(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    struct tide_item item;
    double priority = 0;
    struct tide_batch batch = {.items = &item, .priorities = ranked(queue) ? &priority : NULL, .count = 1};
    int result = tide_queue_get(queue, &batch);
    if (result == 0)
        return push_got(L, queue, item, priority);
    return push_reason(L, result == TIDE_ESHUTDOWN ? "shutdown" : "empty");
}

/* ---- put_many(items [, timeout]); with priorities put_many(items, priorities [, timeout]) ---- */

/* The priorities at `arg`: one number for all, or a list with one for each. */
static void check_priorities(lua_State *L, int arg, struct tide_batch *batch)
{
    if (lua_type(L, arg) == LUA_TNUMBER) {
        double priority = check_priority(L, arg);
        for (size_t i = 0; i < batch->count; i++)
            batch->priorities[i] = priority;
        return;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    luaL_argcheck(L, lua_rawlen(L, arg) == batch->count, arg, "as many priorities as items expected");
    for (size_t i = 0; i < batch->count; i++) {
        int exact = lua_rawgeti(L, arg, (lua_Integer)i + 1) == LUA_TNUMBER;
        batch->priorities[i] = lua_tonumber(L, -1);
        if (!exact || isnan(batch->priorities[i]) || !exact_priority(L, -1))
            luaL_argerror(L, arg, lua_pushfstring(L, "priority %I is no number that can be compared", (LUAI_UACINT)i + 1));
        lua_pop(L, 1);
    }
}

static int put_many_answer(lua_State *L, struct tide_batch *batch, const char *reason)
{
    lua_pushinteger(L, (lua_Integer)batch->done);
    if (!reason)
        return 1;
    lua_pushstring(L, reason);
    return 2;
}

static int put_rest(lua_State *L, struct tide_queue *queue, int64_t deadline);

/* Where the wait was a nested loop, put_rest is still on the C stack and goes on itself: -1. */
static int put_rest_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_queue *queue = check(L, 1);
    struct tide_hand *hand = lua_touserdata(L, HAND);
    struct tide_item none;
    if (!end_wait(L, queue, &none))
        return put_many_answer(L, &hand->batch, "timeout");
    return hand->loops ? -1 : put_rest(L, queue, (int64_t)context);
}

static int put_rest(lua_State *L, struct tide_queue *queue, int64_t deadline)
{
    struct tide_hand *hand = lua_touserdata(L, HAND);
    for (;;) {
        int result = tide_queue_put(queue, &hand->batch);
        if (result == 0)
            return put_many_answer(L, &hand->batch, NULL);
        if (result == TIDE_ESHUTDOWN)
            return put_many_answer(L, &hand->batch, "shutdown");
        if (result == TIDE_ENOMEM)
            return luaL_error(L, "not enough memory");
        if (over(deadline))
            return put_many_answer(L, &hand->batch, "timeout");
        tide_await_prepare(L);
        hand->loops = !tide_worker_can_yield(tide_worker_of(L));
        int results = wait_for(L, queue, TIDE_QUEUE_ROOM, &hand->batch, NULL, deadline, put_rest_finish);
        if (results >= 0)
            return results;
    }
}

static int put_many(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    int64_t deadline = tide_await_deadline(L, ranked(queue) ? 4 : 3);
    lua_settop(L, HAND - 1);
    struct tide_hand *hand = tide_items_of_list(L, 2, ranked(queue));
    if (ranked(queue))
        check_priorities(L, 3, &hand->batch);
    return put_rest(L, queue, deadline);
}

/* ---- get_many([max [, timeout]]) ---- */

static int get_many_answer(lua_State *L, struct tide_queue *queue, struct tide_hand *hand)
{
    struct tide_batch *batch = &hand->batch;
    tide_items_push_list(L, hand, batch->done);
    if (!ranked(queue))
        return 1;
    lua_createtable(L, (int)batch->done, 0);
    for (size_t i = 0; i < batch->done; i++) {
        tide_items_push_priority(L, batch->priorities[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 2;
}

static int get_many_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_queue *queue = check(L, 1);
    struct tide_hand *hand = lua_touserdata(L, HAND);
    struct tide_item none;
    if (!end_wait(L, queue, &none))
        return tide_bind_timed_out(L);
    if (hand->batch.done == 0)
        return push_reason(L, "shutdown");
    if (hand->batch.done < hand->batch.count) /* what came between the wake-up and now */
        tide_queue_get(queue, &hand->batch);
    return get_many_answer(L, queue, hand);
}

static int get_many(lua_State *L)
{
    enum { PLACES = 64 }; /* at least, for a wait */
    struct tide_queue *queue = check(L, 1);
    lua_Integer max = luaL_optinteger(L, 2, INT_MAX);
    luaL_argcheck(L, max >= 1, 2, "at least 1 expected");
    int64_t deadline = tide_await_deadline(L, 3);
    for (;;) {
        size_t places = tide_queue_count(queue);
        places = places < PLACES ? PLACES : places;
        lua_settop(L, HAND - 1);
        struct tide_hand *hand = tide_items_hand(L, (lua_Integer)places < max ? places : (size_t)max, ranked(queue));
        int result = tide_queue_get(queue, &hand->batch);
        if (result == 0)
            return get_many_answer(L, queue, hand);
        if (result == TIDE_ESHUTDOWN)
            return push_reason(L, "shutdown");
        if (over(deadline))
            return tide_bind_timed_out(L);
        tide_await_prepare(L);
        int results = wait_for(L, queue, TIDE_QUEUE_ITEM, &hand->batch, NULL, deadline, get_many_finish);
        if (results >= 0)
            return results;
    }
}

/* ---- the end ---- */

static int task_done(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    lua_Integer count = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, count >= 1, 2, "at least 1 expected");
    if (tide_queue_done(queue, (size_t)count) != 0)
        return luaL_error(L, "task_done called more often than items were got: call it once for each item that get returned");
    return 0;
}

static int join_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_item none;
    lua_pushboolean(L, end_wait(L, check(L, 1), &none));
    return 1;
}

static int join(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    while (tide_queue_unfinished(queue) > 0) {
        if (over(deadline)) {
            lua_pushboolean(L, 0);
            return 1;
        }
        tide_await_prepare(L);
        lua_settop(L, 1);
        int results = wait_for(L, queue, TIDE_QUEUE_END, NULL, NULL, deadline, join_finish);
        if (results >= 0)
            return results;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int shutdown(lua_State *L)
{
    static const char *const keys[] = {"immediate", NULL};
    struct tide_queue *queue = check(L, 1);
    tide_bind_options(L, 2, keys);
    tide_queue_shut(queue, tide_bind_boolean(L, 2, "immediate", false));
    return 0;
}

/* ---- asking ---- */

static int is_shutdown(lua_State *L)
{
    lua_pushboolean(L, tide_queue_is_shut(check(L, 1)));
    return 1;
}

static int length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)tide_queue_count(check(L, 1)));
    return 1;
}

static int is_empty(lua_State *L)
{
    lua_pushboolean(L, tide_queue_count(check(L, 1)) == 0);
    return 1;
}

static int is_full(lua_State *L)
{
    lua_pushboolean(L, tide_queue_full(check(L, 1)));
    return 1;
}

static int maxsize(lua_State *L)
{
    struct tide_queue *queue = check(L, 1);
    lua_pushinteger(L, queue->maxsize == SIZE_MAX ? 0 : (lua_Integer)queue->maxsize);
    return 1;
}

static int iter(lua_State *L)
{
    check(L, 1);
    lua_settop(L, 1);
    return 1;
}

static int tostring(lua_State *L)
{
    static const char *const names[] = {"queue", "lifo_queue", "priority_queue"};
    struct tide_queue *queue = check(L, 1);
    lua_pushstring(L, names[queue->order]);
    if (queue->name)
        lua_pushfstring(L, " '%s'", queue->name);
    else
        lua_pushliteral(L, "");
    lua_pushfstring(L, " (%I", (LUAI_UACINT)tide_queue_count(queue));
    if (queue->maxsize == SIZE_MAX)
        lua_pushliteral(L, " inside");
    else
        lua_pushfstring(L, " of %I inside", (LUAI_UACINT)queue->maxsize);
    lua_pushstring(L, tide_queue_is_shut(queue) ? ", shut down)" : ")");
    lua_concat(L, 5);
    return 1;
}

void tide_open_queue(lua_State *L)
{
    static const luaL_Reg methods[] = {{"put", put},           {"try_put", try_put},         {"put_many", put_many},
                                       {"get", get},           {"try_get", try_get},         {"get_many", get_many},
                                       {"iter", iter},         {"task_done", task_done},     {"join", join},
                                       {"shutdown", shutdown}, {"is_shutdown", is_shutdown}, {"empty", is_empty},
                                       {"full", is_full},      {"maxsize", maxsize},         {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__call", next}, {"__len", length}, {"__tostring", tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"queue", new_fifo}, {"lifo_queue", new_lifo}, {"priority_queue", new_priority}, {NULL, NULL}};
    tide_items_open(L);
    tide_bind_class(L, &tide_queue_class, methods, meta);
    tide_bind_class(L, &tide_lifo_queue_class, methods, meta);
    tide_bind_class(L, &tide_priority_queue_class, methods, meta);
    luaL_setfuncs(L, functions, 0);
}
