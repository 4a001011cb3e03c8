/* state.h - the Lua state of one worker, and what the bindings keep beside it.
 *
 * Used by   every file of bindings.
 * Threads   the worker's own, all of it.
 * Layout    lua_getextraspace(L) of every coroutine holds the struct tide_worker *, its lowest bit set while the coroutine is
 *           inside a scheduler yield (coro.h). Registry: &anchors -> { [slot] = coroutine of a task or an idle one },
 *           &environments -> { [slot] = the environment that the task's load and dofile use, if it has one of its own }.
 */
#ifndef TIDE_BINDINGS_STATE_H
#define TIDE_BINDINGS_STATE_H

#include "base/strbuf.h"
#include "bindings/memory.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdint.h>

enum { TIDE_IDLE_COROUTINES = 64 };

struct tide_idle {
    lua_State *L;
    int slot;
};

struct tide_state {
    struct tide_worker *worker;
    lua_State *L;                     /* main thread; runs no code of the script */
    struct tide_memory memory;
    struct tide_idle idle[TIDE_IDLE_COROUTINES]; /* coroutines that ended well, to be used again */
    int idle_count;
    int *free_slots;                  /* anchors that were given back */
    int free_count, free_room, next_slot;
    struct tide_strbuf trace;         /* traceback of the error that the running task's base frame caught */
    struct tide_strbuf problem;       /* why a wait could not be: see await.h */
    struct tide_strbuf words;         /* a text that is pushed as soon as it is made: no other task runs meanwhile */
    bool wants_collection;            /* a task ran out of memory */
    uint32_t paths_version;           /* of package.path and cpath as they were taken over */
    struct tide_strbuf remote;        /* tracebacks of other tasks that came with the error raised last */
    const void *sent;                 /* the code that was submitted last; compared, never followed */
    struct tide_places *places;       /* of functions that took locks (lock.c); a userdata of the state */
    bool lost;                        /* collection did not help: fail all and rebuild */
    uint32_t generation;              /* how often it was rebuilt: references into the registry of an earlier one are void */
    struct tide_list timers;          /* callbacks of those that live here (timer.c) */
    bool warning_goes_on;             /* more pieces of the present one are to come */
    struct tide_strbuf warning;       /* one that is not complete yet */
};

static inline struct tide_worker *tide_worker_of(lua_State *L)
{
    return (struct tide_worker *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

static inline struct tide_state *tide_state_of(lua_State *L)
{
    return tide_worker_of(L)->state;
}

/* The task that runs; never NULL inside a script's code, but NULL while a state is opened or closed. */
static inline struct tide_task *tide_task_of(lua_State *L)
{
    return tide_worker_of(L)->task;
}

/* Makes worker->L and opens all libraries in it. 0 or TIDE_ENOMEM. */
int tide_state_open(struct tide_worker *worker);

/* Closes the state; finalizers run. Accepts a worker without one. */
void tide_state_close(struct tide_worker *worker);

/* A coroutine for a task, anchored, its stack empty; between two tasks. NULL: out of memory. */
lua_State *tide_state_coroutine(struct tide_state *state, int *slot);

/* The task's coroutine has ended (`well`: it may be used again); between two tasks. */
void tide_state_release(struct tide_state *state, lua_State *co, int slot, bool well);

/* Between two tasks: collects, or rebuilds the state, if it ran out of memory. */
void tide_state_tend(struct tide_worker *worker);

/* Pushes the environment that code loaded by the running task gets: its own, or the state's base. In: -. Out: table. */
void tide_state_push_environment(lua_State *L);

/* Sets it for the running task. In: table. Out: -. */
void tide_state_set_environment(lua_State *L);

/* Runs fn(L, arg) between two tasks under a pcall, with the memory reserve open; 0, or the status with the message on top of
 * state->L. */
int tide_state_protect(struct tide_state *state, lua_CFunction fn, void *arg);

#endif
