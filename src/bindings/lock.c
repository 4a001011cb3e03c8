/* tm.lock, tm.rlock, and their guards. */
#include "bindings/lock.h"

#include "base/time.h"
#include "bindings/module.h"
#include "bindings/protect.h"
#include "sync/condition.h"

#include <string.h>

static const char guard_name[] = "tidemill.guard";
static const char places_key; /* registry: the userdata with struct tide_places */

struct tide_lock *tide_lock_check(lua_State *L, int arg)
{
    struct tide_object *object = tide_handle_test(L, arg, NULL);
    if (object && object->class == &tide_lock_class)
        return (struct tide_lock *)(void *)object;
    if (object && object->class == &tide_condition_class)
        return ((struct tide_condition *)(void *)object)->lock;
    luaL_typeerror(L, arg, tide_lock_class.name);
    return NULL;
}

static struct tide_task *running_task(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    if (!task)
        luaL_error(L, "a lock belongs to a task, and none is running here (a finalizer at the end of the program?)");
    return task;
}

static int new(lua_State *L, bool recursive)
{
    static const char *const keys[] = {"name", NULL};
    tide_bind_options(L, 1, keys);
    return tide_bind_new(L, (struct tide_object *)tide_lock_new(recursive, tide_bind_string(L, 1, "name", NULL)));
}

static int new_lock(lua_State *L)
{
    return new(L, false);
}

static int new_rlock(lua_State *L)
{
    return new(L, true);
}

/* ---- reports ---- */

/* The files of functions that took a lock lately. A function is kept (a user value) while it stands here, so that no other can
 * come to its address. */
enum { PLACES = 8 };
struct tide_places {
    struct {
        const void *function;
        struct tide_lock_file file;
    } at[PLACES];
};

/* in: the function. out: -. Allocates nothing, as the lock is taken already. */
static const struct tide_lock_file *file_of(lua_State *L, lua_Debug *ar)
{
    struct tide_places *places = tide_state_of(L)->places;
    const void *function = lua_topointer(L, -1);
    size_t i = ((uintptr_t)function >> 5) % PLACES;
    if (places->at[i].function == function) {
        lua_pop(L, 1);
        return &places->at[i].file;
    }
    lua_getinfo(L, "S", ar);
    tide_lock_file_set(&places->at[i].file, ar->short_src);
    places->at[i].function = function;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &places_key);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, (int)i + 1);
    lua_pop(L, 1);
    return &places->at[i].file;
}

void tide_lock_note_caller(lua_State *L, struct tide_lock *lock)
{
    lua_Debug ar;
    if (lock->depth > 1)
        return;
    for (int level = 1; level <= 3 && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "fl", &ar);
        if (ar.currentline > 0) {
            tide_lock_note(lock, file_of(L, &ar), ar.currentline);
            return;
        }
        lua_pop(L, 1); /* a C function, such as pcall */
    }
    atomic_store_explicit(&lock->line, 0, memory_order_relaxed);
}

static void open_places(lua_State *L)
{
    struct tide_places *places = lua_newuserdatauv(L, sizeof *places, PLACES);
    memset(places, 0, sizeof *places);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &places_key);
    tide_state_of(L)->places = places;
}

/* Pushes the words made, behind the script's position. */
static void push_words(lua_State *L)
{
    struct tide_strbuf *text = &tide_state_of(L)->words;
    luaL_where(L, 1);
    lua_pushlstring(L, tide_strbuf_text(text), text->size);
    lua_concat(L, 2);
}

int tide_lock_complain_abandoned(lua_State *L, struct tide_lock *lock)
{
    struct tide_strbuf *text = &tide_state_of(L)->words;
    tide_strbuf_clear(text);
    tide_strbuf_puts(text, "cannot acquire the ");
    tide_lock_describe_name(lock, text);
    tide_strbuf_puts(text, ": it is ");
    size_t state = text->size;
    tide_lock_describe(lock, text);
    if (!text->failed && strncmp(text->data + state, "abandoned", 9) == 0) {
        tide_strbuf_puts(text, "; when what it guards is in order, lock:reset() makes it free");
    } else { /* reset just now, but this task was told */
        tide_strbuf_clear(text);
        tide_strbuf_puts(text, "cannot acquire the ");
        tide_lock_describe_name(lock, text);
        tide_strbuf_puts(text, ": it was abandoned: its owner ended without releasing it, and another task has reset it since");
    }
    push_words(L);
    tide_errors_make(L, "abandoned");
    return lua_error(L);
}

