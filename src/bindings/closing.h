/* closing.h - whether the running code lies inside a closer, so that a cancellation does not cut it off half-way.
 *
 * While a cancellation travels nothing else is delivered, and so the closers on its way are left in peace. This is for the
 * others: those of a block that ends well, or by an ordinary error, at the moment when a cancellation falls due. The
 * hook that delivers asks here and passes on until they have returned, or the grace is over. Waits do not ask: a wait in such
 * a closer is interrupted like any other, unless tm.shield is around it.
 *
 * Lua keeps no mark of "this call is a closer". It is told from the stack: by the name that debug.getinfo gives to it, or by
 * what its caller, a C function whose pcall failed, has on top: the closed value and the error. A function that a Lua closer
 * tail-called (`return g:release()`) cannot be told from one that an ordinary function tail-called, so there the cancellation
 * is only held back for a moment.
 *
 * Used by   program.c, for the engine. Threads: the worker's own, inside a hook.
 */
#ifndef TIDE_BINDINGS_CLOSING_H
#define TIDE_BINDINGS_CLOSING_H

#include "bindings/state.h"

/* True: the cancellation of `scope` is not to be raised at this point of L. */
bool tide_closing_holds(lua_State *L, struct tide_cancel *scope);

#endif
