/* tm.after, tm.every, and the class of timers. */
#include "bindings/timer.h"

#include "base/alloc.h"
#include "base/error.h"
#include "bindings/bind.h"
#include "bindings/call.h"
#include "bindings/errors.h"
#include "bindings/future.h"
#include "bindings/module.h"
#include "bindings/program.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a timer calls. At home; goes when the timer is retired. */
struct callback {
    struct tide_list link; /* in state->timers */
    struct tide_periodic *periodic;
    int function;  /* in the registry: the function, or, with arguments, a table of it and them */
    int count;     /* of arguments; -1: a tick */
    int anchor;    /* in the registry: the calendar's userdata */
    tide_calendar_next *next;
    void *calendar;
    char name[96]; /* for reports */
};

/* One run of it, a task. */
struct run {
    struct tide_periodic *periodic;
    struct tide_tick tick;
    bool failed;
};

static struct callback *callback_of(struct tide_periodic *periodic)
{
    return periodic->subject;
}

/* ---- runs ---- */

static void push_tick(lua_State *L, const struct run *run)
{
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, (lua_Integer)run->tick.number);
    lua_setfield(L, -2, "number");
    lua_pushinteger(L, (lua_Integer)run->tick.missed);
    lua_setfield(L, -2, "missed");
    lua_pushnumber(L, run->tick.late);
    lua_setfield(L, -2, "late");
    lua_pushnumber(L, run->tick.instant);
    lua_setfield(L, -2, "instant");
    tide_handle_push(L, &run->periodic->object);
    lua_setfield(L, -2, "timer");
}

static int run_finish(lua_State *L, int status, lua_KContext context)
{
    struct run *run = (struct run *)context;
    struct tide_task *task = tide_task_of(L);
    if (status == LUA_OK || status == LUA_YIELD || task->unwinding == &task->root)
        return 0;
    run->failed = true;
    tide_program_failed();
    struct tide_strbuf text = {0};
    lua_pushstring(L, tide_strbuf_text(&tide_state_of(L)->trace)); /* before a __tostring, which may wait while others fail */
    tide_errors_text(L, -2);
    tide_strbuf_printf(&text, "%s failed: %s\n%s", callback_of(run->periodic)->name, lua_tostring(L, -1), lua_tostring(L, -2));
    tide_program_report(tide_strbuf_text(&text));
    tide_strbuf_fini(&text);
    return 0;
}

static int run_base(lua_State *L)
{
    struct run *run = lua_touserdata(L, 1);
    struct callback *callback = callback_of(run->periodic);
    int count = 1;
    if (!tide_periodic_begin(run->periodic, &run->tick))
        return 0;
    lua_pushcfunction(L, tide_call_traceback);
    lua_rawgeti(L, LUA_REGISTRYINDEX, callback->function);
    if (callback->count < 0) {
        push_tick(L, run);
    } else if (callback->count > 0) {
        count = callback->count;
        luaL_checkstack(L, count + 2, "too many arguments");
        for (int i = 1; i <= count + 1; i++)
            lua_rawgeti(L, 3, i);
        lua_remove(L, 3);
    } else {
        count = 0;
    }
    int status = lua_pcallk(L, count, 0, 2, (lua_KContext)run, run_finish);
    return run_finish(L, status, (lua_KContext)run);
}

static void run_ended(struct tide_task *task, void *subject, int status)
{
    struct run *run = subject;
    if (status != LUA_OK && task->unwinding != &task->root) { /* what the base function itself let escape */
        run->failed = true;
        tide_program_failed();
        const char *error = lua_tostring(task->L, -1);
        struct tide_strbuf text = {0};
        tide_strbuf_printf(&text, "%s failed: %s", callback_of(run->periodic)->name, error ? error : "its error has no text");
        tide_program_report(text.failed ? callback_of(run->periodic)->name : tide_strbuf_text(&text));
        tide_strbuf_fini(&text);
    }
    struct tide_periodic *periodic = run->periodic;
    bool failed = run->failed;
    tide_free(run);
    tide_periodic_ended(periodic, failed);
}

static const char *run_name(struct tide_task *task)
{
    struct run *run = task->work;
    return callback_of(run->periodic)->name;
}

static const struct tide_local_call run_call = {run_base, run_ended, run_name};

static int start_run(struct tide_periodic *periodic, const struct tide_tick *tick)
{
    struct run *run = tide_malloc(sizeof *run);
    if (run) {
        *run = (struct run){.periodic = periodic, .tick = *tick};
        if (tide_call_local(periodic->home->state, &run_call, run))
            return 0;
    }
    tide_free(run);
    tide_program_failed();
    tide_program_report("not enough memory to run a timer's callback");
    return TIDE_ENOMEM;
}

static void free_callback(lua_State *L, struct callback *callback)
{
    tide_list_remove(&callback->link);
    if (L) {
        luaL_unref(L, LUA_REGISTRYINDEX, callback->function);
        luaL_unref(L, LUA_REGISTRYINDEX, callback->anchor);
    }
    tide_free(callback);
}

