/* tm.condition. The methods of its lock it shares with it. */
#include "sync/condition.h"

#include "base/time.h"
#include "bindings/lock.h"
#include "bindings/module.h"
#include "bindings/protect.h"

/* ---- waiting: first for a notification, then for the lock ----
 * Stack: 1 the condition; 2 the predicate of wait_for, else nil; 3 the deadline; 4 how often the lock was held; 5 why the wait
 * could not be, else nil. The context: what has happened, in bits. */

enum { AT_CONDITION = 1, AT_PREDICATE, AT_DEADLINE, AT_DEPTH, AT_PROBLEM };
enum {
    NOTIFIED = 1,
    CANCELLED = 2, /* a cancellation counts as raised, and will be once the lock is there */
    TAKEN = 4,     /* the lock is ours, but its wait was interrupted at the same time */
};

static int evaluate(lua_State *L);

static struct tide_condition *check(lua_State *L, int arg)
{
    return (struct tide_condition *)(void *)tide_handle_check(L, arg, &tide_condition_class);
}

/* The condition at 1, whose lock the running task must hold. */
static struct tide_condition *check_held(lua_State *L, const char *deed)
{
    struct tide_condition *condition = check(L, 1);
    struct tide_task *task = tide_task_of(L);
    if (!task || tide_lock_owner(condition->lock) != task)
        tide_lock_complain(L, condition->lock, deed);
    return condition;
}

/* The notification goes to somebody else, as this task leaves by an error. */
static void pass_on(struct tide_condition *condition, int done)
{
    if (done & NOTIFIED)
        tide_condition_notify(condition, 1);
}

/* The lock is ours again. */
static int reacquired(lua_State *L, struct tide_condition *condition, int done)
{
    struct tide_task *task = tide_task_of(L);
    tide_lock_note_caller(L, condition->lock);
    tide_lock_restore(condition->lock, (uint64_t)lua_tointeger(L, AT_DEPTH));
    if (done & CANCELLED) {
        pass_on(condition, done);
        return tide_cancel_raise(L, task->unwinding);
    }
    if (!lua_isnil(L, AT_PROBLEM)) {
        lua_settop(L, AT_PROBLEM);
        return lua_error(L);
    }
    if (!lua_isnil(L, AT_PREDICATE))
        return evaluate(L);
    lua_pushboolean(L, done & NOTIFIED);
    return 1;
}

static int reacquire_wait(lua_State *L, struct tide_condition *condition, int done, enum tide_lock_waiting sort);

/* A wait was interrupted by no other problem. The cancellation counts as raised from here on, so nothing interrupts the task
 * until the grace is over; false if it is. */
static bool deliver(struct tide_task *task, int *done)
{
    struct tide_cancel *due = tide_cancel_due(task);
    if (!due)
        return true;
    *done |= CANCELLED;
    if (due == task->unwinding)
        return false;
    tide_cancel_deliver(due);
    return true;
}

static int reacquire_waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_condition *condition = check(L, AT_CONDITION);
    struct tide_task *task = tide_task_of(L);
    int done = (int)context;
    enum tide_wait_state how = tide_await_end(L);
    if (done & TAKEN)
        return reacquired(L, condition, done);
    if (how == TIDE_WAIT_WOKEN) {
        enum tide_lock_outcome outcome = tide_lock_resume(condition->lock, task);
        if (outcome == TIDE_LOCK_HELD)
            return reacquire_wait(L, condition, done, TIDE_LOCK_LOST);
        return outcome == TIDE_LOCK_TAKEN ? reacquired(L, condition, done) : tide_lock_complain_abandoned(L, condition->lock);
    }
    tide_lock_leave(condition->lock, &task->waiter);
    if (!tide_state_of(L)->problem.size && deliver(task, &done))
        return reacquire_wait(L, condition, done, TIDE_LOCK_DISTURBED);
    pass_on(condition, done);
    tide_await_check(L, how);
    return 0; /* not reached: nobody times out here */
}

static int reacquire_wait(lua_State *L, struct tide_condition *condition, int done, enum tide_lock_waiting sort)
{
    struct tide_lock *lock = condition->lock;
    struct tide_task *task = tide_task_of(L);
    tide_wait_begin(task);
    enum tide_lock_outcome outcome = tide_lock_enqueue(lock, &task->waiter, task, sort);
    if (outcome != TIDE_LOCK_HELD && tide_await_skip(task))
        return outcome == TIDE_LOCK_TAKEN ? reacquired(L, condition, done) : tide_lock_complain_abandoned(L, lock);
    if (outcome == TIDE_LOCK_TAKEN)
        done |= TAKEN;
    return tide_await(L, &(struct tide_await){.deadline = TIDE_NEVER, .edge = &tide_lock_edge, .object = &lock->object}, done,
                      reacquire_waited);
}

