/* require.h - modules: the searcher of those compiled in, and a `require` that may wait. */
#ifndef TIDE_BINDINGS_REQUIRE_H
#define TIDE_BINDINGS_REQUIRE_H

#include <lua.h>

/* Adds the searcher behind that of package.preload, and replaces `require`. In: -. Out: -. */
void tide_require_open(lua_State *L);

#endif
