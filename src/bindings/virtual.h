/* virtual.h - what scripts see of virtual time (docs/virtual-time.md): os.time, os.clock, os.date and math.random follow it.
 *
 * Threads   the state's own.
 */
#ifndef TIDE_BINDINGS_VIRTUAL_H
#define TIDE_BINDINGS_VIRTUAL_H

#include <lua.h>

/* In a run with virtual time replaces those functions; else does nothing. In: -. Out: -. */
void tide_virtual_open(lua_State *L);

#endif
