/* builtins.h - functions of Lua's base library that may wait, or that know about tasks: print, tostring, load, loadfile,
 * dofile, os.exit. What they do for the script is what the manual says.
 */
#ifndef TIDE_BINDINGS_BUILTINS_H
#define TIDE_BINDINGS_BUILTINS_H

#include <lua.h>

/* Replaces them in the table on top, which is the base's globals. In: table. Out: table. */
void tide_builtins_open(lua_State *L);

#endif
