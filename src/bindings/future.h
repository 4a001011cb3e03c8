/* future.h - futures as the other bindings see them.
 *
 * Threads   the state's own.
 */
#ifndef TIDE_BINDINGS_FUTURE_H
#define TIDE_BINDINGS_FUTURE_H

#include "bindings/state.h"
#include "sync/future.h"

/* The future at argument `arg`, else an argument error. */
struct tide_future *tide_future_check(lua_State *L, int arg);

/* A pending future for the function at `index` and the `count` values behind it, anchored by its handle, which is pushed. It is
 * not submitted yet. Raises refusals. */
struct tide_future *tide_future_make(lua_State *L, int index, int count);

/* The same for a fresh future whose handle the caller has: fills in function, name and call. */
void tide_future_prepare(lua_State *L, struct tide_future *future, int index, int count);

/* Pushes the values of a future that is done, or raises its error or that it was cancelled. Returns how many. */
int tide_future_outcome(lua_State *L, int index, struct tide_future *future);

/* Pushes the error of a future that is complete, nil if it ended well, or raises that it was cancelled. Returns 1. */
int tide_future_outcome_error(lua_State *L, int index, struct tide_future *future);

/* Pushes the error value of a failed future. */
void tide_future_push_error(lua_State *L, struct tide_future *future);

/* The calling task lends its slot, and has it back. */
void tide_future_lend_own(struct tide_task *task);
void tide_future_resume_own(struct tide_task *task);

#endif