static void retired(struct tide_periodic *periodic)
{
    struct tide_state *state = tide_worker_current()->state;
    free_callback(state ? state->L : NULL, callback_of(periodic));
    periodic->subject = NULL;
}

void tide_timer_lose_all(struct tide_state *state)
{
    struct tide_list *link;
    while ((link = tide_list_pop(&state->timers)) != NULL) {
        struct callback *callback = tide_container(link, struct callback, link);
        struct tide_strbuf text = {0};
        tide_program_failed();
        tide_strbuf_printf(&text, "%s has ended: the Lua state that it lived in ran out of memory", callback->name);
        tide_program_report(text.failed ? callback->name : tide_strbuf_text(&text));
        tide_strbuf_fini(&text);
        tide_periodic_stop(callback->periodic);
    }
}

static double next_of_calendar(struct tide_periodic *periodic, double after)
{
    struct callback *callback = callback_of(periodic);
    return callback->next(callback->calendar, after);
}

static const struct tide_periodic_calls grid_calls = {.run = start_run, .retired = retired};
static const struct tide_periodic_calls calendar_calls = {.run = start_run, .next = next_of_calendar, .retired = retired};

/* ---- making ---- */

/* The function at `fn` alone, or in a table before its arguments, in the registry. */
static int keep_function(lua_State *L, int fn, int count)
{
    if (count <= 0) {
        lua_pushvalue(L, fn);
        return luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_createtable(L, count + 1, 0);
    for (int i = 0; i <= count; i++) {
        lua_pushvalue(L, fn + i);
        lua_rawseti(L, -2, i + 1);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void name_it(lua_State *L, int fn, struct callback *callback)
{
    lua_Debug ar;
    lua_pushvalue(L, fn);
    lua_getinfo(L, ">S", &ar);
    if (ar.linedefined > 0)
        snprintf(callback->name, sizeof callback->name, "callback of a timer (%s:%d)", ar.short_src, ar.linedefined);
    else
        snprintf(callback->name, sizeof callback->name, "callback of a timer");
}

int tide_timer_start(lua_State *L, int fn, int count, const struct tide_periodic_options *options, tide_calendar_next *next,
                     int calendar)
{
    struct callback *callback = tide_calloc(1, sizeof *callback);
    const struct tide_periodic_calls *calls = next ? &calendar_calls : &grid_calls;
    struct tide_periodic *periodic = callback ? tide_periodic_new(options, calls, callback) : NULL;
    if (!periodic) {
        tide_free(callback);
        return luaL_error(L, "not enough memory");
    }
    *callback = (struct callback){
        .periodic = periodic, .function = LUA_NOREF, .anchor = LUA_NOREF, .count = count, .next = next};
    name_it(L, fn, callback);
    tide_bind_new(L, &periodic->object); /* where memory is short from here on it goes with its handle */
    tide_handle_register(L, -1);         /* ticks carry this very handle */
    if (next) {
        callback->calendar = lua_touserdata(L, calendar);
        lua_pushvalue(L, calendar);
        callback->anchor = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    callback->function = keep_function(L, fn, count);
    int failed = tide_periodic_start(periodic);
    if (failed)
        return luaL_error(L, failed == TIDE_ESHUTDOWN ? "cannot start a timer: the program is ending" : "not enough memory");
    tide_list_append(&tide_state_of(L)->timers, &callback->link);
    return 1;
}

/* A duration in seconds as nanoseconds; the caller has checked that it is >= 0 and finite. */
static int64_t nanoseconds(lua_Number seconds)
{
    return seconds >= 9e9 ? INT64_MAX : (int64_t)(seconds * 1e9 + 0.5);
}

static lua_Number check_duration(lua_State *L, int arg, const char *what, bool positive)
{
    lua_Number seconds = luaL_checknumber(L, arg);
    if (isfinite(seconds) && (positive ? seconds > 0 : seconds >= 0))
        return seconds;
    lua_pushfstring(L, "%s is a number of seconds %s 0, got %f", what, positive ? ">" : ">=", seconds);
    return luaL_argerror(L, arg, lua_tostring(L, -1));
}

void tide_timer_options(lua_State *L, int arg, const char *const keys[], struct tide_periodic_options *options)
{
    static const char *const overlaps[] = {"skip", "queue", "concurrent", NULL}; /* as enum tide_overlap */
    static const char *const catch_ups[] = {"none", "one", "all", NULL};         /* as enum tide_catch_up */
    options->catch_up = TIDE_CATCH_UP_ONE;
    if (!tide_bind_options(L, arg, keys))
        return;
    lua_getfield(L, arg, "jitter");
    if (!lua_isnil(L, -1)) {
        lua_Number jitter = lua_tonumber(L, -1);
        if (!lua_isnumber(L, -1) || !isfinite(jitter) || jitter < 0)
            luaL_error(L, "bad option 'jitter' (number of seconds >= 0 expected, got %s)", luaL_tolstring(L, -1, NULL));
        options->jitter = nanoseconds(jitter);
    }
    lua_pop(L, 1);
    options->overlap = (enum tide_overlap)tide_bind_choice(L, arg, "overlap", overlaps, TIDE_OVERLAP_SKIP);
    options->catch_up = (enum tide_catch_up)tide_bind_choice(L, arg, "catch_up", catch_ups, TIDE_CATCH_UP_ONE);
    options->max_runs = (uint64_t)tide_bind_integer(L, arg, "max_runs", 1, LUA_MAXINTEGER, 0);
    options->max_failures = (uint64_t)tide_bind_integer(L, arg, "max_failures", 1, LUA_MAXINTEGER, 0);
    options->daemon = tide_bind_boolean(L, arg, "daemon", false);
}

/* tm.after(delay, fn, ...) */
static int after(lua_State *L)
{
    struct tide_periodic_options options = {.max_runs = 1};
    options.delay = nanoseconds(check_duration(L, 1, "the delay", false));
    luaL_checktype(L, 2, LUA_TFUNCTION);
    return tide_timer_start(L, 2, lua_gettop(L) - 2, &options, NULL, 0);
}

/* tm.every(interval, fn, options) */
static int every(lua_State *L)
{
    static const char *const keys[] = {"jitter",       "overlap", "catch_up",  "max_runs",
                                       "max_failures", "daemon",  "immediate", NULL};
    struct tide_periodic_options options = {0};
    options.interval = nanoseconds(check_duration(L, 1, "the interval", true));
    if (options.interval == 0)
        options.interval = 1;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    tide_timer_options(L, 3, keys, &options);
    options.delay = options.interval;
    if (!lua_isnoneornil(L, 3) && tide_bind_boolean(L, 3, "immediate", false))
        options.delay = 0;
    if (options.jitter > options.interval)
        return luaL_error(L, "bad option 'jitter' (at most the interval, else ticks would change places)");
    lua_settop(L, 2);
    return tide_timer_start(L, 2, -1, &options, NULL, 0);
}

/* ---- the class ---- */

static struct tide_periodic *check(lua_State *L, int arg)
{
    return (struct tide_periodic *)(void *)tide_handle_check(L, arg, &tide_periodic_class);
}

static int stop(lua_State *L)
{
    tide_periodic_stop(check(L, 1));
    lua_settop(L, 1);
    return 1;
}

static int join_finish(lua_State *L, int status, lua_KContext context)
{
    (void)status;
    (void)context;
    struct tide_periodic *periodic = check(L, 1);
    enum tide_wait_state how = tide_await_end(L);
    tide_periodic_leave(periodic, &tide_task_of(L)->waiter);
    tide_future_resume_own(tide_task_of(L));
    tide_await_check(L, how);
    lua_pushboolean(L, how == TIDE_WAIT_WOKEN);
    return 1;
}

static int join(lua_State *L)
{
    struct tide_periodic *periodic = check(L, 1);
    int64_t deadline = tide_await_deadline(L, 2);
    struct tide_task *task = tide_await_prepare(L);
    if (task->kind == &run_call && ((struct run *)task->work)->periodic == periodic)
        return luaL_error(L, "a timer's callback cannot join its own timer: it would wait for itself; use timer:stop()");
    tide_wait_begin(task);
    if (tide_periodic_enqueue(periodic, &task->waiter, task) && tide_await_skip(task)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_settop(L, 1);
    tide_future_lend_own(task);
    return tide_await(L, &(struct tide_await){.deadline = deadline, .what = "a timer to be stopped"}, 0, join_finish);
}

static int close(lua_State *L)
{
    tide_periodic_stop(check(L, 1));
    lua_settop(L, 1);
    return join(L);
}

static int is_active(lua_State *L)
{
    lua_pushboolean(L, !atomic_load(&check(L, 1)->stopped));
    return 1;
}

static int stats(lua_State *L)
{
    struct tide_periodic *periodic = check(L, 1);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)atomic_load(&periodic->runs));
    lua_setfield(L, -2, "runs");
    lua_pushinteger(L, (lua_Integer)atomic_load(&periodic->failures));
    lua_setfield(L, -2, "failures");
    lua_pushinteger(L, (lua_Integer)atomic_load(&periodic->missed));
    lua_setfield(L, -2, "missed");
    return 1;
}

static int tostring(lua_State *L)
{
    struct tide_periodic *periodic = check(L, 1);
    lua_pushfstring(L, "timer (%s, %I runs)", atomic_load(&periodic->stopped) ? "stopped" : "active",
                    (LUAI_UACINT)atomic_load(&periodic->runs));
    return 1;
}

void tide_open_timer(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"stop", stop}, {"join", join}, {"is_active", is_active}, {"stats", stats}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__close", close}, {"__tostring", tostring}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"after", after}, {"every", every}, {NULL, NULL}};
    tide_bind_class(L, &tide_periodic_class, methods, meta);
    luaL_setfuncs(L, functions, 0);
}
