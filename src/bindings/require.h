/* require.h - modules: the searcher of those compiled in, a `require` that may wait, and paths that follow main's.
 *
 * Threads   open and follow on the state's own thread; publish on main.
 */
#ifndef TIDE_BINDINGS_REQUIRE_H
#define TIDE_BINDINGS_REQUIRE_H

#include <lua.h>

/* Adds the searcher behind that of package.preload, and replaces `require`. In: -. Out: -. */
void tide_require_open(lua_State *L);

/* Main, before it sends something: lets the workers know package.path and package.cpath. Elsewhere it does nothing. */
void tide_require_publish(lua_State *L);

/* A worker, before it decodes something: takes them over if they changed. */
void tide_require_follow(lua_State *L);

#endif
