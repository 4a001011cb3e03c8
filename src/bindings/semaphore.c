/* tm.semaphore, tm.bounded_semaphore: one object, with a bound or without. */
#include "sync/semaphore.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/guard.h"
#include "bindings/module.h"

static struct tide_semaphore *check(lua_State *L, int arg)
{
    return (struct tide_semaphore *)(void *)tide_handle_check(L, arg, &tide_semaphore_class);
}

static int new(lua_State *L, bool bounded)
{
    lua_Integer permits = luaL_optinteger(L, 1, 1);
    luaL_argcheck(L, permits >= 0, 1, "the number of permits is negative");
    luaL_argcheck(L, permits <= TIDE_SEMAPHORE_MAX, 1, "too many permits");
    return tide_bind_new(L, (struct tide_object *)tide_semaphore_new(permits, bounded ? permits : TIDE_SEMAPHORE_MAX));
}

static int new_plain(lua_State *L)
{
    return new(L, false);
}

static int new_bounded(lua_State *L)
{
    return new(L, true);
}

/* ---- taking ----
 * What the permit is for is the context. Stack: 1 the semaphore, or for GUARD and WITH the guard, still empty. */

enum { ACQUIRE, GUARD, WITH };

static void guard_release(lua_State *L, struct tide_object *object)
{
    if (tide_semaphore_release((struct tide_semaphore *)(void *)object, 1) != 0)
        luaL_error(L, "cannot give the permit of this guard back: the semaphore has all its permits; somebody called release() "
                      "for a permit that the guard had");
}

static void guard_drop(struct tide_object *object)
{
    tide_semaphore_release((struct tide_semaphore *)(void *)object, 1);
}

static const struct tide_guard_class guard_class = {"tidemill.semaphore_guard", "semaphore", guard_release, guard_drop};

/* A permit is taken. Nothing here raises before it is where it belongs. */
static int taken(lua_State *L, lua_KContext what)
{
    if (what == ACQUIRE) {
        lua_pushboolean(L, 1);
        return 1;
    }
    tide_guard_hold(L, 1);
    return what == WITH ? tide_guard_call(L) : 1;
}

static int take_finish(lua_State *L, int status, lua_KContext what)
{
    (void)status;
    struct tide_object *object = what == ACQUIRE ? &check(L, 1)->object : tide_guard_object(L, 1);
    enum tide_wait_state how = tide_await_end(L);
    if (how == TIDE_WAIT_WOKEN)
        return taken(L, what);
    tide_semaphore_leave((struct tide_semaphore *)(void *)object, &tide_task_of(L)->waiter);
    tide_await_check(L, how);
    if (what != ACQUIRE)
        return tide_bind_timed_out(L);
    lua_pushboolean(L, 0);
    return 1;
}

static int take(lua_State *L, struct tide_semaphore *semaphore, int64_t deadline, lua_KContext what)
{
    if (tide_semaphore_try(semaphore))
        return taken(L, what);
    struct tide_task *task = tide_await_prepare(L);
    tide_wait_begin(task);
    if (tide_semaphore_enqueue(semaphore, &task->waiter, task)) {
        if (tide_await_skip(task))
            return taken(L, what);
        tide_semaphore_release(semaphore, 1); /* interrupted at the same time: whoever is next has it */
    }
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "a permit of a semaphore"}, what, take_finish);
}

static int acquire(lua_State *L)
{
    struct tide_semaphore *semaphore = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    return take(L, semaphore, deadline, ACQUIRE);
}

static int guard(lua_State *L)
{
    struct tide_semaphore *semaphore = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    tide_guard_push(L, &guard_class, &semaphore->object);
    lua_replace(L, 1);
    lua_settop(L, 1);
    return take(L, semaphore, deadline, GUARD);
}

static int with(lua_State *L)
{
    struct tide_semaphore *semaphore = check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    tide_guard_push(L, &guard_class, &semaphore->object);
    lua_replace(L, 1);
    return take(L, semaphore, TIDE_NEVER, WITH);
}

/* ---- the rest ---- */

static int try_acquire(lua_State *L)
{
    lua_pushboolean(L, tide_semaphore_try(check(L, 1)));
    return 1;
}

static int release(lua_State *L)
{
    struct tide_semaphore *semaphore = check(L, 1);
    lua_Integer n = luaL_optinteger(L, 2, 1);
    luaL_argcheck(L, n >= 1, 2, "the number of permits is less than 1");
    if (tide_semaphore_release(semaphore, n) == 0)
        return 0;
    if (!tide_semaphore_bounded(semaphore))
        return luaL_error(L, "cannot release %I permits: the semaphore would have too many", (LUAI_UACINT)n);
    return luaL_error(L, "cannot release %I: the bounded semaphore has %I of its %I permits; it was released more often than "
                         "acquired", (LUAI_UACINT)n, (LUAI_UACINT)tide_semaphore_value(semaphore),
                      (LUAI_UACINT)semaphore->bound);
}

static int value(lua_State *L)
{
    lua_pushinteger(L, tide_semaphore_value(check(L, 1)));
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_semaphore *semaphore = check(L, 1);
    LUAI_UACINT left = tide_semaphore_value(semaphore);
    if (tide_semaphore_bounded(semaphore))
        lua_pushfstring(L, "bounded semaphore (%I of %I left)", left, (LUAI_UACINT)semaphore->bound);
    else
        lua_pushfstring(L, "semaphore (%I left)", left);
    return 1;
}

void tide_open_semaphore(lua_State *L)
{
    static const luaL_Reg functions[] = {{"semaphore", new_plain}, {"bounded_semaphore", new_bounded}, {NULL, NULL}};
    static const luaL_Reg methods[] = {{"acquire", acquire}, {"try_acquire", try_acquire}, {"release", release},
                                       {"value", value},     {"guard", guard},             {"with", with},
                                       {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_semaphore_class, methods, meta);
    tide_guard_open(L, &guard_class);
    luaL_setfuncs(L, functions, 0);
}
