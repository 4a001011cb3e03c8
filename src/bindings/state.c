#include "bindings/state.h"

#include "base/alloc.h"
#include "base/error.h"
#include "bindings/builtins.h"
#include "bindings/coro.h"
#include "bindings/errors.h"
#include "bindings/hooks.h"
#include "bindings/initializer.h"
#include "bindings/locals.h"
#include "bindings/module.h"
#include "bindings/protect.h"
#include "bindings/require.h"
#include "bindings/timer.h"
#include "bindings/virtual.h"
#include "bindings/warning.h"
#include "transport/transport.h"

#include <assert.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

static const char anchors, environments;

/* ---- open and close ---- */

static void replace_library(lua_State *L, const char *name, int (*open)(lua_State *))
{
    open(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    lua_setglobal(L, name);
}

static int open_all(lua_State *L)
{
    luaL_openlibs(L);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &environments);
    replace_library(L, "coroutine", tide_coro_open);
    tide_errors_open(L);
    lua_pushglobaltable(L);
    tide_protect_open(L);
    tide_builtins_open(L);
    lua_pop(L, 1);
    tide_hooks_open(L);
    tide_virtual_open(L);
    tide_require_open(L);
    tide_initializer_open(L);
    tide_locals_open(L);
    tide_transport_open(L);
    if (tide_worker_of(L)->index > 0) { /* handles may arrive before a task asks for the module */
        luaL_requiref(L, "tidemill.core", tide_open_core, 0);
        lua_pop(L, 1);
    }
    return 0;
}

static int panic(lua_State *L)
{
    fprintf(stderr, "tidemill: internal error outside of any protected call: %s\n", lua_tostring(L, -1));
    return 0; /* Lua aborts */
}

static int open_lua(struct tide_worker *worker, struct tide_state *state)
{
    state->L = lua_newstate(tide_memory_alloc, &state->memory);
    if (!state->L)
        return TIDE_ENOMEM;
    *(struct tide_worker **)lua_getextraspace(state->L) = worker;
    lua_atpanic(state->L, panic);
    tide_warning_open(state->L);
    worker->L = state->L;
    lua_gc(state->L, LUA_GCSTOP); /* nothing to collect while the libraries are opened */
    lua_pushcfunction(state->L, open_all);
    int status = lua_pcall(state->L, 0, 0, 0);
    if (status != LUA_OK && status != LUA_ERRMEM)
        fprintf(stderr, "tidemill: %s\n", lua_tostring(state->L, -1));
    lua_gc(state->L, LUA_GCRESTART);
    if (worker->index == 0) /* as lua.c does. With many coroutines each minor collection would look at all of them */
        lua_gc(state->L, LUA_GCGEN, 0, 0);
    return status == LUA_OK ? 0 : TIDE_ENOMEM;
}

int tide_state_open(struct tide_worker *worker)
{
    struct tide_state *state = tide_calloc(1, sizeof *state);
    if (!state)
        return TIDE_ENOMEM;
    state->worker = worker;
    tide_list_init(&state->timers);
    worker->state = state;
    int failed = open_lua(worker, state);
    if (failed)
        tide_state_close(worker);
    return failed;
}

static void close_lua(struct tide_state *state)
{
    if (state->L)
        lua_close(state->L);
    tide_memory_fini(&state->memory);
    state->L = state->worker->L = NULL;
    state->idle_count = state->free_count = state->next_slot = 0;
}

void tide_state_close(struct tide_worker *worker)
{
    struct tide_state *state = worker->state;
    if (!state)
        return;
    close_lua(state);
    while (tide_list_pop(&state->timers)) /* their links must not lead here any more */
        ;
    tide_free(state->free_slots);
    tide_strbuf_fini(&state->trace);
    tide_strbuf_fini(&state->problem);
    tide_strbuf_fini(&state->words);
    tide_strbuf_fini(&state->remote);
    tide_strbuf_fini(&state->warning);
    tide_free(state);
    worker->state = NULL;
}

/* ---- coroutines of tasks ---- */

static int new_coroutine(lua_State *L)
{
    struct tide_idle *out = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors);
    lua_State *co = lua_newthread(L);
    lua_sethook(co, NULL, 0, 0); /* it copies what hook its maker has */
    lua_rawseti(L, -2, out->slot);
    out->L = co;
    return 0;
}

