/* kept.h - values that a state decoded for a shared object, to be given again as the same values.
 *
 * Used by   future.c (results), once.c.
 * Registry  &kept -> { [handle] = { n = count, values... } }, weak by handle: they go with the state's handle.
 */
#ifndef TIDE_BINDINGS_KEPT_H
#define TIDE_BINDINGS_KEPT_H

#include <lua.h>

void tide_kept_open(lua_State *L);

/* Keeps the values from `first` to the top for the handle at `index`. in, out: the values. Raises lack of memory. */
void tide_kept_put(lua_State *L, int index, int first);

/* Pushes what was kept for the handle at `index`; how many, -1 (nothing pushed) where nothing was. */
int tide_kept_push(lua_State *L, int index);

#endif
