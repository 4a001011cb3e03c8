/* onsignal.h - tm.on_signal: functions of the script that run as tasks when a signal arrives.
 *
 * Threads   registering on any worker; dispatch and fini on main.
 */
#ifndef TIDE_BINDINGS_ONSIGNAL_H
#define TIDE_BINDINGS_ONSIGNAL_H

#include <lua.h>
#include <stdint.h>

/* tm.on_signal(name, fn): fn(name) runs in this state each time the signal arrives; nil takes it back. A registered
 * handler does not keep the program alive, but while there is one a wait for ever is no deadlock. */
int tide_onsignal(lua_State *L);

/* Main: has the functions for these signals run. */
void tide_onsignal_dispatch(uint64_t pending);

/* Main, at the end: forgets all. */
void tide_onsignal_fini(void);

#endif
