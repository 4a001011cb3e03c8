/* lock.h - what conditions share with locks: their methods, and what is said where one cannot be used.
 *
 * Used by   condition.c, call.c, map.c. Threads: the worker's own.
 */
#ifndef TIDE_BINDINGS_LOCK_H
#define TIDE_BINDINGS_LOCK_H

#include "bindings/bind.h"
#include "sync/lock.h"

/* The lock at `arg`, or that of the condition there. */
struct tide_lock *tide_lock_check(lua_State *L, int arg);

/* The running task took the lock: remembers the line of the script that called us. */
void tide_lock_note_caller(lua_State *L, struct tide_lock *lock);

/* Raises "cannot <deed> the lock 'jobs': it is …" and what to do about it; of kind "abandoned" where it is that. */
int tide_lock_complain(lua_State *L, struct tide_lock *lock, const char *deed);

/* Raises that it was found abandoned, with kind "abandoned", also where it has been reset since. */
int tide_lock_complain_abandoned(lua_State *L, struct tide_lock *lock);

/* acquire and so on, for handles of both; ended by NULL. */
extern const luaL_Reg tide_lock_methods[];

#endif