int tide_lock_complain(lua_State *L, struct tide_lock *lock, const char *deed)
{
    struct tide_strbuf *text = &tide_state_of(L)->words;
    tide_strbuf_clear(text);
    tide_strbuf_printf(text, "cannot %s the ", deed);
    tide_lock_describe_name(lock, text);
    tide_strbuf_puts(text, ": it is ");
    size_t state = text->size;
    tide_lock_describe(lock, text);
    const char *is = tide_strbuf_text(text) + (text->failed ? text->size : state);
    bool abandoned = strncmp(is, "abandoned", 9) == 0, held = strncmp(is, "held", 4) == 0;
    if (abandoned)
        tide_strbuf_puts(text, "; when what it guards is in order, lock:reset() makes it free");
    else if (held)
        tide_strbuf_puts(text, "; only the task that took a lock can release it, and wait or notify under it (to signal "
                               "another task use tm.event, to count permits tm.semaphore)");
    else
        tide_strbuf_puts(text, "; the task has to acquire it first, once for each release");
    push_words(L);
    if (abandoned)
        tide_errors_make(L, "abandoned");
    return lua_error(L);
}

/* The task waits for itself. */
static int complain_of_oneself(lua_State *L, struct tide_lock *lock, struct tide_task *task)
{
    struct tide_strbuf *text = &tide_state_of(L)->words;
    tide_strbuf_clear(text);
    tide_strbuf_printf(text, "deadlock: '%s' waits for the ", tide_task_name(task));
    tide_lock_describe_name(lock, text);
    tide_strbuf_puts(text, " ");
    tide_lock_describe(lock, text);
    tide_strbuf_printf(text, ", which is '%s' itself (a task that takes a lock again while it holds it needs tm.rlock)",
                       tide_task_name(task));
    push_words(L);
    return lua_error(L);
}

/* ---- guards: what lock:guard() returns. One user value: the handle of the lock, or of the condition ---- */

enum guard_state { UNUSED, HOLDS, RELEASED, CLOSED };

struct guard {
    enum guard_state state;
};

/* The lock behind the guard at 1, pushed; NULL at the end of the state, when it may be gone. */
static struct tide_lock *guarded(lua_State *L)
{
    lua_getiuservalue(L, 1, 1);
    return tide_handle_test(L, -1, NULL) ? tide_lock_check(L, -1) : NULL;
}

static void release_as(lua_State *L, struct tide_lock *lock, const char *deed, bool failing)
{
    struct tide_task *task = running_task(L);
    if (tide_lock_release(lock, task) || failing) /* an error that passes is more than a lock that was lost by it */
        return;
    if (task->unwinding && (task->flags & TIDE_TASK_GRACE_OVER)) /* condition:wait may have raised without it */
        return;
    tide_lock_complain(L, lock, deed);
}

static int guard_release(lua_State *L)
{
    struct guard *guard = luaL_checkudata(L, 1, guard_name);
    struct tide_lock *lock = guarded(L);
    if (guard->state != HOLDS)
        return luaL_error(L, "the guard has released its lock already");
    if (lock)
        release_as(L, lock, "release", false);
    guard->state = RELEASED;
    return 0;
}

static int guard_close(lua_State *L)
{
    struct guard *guard = luaL_checkudata(L, 1, guard_name);
    bool failing = !lua_isnoneornil(L, 2), holds = guard->state == HOLDS;
    struct tide_lock *lock = guarded(L);
    if (guard->state == CLOSED)
        return luaL_error(L, "the guard was closed already: it stands in two <close> variables");
    if (holds && lock)
        release_as(L, lock, "release", failing);
    guard->state = CLOSED;
    return 0;
}

static int guard_tostring(lua_State *L)
{
    struct guard *guard = luaL_checkudata(L, 1, guard_name);
    lua_pushfstring(L, "guard (%s)", guard->state == HOLDS ? "holds its lock" : "released");
    return 1;
}

/* in: the handle at 1. out: a guard that holds nothing yet. */
static void push_guard(lua_State *L)
{
    struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 1);
    guard->state = UNUSED;
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, guard_name);
}

/* ---- taking ----
 * Stack: 1 the handle; of acquire and guard 2 the deadline; of guard 3 the guard; of with 2 the function, then arguments. */

