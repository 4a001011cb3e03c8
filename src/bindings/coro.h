/* coro.h - the coroutine library that a scheduler yield passes through.
 *
 * A resume that comes back because the scheduler wants the thread (a wait, a cut slice) yields in its turn, to its own
 * resumer, and resumes the inner coroutine again when it is resumed itself: the script sees nothing of it. While a coroutine
 * lies inside such a yield it is marked (lowest bit of its extra space): it belongs to its task; for everybody else it is
 * 'normal', not to be resumed or closed. A task's base coroutine behaves as the main thread of plain lua does.
 */
#ifndef TIDE_BINDINGS_CORO_H
#define TIDE_BINDINGS_CORO_H

#include "bindings/state.h"

static inline void tide_coro_mark(lua_State *co)
{
    *(uintptr_t *)lua_getextraspace(co) |= 1;
}

static inline void tide_coro_unmark(lua_State *co)
{
    *(uintptr_t *)lua_getextraspace(co) &= ~(uintptr_t)1;
}

static inline bool tide_coro_marked(lua_State *co)
{
    return *(uintptr_t *)lua_getextraspace(co) & 1;
}

/* luaopen_coroutine's place: pushes the library. */
int tide_coro_open(lua_State *L);

#endif
