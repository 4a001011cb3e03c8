/* tm.select{ queue, future, event, …, timeout = seconds }: one wait on several objects.
 *
 * A waiter stands in the list of each. Nothing is moved before one of them is claimed, and only one can be: so at most one item
 * is taken, and that one is in the claimed waiter, whatever happens next. Where an object turns out to be ready while the
 * waiters are being queued, the wait is given up and all are looked at again from the first on.
 */
#include "base/error.h"
#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/future.h"
#include "bindings/items.h"
#include "bindings/module.h"
#include "sync/event.h"
#include "sync/queue.h"

#include <string.h>

static const char class_name[] = "tidemill.selection";

struct choice {
    struct tide_waiter waiter;
    struct tide_object *object;   /* counted */
    double priority;              /* of the item, where it is a priority queue */
    struct tide_batch place;      /* for the item: the waiter's own */
};

/* The userdata of a wait. */
struct selection {
    size_t count;
    bool lent;                    /* the task's slot: some of them are futures */
    struct choice choices[];
};

static int collect(lua_State *L)
{
    struct selection *s = lua_touserdata(L, 1);
    for (size_t i = 0; i < s->count; i++)
        tide_object_unref(s->choices[i].object);
    s->count = 0;
    return 0;
}

static struct tide_queue *as_queue(struct tide_object *object)
{
    return tide_is_queue(object) ? (struct tide_queue *)(void *)object : NULL;
}

static struct tide_future *as_future(struct tide_object *object)
{
    return object->class == &tide_future_class ? (struct tide_future *)(void *)object : NULL;
}

static struct tide_event *as_event(struct tide_object *object)
{
    return object->class == &tide_event_class ? (struct tide_event *)(void *)object : NULL;
}

/* ---- arguments ---- */

/* The object at `position`, or an argument error. The table keeps it, as long as nobody changes the table. */
static struct tide_object *check_object(lua_State *L, lua_Integer position)
{
    lua_rawgeti(L, 1, position);
    struct tide_object *object = tide_handle_test(L, -1, NULL);
    if (!object || !(tide_is_queue(object) || as_future(object) || as_event(object))) {
        const char *got = luaL_getmetafield(L, -1, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
        luaL_argerror(L, 1,
                      lua_pushfstring(L, "item %I: queue, future or event expected, got %s", (LUAI_UACINT)position, got));
    }
    lua_pop(L, 1);
    return object;
}

/* Checks the table; returns how many objects it lists. */
static lua_Integer check_table(lua_State *L, int64_t *deadline)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
    for (lua_pushnil(L); lua_next(L, 1);) {
        lua_pop(L, 1);
        if (lua_isinteger(L, -1) && lua_tointeger(L, -1) >= 1 && lua_tointeger(L, -1) <= count)
            continue;
        if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "timeout") == 0)
            continue;
        luaL_tolstring(L, -1, NULL);
        luaL_argerror(L, 1, lua_pushfstring(L, "unknown key '%s' (known: timeout, and the list of what is waited for)",
                                            lua_tostring(L, -1)));
    }
    *deadline = tide_bind_deadline(L, 1, "timeout");
    luaL_argcheck(L, count > 0, 1, "nothing to wait for: list at least one queue, future or event");
    for (lua_Integer i = 1; i <= count; i++)
        check_object(L, i);
    return count;
}

/* ---- answers ---- */

static int answer_shutdown(lua_State *L, lua_Integer position)
{
    lua_pushinteger(L, position);
    lua_pushnil(L);
    lua_pushliteral(L, "shutdown");
    return 3;
}

/* The item is dropped. */
static int answer_item(lua_State *L, lua_Integer position, struct tide_queue *queue, struct tide_item item, double priority)
{
    lua_pushinteger(L, position);
    tide_items_push(L, item);
    if (queue->order != TIDE_QUEUE_PRIORITY)
        return 2;
    tide_items_push_priority(L, priority);
    return 3;
}

/* What is no queue is ready: the future itself, or true. */
static int answer_object(lua_State *L, lua_Integer position, struct tide_object *object)
{
    lua_pushinteger(L, position);
    if (as_future(object)) {
        lua_rawgeti(L, 1, position); /* the userdata that was given, if the table still has it */
        if (tide_handle_test(L, -1, NULL) != object) {
            lua_pop(L, 1);
            tide_handle_push(L, object);
        }
    } else {
        lua_pushboolean(L, 1);
    }
    return 2;
}

