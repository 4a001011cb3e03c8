/* warning.h - Lua's `warn`: "@on", "@off", and whole lines on stderr. */
#ifndef TIDE_BINDINGS_WARNING_H
#define TIDE_BINDINGS_WARNING_H

#include <lua.h>

/* Sets the warning function of a fresh state, off as in plain `lua`. One switch serves all states. */
void tide_warning_open(lua_State *L);

#endif
