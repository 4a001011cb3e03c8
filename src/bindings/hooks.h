/* hooks.h - debug.sethook and debug.gethook that show only the script's own hook.
 *
 * Lua has one hook a coroutine, and the scheduler needs it at times (sched/preempt.h). So the script's hook is kept in a table
 * of the registry, coroutine -> {function, mask, count}, and put back whenever the scheduler took its own off.
 */
#ifndef TIDE_BINDINGS_HOOKS_H
#define TIDE_BINDINGS_HOOKS_H

#include <lua.h>

/* Replaces both in the debug library. In: -. Out: -. */
void tide_hooks_open(lua_State *L);

/* Puts the script's hook for L, if it has one, back in place. Called inside a hook of ours. */
void tide_hooks_restore(lua_State *L);

/* Between two tasks: takes all hooks off a coroutine that another task is going to use. `L` is the state's main thread. */
void tide_hooks_forget(lua_State *L, lua_State *co);

#endif
