/* transport.h - values on their way between Lua states: what one state needs for it.
 *
 * Used by   bindings/state.c, once for each state; everything else is in pack.h, handle.h, env.h, captures.h.
 * Threads   every function of transport that takes a lua_State runs on that state's thread, inside lua_resume or a pcall.
 *           Parcels and codes (parcel.h) belong to no state.
 * Errors    functions that take a lua_State raise: refusals, corrupt messages and lack of memory. Nothing of the C heap is
 *           lost by that: what is under way hangs on a userdata.
 */
#ifndef TIDE_TRANSPORT_TRANSPORT_H
#define TIDE_TRANSPORT_TRANSPORT_H

#include <lua.h>
#include <stdbool.h>

/* Prepares a state: remembers the base (which globals and which members of modules there are now, so that they travel by
 * name), and makes the registries. Called once, in a pcall, after the standard libraries were opened and after what replaces
 * some of them, and before any script runs. Returns 0; raises if memory is short or if this Lua's bytecode is not the one
 * that bytecode.c reads. Everything goes with lua_close. */
int tide_transport_open(lua_State *L);

/* With `strict`, captures.h looks at every task, not at one in 64, and reports a function each time. */
void tide_transport_set_strict(lua_State *L, bool strict);

#endif