enum purpose { ACQUIRE, GUARD, WITH, PURPOSES = 3, TAKEN = 4 }; /* TAKEN: by the enqueue, while somebody interrupted the wait */

static int call_with(lua_State *L);
static int wait(lua_State *L, struct tide_lock *lock, struct tide_task *task, int purpose, enum tide_lock_waiting sort);

static int64_t deadline_of(lua_State *L, int purpose)
{
    return purpose == WITH ? TIDE_NEVER : lua_tointeger(L, 2);
}

static int taken(lua_State *L, struct tide_lock *lock, int purpose)
{
    tide_lock_note_caller(L, lock);
    switch (purpose) {
    case WITH: return call_with(L);
    case GUARD:
        lua_settop(L, 3);
        ((struct guard *)lua_touserdata(L, 3))->state = HOLDS;
        return 1;
    default: lua_pushboolean(L, 1); return 1;
    }
}

static int not_taken(lua_State *L, int purpose)
{
    if (purpose == GUARD)
        return tide_bind_timed_out(L);
    lua_pushboolean(L, 0);
    return 1;
}

static int waited(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    struct tide_lock *lock = tide_lock_check(L, 1);
    struct tide_task *task = tide_task_of(L);
    int purpose = (int)context & PURPOSES;
    enum tide_wait_state how = tide_await_end(L);
    if (context & TAKEN)
        return taken(L, lock, purpose);
    if (how != TIDE_WAIT_WOKEN) {
        tide_lock_leave(lock, &task->waiter);
        tide_await_check(L, how);
        return not_taken(L, purpose);
    }
    enum tide_lock_outcome outcome = tide_lock_resume(lock, task);
    if (outcome == TIDE_LOCK_TAKEN)
        return taken(L, lock, purpose);
    if (outcome == TIDE_LOCK_ABANDONED)
        return tide_lock_complain_abandoned(L, lock);
    if (tide_now_ns() < deadline_of(L, purpose))
        return wait(L, lock, task, purpose, TIDE_LOCK_LOST);
    tide_lock_pass_on(lock);
    return not_taken(L, purpose);
}

static int wait(lua_State *L, struct tide_lock *lock, struct tide_task *task, int purpose, enum tide_lock_waiting sort)
{
    tide_wait_begin(task);
    enum tide_lock_outcome outcome = tide_lock_enqueue(lock, &task->waiter, task, sort);
    if (outcome != TIDE_LOCK_HELD && tide_await_skip(task))
        return outcome == TIDE_LOCK_TAKEN ? taken(L, lock, purpose) : tide_lock_complain_abandoned(L, lock);
    if (outcome == TIDE_LOCK_TAKEN)
        purpose |= TAKEN;
    return tide_await(L,
                      &(struct tide_await){
                          .deadline = deadline_of(L, purpose & PURPOSES), .edge = &tide_lock_edge, .object = &lock->object},
                      purpose, waited);
}

static int slept(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    tide_await_check(L, tide_await_end(L));
    return not_taken(L, (int)context);
}

/* A plain lock that the task itself holds: an error where it would wait for ever, else its time has to pass. */
static int wait_for_oneself(lua_State *L, struct tide_lock *lock, struct tide_task *task, int purpose)
{
    int64_t deadline = deadline_of(L, purpose);
    if (deadline == TIDE_NEVER && tide_cancel_deadline(task) == TIDE_NEVER)
        return complain_of_oneself(L, lock, task);
    tide_wait_begin(task);
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "a lock that it holds itself"}, purpose, slept);
}

static int take_slowly(lua_State *L, struct tide_lock *lock, struct tide_task *task, enum tide_lock_outcome outcome,
                       int purpose)
{
    int64_t deadline = deadline_of(L, purpose);
    bool only_look = deadline != TIDE_NEVER && deadline <= tide_now_ns();
    if (outcome == TIDE_LOCK_HELD && !only_look)
        outcome = tide_lock_spin(lock, task);
    if (outcome == TIDE_LOCK_TAKEN)
        return taken(L, lock, purpose);
    if (outcome == TIDE_LOCK_ABANDONED)
        return tide_lock_complain_abandoned(L, lock);
    if (only_look)
        return not_taken(L, purpose);
    tide_await_prepare(L);
    if (outcome == TIDE_LOCK_OWN)
        return wait_for_oneself(L, lock, task, purpose);
    return wait(L, lock, task, purpose, TIDE_LOCK_NEWCOMER);
}

