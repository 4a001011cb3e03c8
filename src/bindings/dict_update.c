/* tm.dict: what has the lock on a key while it works, and what has to wait for one.
 *
 * Stack of every function here: 1 the dictionary, 2 the key, 3 the guard, to be closed; from 4 on what the method was given
 * behind the key. The guard has the lock, so an error, a cancellation or coroutine.close releases it on its way; a task that
 * ends without any of these (it left a coroutine behind) releases in tide_call_ended. The context is the deed. */
#include "base/error.h"
#include "base/time.h"
#include "bindings/dict.h"
#include "transport/item.h"

enum { AT_DICT = 1, AT_KEY, AT_GUARD, AT_REST };

static struct tide_dict_guard *guard_of(lua_State *L)
{
    return lua_touserdata(L, AT_GUARD);
}

/* The guard's value on top, and the guard without it. */
static int give_value(lua_State *L)
{
    struct tide_dict_guard *guard = guard_of(L);
    tide_unpack_item(L, &guard->item);
    tide_item_drop(&guard->item);
    return 1;
}

/* The value at `index` becomes that of the key, whose lock is released. */
static void store(lua_State *L, int index)
{
    struct tide_dict_guard *guard = guard_of(L);
    struct tide_item old;
    tide_item_drop(&guard->item);
    guard->item = tide_pack_item(L, index, "value");
    size_t bytes = tide_item_bytes(&guard->item);
    bool stored = guard->item.kind != TIDE_ITEM_NONE;
    if (!tide_dict_lock_held(&guard->hold))
        luaL_error(L, "the value was not stored: the task that began this update has ended");
    if (tide_dict_lock_store(&guard->hold, &guard->item, &old) != 0)
        tide_dict_no_memory(L);
    bool added = stored && old.kind == TIDE_ITEM_NONE;
    tide_item_drop(&old);
    tide_dict_charge(L, bytes, added);
}

/* ---- with the lock ---- */

static int called(lua_State *L, int status, lua_KContext deed)
{
    (void)status;
    (void)deed;
    store(L, AT_REST); /* the function's result has its place */
    lua_settop(L, AT_REST);
    return 1;
}

static int call(lua_State *L, enum tide_dict_deed deed)
{
    if (deed == TIDE_DICT_UPDATE) {
        give_value(L);
        lua_insert(L, AT_REST + 1); /* before the arguments */
    }
    lua_callk(L, lua_gettop(L) - AT_REST, 1, deed, called);
    return called(L, LUA_OK, deed);
}

static int pop(lua_State *L)
{
    struct tide_dict_guard *guard = guard_of(L);
    struct tide_item none = {.kind = TIDE_ITEM_NONE};
    tide_item_drop(&guard->item);
    tide_dict_lock_store(&guard->hold, &none, &guard->item); /* nothing is added, so memory does not lack */
    if (guard->item.kind != TIDE_ITEM_NONE)
        return give_value(L);
    lua_pushvalue(L, AT_REST);
    return 1;
}

static int add(lua_State *L)
{
    struct tide_dict_guard *guard = guard_of(L);
    struct tide_item number = tide_pack_item(L, AT_REST, "number"), sum;
    if (tide_dict_sum(&guard->item, &number, &sum) != 0) {
        lua_pushvalue(L, AT_KEY);
        return tide_dict_not_a_number(L, AT_KEY, &guard->item);
    }
    tide_unpack_item(L, &sum);
    store(L, lua_gettop(L));
    return 1;
}