static int take_slot(struct tide_state *state)
{
    return state->free_count ? state->free_slots[--state->free_count] : ++state->next_slot;
}

static void give_slot(struct tide_state *state, int slot)
{
    if (state->free_count == state->free_room) {
        int room = state->free_room ? state->free_room * 2 : 256;
        int *slots = tide_realloc(state->free_slots, (size_t)room * sizeof *slots);
        if (!slots)
            return; /* the slot is never used again: a word is lost, nothing else */
        state->free_slots = slots;
        state->free_room = room;
    }
    state->free_slots[state->free_count++] = slot;
}

int tide_state_protect(struct tide_state *state, lua_CFunction fn, void *arg)
{
    lua_State *L = state->L;
    bool before = state->memory.reserve;
    state->memory.reserve = true;
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, arg);
    int status = lua_pcall(L, 1, 0, 0);
    state->memory.reserve = before;
    return status;
}

lua_State *tide_state_coroutine(struct tide_state *state, int *slot)
{
    if (state->idle_count) {
        struct tide_idle *idle = &state->idle[--state->idle_count];
        *slot = idle->slot;
        return idle->L;
    }
    struct tide_idle made = {.slot = take_slot(state)};
    lua_pushcfunction(state->L, new_coroutine);
    lua_pushlightuserdata(state->L, &made);
    if (lua_pcall(state->L, 1, 0, 0) != LUA_OK) {
        lua_pop(state->L, 1);
        give_slot(state, made.slot);
        return NULL;
    }
    *slot = made.slot;
    return made.L;
}

static void clear_slot(lua_State *L, const void *key, int slot)
{
    /* assigning nil to an integer key allocates nothing and cannot raise */
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_pushnil(L);
    lua_rawseti(L, -2, slot);
    lua_pop(L, 1);
}

void tide_state_release(struct tide_state *state, lua_State *co, int slot, bool well)
{
    clear_slot(state->L, &environments, slot);
    if (well && state->idle_count < TIDE_IDLE_COROUTINES) {
        lua_settop(co, 0);
        state->idle[state->idle_count++] = (struct tide_idle){co, slot};
        return;
    }
    clear_slot(state->L, &anchors, slot);
    give_slot(state, slot);
}

/* ---- environments ---- */

void tide_state_push_environment(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    if (task) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &environments);
        lua_rawgeti(L, -1, task->slot);
        lua_remove(L, -2);
        if (lua_istable(L, -1))
            return;
        lua_pop(L, 1);
    }
    lua_pushglobaltable(L);
}

void tide_state_set_environment(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &environments);
    lua_insert(L, -2);
    lua_rawseti(L, -2, tide_task_of(L)->slot);
    lua_pop(L, 1);
}

/* ---- out of memory ---- */

/* More than this share of the limit still in use after a collection: it did not help. */
static bool still_full(const struct tide_state *state)
{
    return state->memory.used / 8 > tide_memory_limit() / 9;
}

static void fail_all(struct tide_worker *worker)
{
    tide_list_each (link, &worker->live)
        tide_cancel_request(&tide_container(link, struct tide_task, live)->root, TIDE_CANCEL_MEMORY);
}

static void rebuild(struct tide_worker *worker, struct tide_state *state)
{
    tide_timer_lose_all(state); /* those that a closer began meanwhile */
    close_lua(state);
    state->generation++;
    state->lost = false;
    if (open_lua(worker, state) != 0) {
        fprintf(stderr, "tidemill: worker %u: not enough memory to rebuild its Lua state\n", worker->index);
        _Exit(1);
    }
}

void tide_state_tend(struct tide_worker *worker)
{
    struct tide_state *state = worker->state;
    if (state->wants_collection) {
        state->wants_collection = false;
        lua_gc(state->L, LUA_GCCOLLECT);
        if (worker->index && still_full(state) && !state->lost) {
            state->lost = true;
            fail_all(worker);
            tide_timer_lose_all(state);
        }
    }
    if (state->lost && tide_list_empty(&worker->live))
        rebuild(worker, state);
}
