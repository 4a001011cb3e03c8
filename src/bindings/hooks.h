/* hooks.h - debug.sethook and debug.gethook that show only the script's own hook.
 *
 * Lua has one hook a coroutine, and the scheduler needs it at times (sched/preempt.h). So the script's hook is kept in a table
 * of the registry, coroutine -> userdata, and put back behind the scheduler's. Slices leave it in place, or its events
 * and its count would be lost: while it is there a cut is asked for by a flag (worker->asked), and tide_hooks_call, which runs
 * at every step of STEP instructions at least, looks at it. The hook that raises a cancellation does replace it.
 *
 * Lua 5.4 tells of a call twice where a hook yields at the first instruction of a function: it starts the function anew when it
 * is resumed. The second time is kept from the script.
 *
 * Threads   the state's own.
 */
#ifndef TIDE_BINDINGS_HOOKS_H
#define TIDE_BINDINGS_HOOKS_H

#include <lua.h>

/* Replaces both in the debug library. In: -. Out: -. */
void tide_hooks_open(lua_State *L);

/* Puts the script's hook for L, if it has one, back in place. Called inside a hook of ours. */
void tide_hooks_restore(lua_State *L);

/* The hook that stands for the script's, on each coroutine that has one and, as Lua copies hooks, on those it makes. */
void tide_hooks_call(lua_State *L, lua_Debug *ar);

/* Between two tasks: takes all hooks off a coroutine that another task is going to use. `L` is the state's main thread. */
void tide_hooks_forget(lua_State *L, lua_State *co);

#endif