/* ---- methods ---- */

static int acquire(lua_State *L)
{
    struct tide_lock *lock = tide_lock_check(L, 1);
    int64_t deadline = lua_gettop(L) > 1 ? tide_await_deadline(L, 2) : TIDE_NEVER;
    struct tide_task *task = running_task(L);
    enum tide_lock_outcome outcome = tide_lock_try(lock, task);
    if (outcome == TIDE_LOCK_TAKEN)
        return taken(L, lock, ACQUIRE);
    lua_settop(L, 1);
    lua_pushinteger(L, deadline);
    return take_slowly(L, lock, task, outcome, ACQUIRE);
}

static int take(lua_State *L, struct tide_lock *lock, int purpose)
{
    struct tide_task *task = running_task(L);
    enum tide_lock_outcome outcome = tide_lock_try(lock, task);
    return outcome == TIDE_LOCK_TAKEN ? taken(L, lock, purpose) : take_slowly(L, lock, task, outcome, purpose);
}

static int guard(lua_State *L)
{
    struct tide_lock *lock = tide_lock_check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    lua_settop(L, 1);
    lua_pushinteger(L, deadline);
    push_guard(L);
    return take(L, lock, GUARD);
}

static int try_acquire(lua_State *L)
{
    struct tide_lock *lock = tide_lock_check(L, 1);
    enum tide_lock_outcome outcome = tide_lock_try(lock, running_task(L));
    if (outcome == TIDE_LOCK_ABANDONED)
        return tide_lock_complain_abandoned(L, lock);
    if (outcome == TIDE_LOCK_TAKEN)
        tide_lock_note_caller(L, lock);
    lua_pushboolean(L, outcome == TIDE_LOCK_TAKEN);
    return 1;
}

static int release(lua_State *L)
{
    release_as(L, tide_lock_check(L, 1), "release", false);
    return 0;
}

static int with_finish(lua_State *L, int status, lua_KContext context)
{
    bool failed = status != LUA_OK && status != LUA_YIELD;
    release_as(L, tide_lock_check(L, 1), "release", failed);
    if (failed)
        tide_protect_passing(L, (uint32_t)context);
    tide_protect_leave(L, (uint32_t)context, failed);
    return failed ? lua_error(L) : lua_gettop(L) - 1;
}

/* The lock is ours. */
static int call_with(lua_State *L)
{
    lua_KContext context = tide_protect_enter(L);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, context, with_finish);
    return with_finish(L, status, context);
}

static int with(lua_State *L)
{
    struct tide_lock *lock = tide_lock_check(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    return take(L, lock, WITH);
}

static int locked(lua_State *L)
{
    lua_pushboolean(L, tide_lock_locked(tide_lock_check(L, 1)));
    return 1;
}

static int reset(lua_State *L)
{
    lua_pushboolean(L, tide_lock_reset(tide_lock_check(L, 1)));
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_lock *lock = tide_lock_check(L, 1);
    struct tide_strbuf *text = &tide_state_of(L)->words;
    tide_strbuf_clear(text);
    tide_lock_describe_name(lock, text);
    tide_strbuf_puts(text, " (");
    tide_lock_describe(lock, text);
    tide_strbuf_puts(text, ")");
    lua_pushlstring(L, tide_strbuf_text(text), text->size);
    return 1;
}

const luaL_Reg tide_lock_methods[] = {
    {"acquire", acquire}, {"try_acquire", try_acquire}, {"release", release}, {"locked", locked},
    {"guard", guard},     {"with", with},               {"reset", reset},     {NULL, NULL},
};

static void open_guard(lua_State *L)
{
    static const luaL_Reg methods[] = {{"release", guard_release}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__close", guard_close}, {"__tostring", guard_tostring}, {NULL, NULL}};
    luaL_newmetatable(L, guard_name);
    luaL_setfuncs(L, meta, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, guard_name);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

void tide_open_lock(lua_State *L)
{
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"lock", new_lock}, {"rlock", new_rlock}, {NULL, NULL}};
    tide_bind_class(L, &tide_lock_class, tide_lock_methods, meta);
    open_guard(L);
    open_places(L);
    luaL_setfuncs(L, functions, 0);
}
