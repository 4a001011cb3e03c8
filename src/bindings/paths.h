/* paths.h - where workers look for modules: package.path, package.cpath and package.preload follow main's.
 *
 * Threads   publish on main, follow on the state's own thread.
 */
#ifndef TIDE_BINDINGS_PATHS_H
#define TIDE_BINDINGS_PATHS_H

#include <lua.h>

/* Main, before it sends a function that it did not send before: lets the workers know. Elsewhere it does nothing. A loader in
 * package.preload that cannot travel is left out; who requires its module elsewhere is told that there is none. */
void tide_paths_publish(lua_State *L);

/* A worker, before it decodes something: takes over what changed. */
void tide_paths_follow(lua_State *L);

/* Main, at the end. */
void tide_paths_fini(void);

#endif