/* The answer if the object at `position` is ready now; else 0. */
static int poll(lua_State *L, lua_Integer position)
{
    struct tide_object *object = check_object(L, position);
    struct tide_queue *queue = as_queue(object);
    if (!queue) {
        bool ready = as_future(object) ? tide_future_done(as_future(object)) : tide_event_is_set(as_event(object));
        return ready ? answer_object(L, position, object) : 0;
    }
    struct tide_item item;
    double priority = 0;
    struct tide_batch batch = {.items = &item, .priorities = &priority, .count = 1};
    int result = tide_queue_get(queue, &batch);
    if (result == TIDE_EAGAIN)
        return 0;
    return result == 0 ? answer_item(L, position, queue, item, priority) : answer_shutdown(L, position);
}

/* ---- the wait ----
 * Stack: 1 the table, 2 the selection. The context is the deadline. */

static int enqueue(struct choice *choice, struct tide_task *task)
{
    struct tide_object *object = choice->object;
    if (as_queue(object))
        return tide_queue_enqueue_get(as_queue(object), &choice->waiter, task, &choice->place);
    if (as_future(object))
        return tide_future_enqueue(as_future(object), &choice->waiter, task);
    return tide_event_enqueue(as_event(object), &choice->waiter, task);
}

static void leave(struct choice *choice)
{
    struct tide_object *object = choice->object;
    if (as_queue(object))
        tide_queue_leave(as_queue(object), &choice->waiter);
    else if (as_future(object))
        tide_future_leave(as_future(object), &choice->waiter);
    else
        tide_event_leave(as_event(object), &choice->waiter);
}

/* In: table, and anything behind it. Out: table, selection. */
static struct selection *push_selection(lua_State *L, lua_Integer count)
{
    lua_settop(L, 1);
    if ((size_t)count > SIZE_MAX / 4 / sizeof(struct choice))
        luaL_error(L, "not enough memory");
    struct selection *s = lua_newuserdatauv(L, sizeof *s + (size_t)count * sizeof s->choices[0], 0);
    *s = (struct selection){0};
    luaL_setmetatable(L, class_name);
    for (lua_Integer i = 1; i <= count; i++) {
        struct choice *choice = &s->choices[i - 1];
        *choice = (struct choice){.object = check_object(L, i)}; /* again: a finalizer may have changed the table */
        choice->place = (struct tide_batch){.items = &choice->waiter.item, .priorities = &choice->priority, .count = 1};
        tide_object_ref(choice->object);
        s->count = (size_t)i;
    }
    return s;
}

static int finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct selection *s = lua_touserdata(L, 2);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    for (size_t i = 0; i < s->count; i++)
        leave(&s->choices[i]);
    if (s->lent)
        tide_future_resume_own(task);
    if (how != TIDE_WAIT_WOKEN) {
        tide_await_check(L, how);
        return tide_bind_timed_out(L);
    }
    struct choice *won = tide_container(task->claimed, struct choice, waiter);
    lua_Integer position = won - s->choices + 1;
    if (!as_queue(won->object))
        return answer_object(L, position, won->object);
    if (won->place.done == 0)
        return answer_shutdown(L, position);
    return answer_item(L, position, as_queue(won->object), tide_item_take(&won->waiter.item), won->priority);
}

/* Futures that nobody has started yet are to start before others, and the task needs no slot while it waits for them. */
static void hurry_all(struct selection *s, struct tide_task *task)
{
    for (size_t i = s->count; i-- > 0;) { /* each goes to the front, so backwards */
        struct tide_future *future = as_future(s->choices[i].object);
        if (future)
            tide_future_hurry(future, false);
        s->lent |= future != NULL;
    }
    if (s->lent)
        tide_future_lend_own(task);
}

/* Queues in all lists; false if one is ready after all: then it is in none. */
static bool enqueue_all(struct selection *s, struct tide_task *task)
{
    for (size_t i = 0; i < s->count; i++) {
        if (enqueue(&s->choices[i], task) == 0)
            continue;
        while (i-- > 0)
            leave(&s->choices[i]);
        return false;
    }
    return true;
}

static int select(lua_State *L)
{
    int64_t deadline;
    lua_Integer count = check_table(L, &deadline);
    for (;;) {
        for (lua_Integer i = 1; i <= count; i++) {
            int results = poll(L, i);
            if (results)
                return results;
        }
        if (deadline != TIDE_NEVER && deadline <= tide_now_ns())
            return tide_bind_timed_out(L);
        struct tide_task *task = tide_await_prepare(L);
        struct selection *s = push_selection(L, count);
        tide_wait_begin(task);
        if (enqueue_all(s, task) || !tide_await_skip(task)) {
            hurry_all(s, task);
            return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "one of several (tm.select)"}, 0, finish);
        }
    }
}

void tide_open_select(lua_State *L)
{
    tide_bind_hidden_class(L, class_name, collect);
    lua_pushcfunction(L, select);
    lua_setfield(L, -2, "select");
}