/* The task has the lock. */
static int perform(lua_State *L, enum tide_dict_deed deed)
{
    struct tide_dict_guard *guard = guard_of(L);
    guard->item = tide_dict_lock_value(&guard->hold);
    bool present = guard->item.kind != TIDE_ITEM_NONE;
    switch (deed) {
    case TIDE_DICT_SET: store(L, AT_REST); return 0;
    case TIDE_DICT_POP: return pop(L);
    case TIDE_DICT_ADD: return add(L);
    case TIDE_DICT_UPDATE: return call(L, deed);
    case TIDE_DICT_SETDEFAULT:
    case TIDE_DICT_GET_OR_SET: break;
    }
    if (present) {
        tide_dict_lock_release(&guard->hold);
        return give_value(L);
    }
    if (deed == TIDE_DICT_GET_OR_SET)
        return call(L, deed);
    store(L, AT_REST);
    lua_pushvalue(L, AT_REST);
    return 1;
}

/* ---- getting it ---- */

static int refuse(lua_State *L, int failed, enum tide_dict_deed deed)
{
    if (failed == TIDE_ENOMEM)
        return tide_dict_no_memory(L);
    return luaL_error(L, "cannot %s key '%s' here: the task is inside an update of it, whose function gets the value as its "
                      "argument and returns the new one (nil removes the key)",
                      deed >= TIDE_DICT_UPDATE ? "update" : "change", luaL_tolstring(L, AT_KEY, NULL));
}

static int waited(lua_State *L, int status, lua_KContext deed)
{
    (void)status;
    struct tide_dict_guard *guard = guard_of(L);
    struct tide_task *task = tide_task_of(L);
    enum tide_wait_state how = tide_await_end(L);
    bool has = tide_dict_lock_decided(&guard->hold, task, &task->waiter, how);
    if (!has && how == TIDE_WAIT_WOKEN)
        guard->item = tide_item_take(&task->waiter.item);
    tide_await_check(L, how);
    return has ? perform(L, (enum tide_dict_deed)deed) : give_value(L);
}

static int wait(lua_State *L, const struct tide_dict_key *key, enum tide_dict_deed deed)
{
    struct tide_dict_guard *guard = guard_of(L);
    struct tide_task *task = tide_await_prepare(L);
    bool value_does = deed == TIDE_DICT_GET_OR_SET || deed == TIDE_DICT_SETDEFAULT;
    tide_wait_begin(task);
    int queued =
        tide_dict_lock_queue(tide_dict_check(L, AT_DICT), key, task, &task->waiter, value_does, &guard->hold);
    if (queued != 1 && tide_await_skip(task))
        return queued == 0 ? perform(L, deed) : refuse(L, queued, deed);
    struct tide_await how = {.deadline = TIDE_NEVER, .what = "a key of a dict"};
    if (queued == 1) {
        how.edge = &tide_dict_lock_edge;
        how.object = tide_dict_lock_object(&guard->hold);
    }
    return tide_await(L, &how, deed, waited);
}

int tide_dict_locked(lua_State *L, enum tide_dict_deed deed)
{
    struct tide_dict *dict = tide_dict_check(L, AT_DICT);
    struct tide_dict_key key = tide_dict_check_key(L, AT_KEY);
    struct tide_task *task = tide_task_of(L);
    if (!task)
        return luaL_error(L, "cannot change a dict here: no task is running");
    struct tide_dict_guard *guard = tide_dict_push_guard(L);
    lua_insert(L, AT_GUARD);
    lua_toclose(L, AT_GUARD);
    int failed = tide_dict_lock_try(dict, &key, task, &guard->hold);
    if (failed == TIDE_EAGAIN)
        return wait(L, &key, deed);
    return failed ? refuse(L, failed, deed) : perform(L, deed);
}

int tide_dict_update(lua_State *L)
{
    tide_dict_check(L, 1);
    tide_dict_check_key(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    return tide_dict_locked(L, TIDE_DICT_UPDATE);
}

int tide_dict_get_or_set(lua_State *L)
{
    struct tide_dict *dict = tide_dict_check(L, 1);
    struct tide_dict_key key = tide_dict_check_key(L, 2);
    luaL_checktype(L, 3, LUA_TFUNCTION);
    return tide_dict_push_value(L, dict, &key) ? 1 : tide_dict_locked(L, TIDE_DICT_GET_OR_SET);
}