static int reacquire(lua_State *L, struct tide_condition *condition, int done)
{
    struct tide_task *task = tide_task_of(L);
    enum tide_lock_outcome outcome = tide_lock_try(condition->lock, task);
    if (outcome == TIDE_LOCK_HELD)
        outcome = tide_lock_spin(condition->lock, task);
    if (outcome == TIDE_LOCK_TAKEN)
        return reacquired(L, condition, done);
    if (outcome == TIDE_LOCK_ABANDONED)
        return tide_lock_complain_abandoned(L, condition->lock);
    return reacquire_wait(L, condition, done, TIDE_LOCK_NEWCOMER);
}

static int waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_condition *condition = check(L, AT_CONDITION);
    struct tide_task *task = tide_task_of(L);
    struct tide_state *state = tide_state_of(L);
    int done = 0;
    enum tide_wait_state how = tide_await_end(L);
    if (how == TIDE_WAIT_WOKEN)
        return reacquire(L, condition, NOTIFIED);
    tide_condition_leave(condition, &task->waiter);
    if (how == TIDE_WAIT_INTERRUPTED && state->problem.size) {
        luaL_where(L, 1);
        lua_pushlstring(L, state->problem.data, state->problem.size);
        lua_concat(L, 2);
        lua_replace(L, AT_PROBLEM);
        tide_strbuf_clear(&state->problem); /* else another task's wait would seem to have it */
    } else if (how == TIDE_WAIT_INTERRUPTED) {
        deliver(task, &done);
    }
    return reacquire(L, condition, done);
}

/* The stack is as above, up to the deadline. */
static int wait_on(lua_State *L)
{
    struct tide_condition *condition = check_held(L, "wait for a condition under");
    struct tide_task *task = tide_await_prepare(L);
    luaL_checkstack(L, AT_PROBLEM + LUA_MINSTACK, NULL);
    lua_settop(L, AT_DEADLINE);
    lua_pushinteger(L, (lua_Integer)condition->lock->depth);
    lua_pushnil(L);
    tide_wait_begin(task);
    tide_condition_enqueue(condition, &task->waiter, task);
    tide_lock_release_all(condition->lock, task);
    return tide_await(
        L, &(struct tide_await){.deadline = lua_tointeger(L, AT_DEADLINE), .what = "a condition that nobody notified"}, 0,
        waited);
}

static int wait(lua_State *L)
{
    check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_pushinteger(L, deadline);
    return wait_on(L);
}

static int evaluated(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    int64_t deadline = lua_tointeger(L, AT_DEADLINE);
    if (lua_toboolean(L, -1) || (deadline != TIDE_NEVER && tide_now_ns() >= deadline))
        return 1;
    return wait_on(L);
}

static int evaluate(lua_State *L)
{
    lua_settop(L, AT_DEADLINE);
    lua_pushvalue(L, AT_PREDICATE);
    lua_callk(L, 0, 1, 0, evaluated);
    return evaluated(L, LUA_OK, 0);
}

static int wait_for(lua_State *L)
{
    check(L, 1);
    luaL_checkany(L, 2);
    if (!lua_isfunction(L, 2) && luaL_getmetafield(L, 2, "__call") == LUA_TNIL)
        return luaL_typeerror(L, 2, "function");
    int64_t deadline = tide_await_deadline(L, 3);
    check_held(L, "wait for a condition under");
    lua_settop(L, 2);
    lua_pushinteger(L, deadline);
    return evaluate(L);
}

/* ---- the rest ---- */

static int notify(lua_State *L)
{
    check(L, 1);
    lua_Integer most = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, most >= 0, 2, "number of tasks is negative");
    tide_condition_notify(check_held(L, "notify a condition under"), (uint64_t)most);
    return 0;
}

static int notify_all(lua_State *L)
{
    tide_condition_notify(check_held(L, "notify a condition under"), UINT64_MAX);
    return 0;
}

static int new(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        tide_bind_new(L, (struct tide_object *)tide_lock_new(true, NULL));
    }
    struct tide_lock *lock = (struct tide_lock *)(void *)tide_handle_check(L, 1, &tide_lock_class);
    return tide_bind_new(L, (struct tide_object *)tide_condition_new(lock));
}

static int tostring(lua_State *L)
{
    struct tide_condition *condition = check(L, 1);
    lua_pushfstring(L, "condition (%s)", tide_lock_locked(condition->lock) ? "locked" : "not locked");
    return 1;
}

void tide_open_condition(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"wait", wait}, {"wait_for", wait_for}, {"notify", notify}, {"notify_all", notify_all}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_condition_class, methods, meta);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &tide_condition_class);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, tide_lock_methods, 0);
    lua_pop(L, 2);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "condition");
}
