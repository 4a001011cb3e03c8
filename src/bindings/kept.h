/* kept.h - values that a state decoded for a shared object, to be given again as the same values.
 *
 * Used by   future.c (results), once.c.
 * Registry  none: { n = count, values... } is a user value of the handle. (A table that is weak by handle would do, too; but
 *           its collection takes quadratic time where each result has the future before it.)
 */
#ifndef TIDE_BINDINGS_KEPT_H
#define TIDE_BINDINGS_KEPT_H

#include <lua.h>

/* Keeps the values from `first` to the top for the handle at `index`. in, out: the values. Raises lack of memory. */
void tide_kept_put(lua_State *L, int index, int first);

/* Pushes what was kept for the handle at `index`; how many, -1 (nothing pushed) where nothing was. */
int tide_kept_push(lua_State *L, int index);

#endif
