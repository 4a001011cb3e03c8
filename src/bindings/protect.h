/* protect.h - pcall and xpcall that a cancellation passes through, and the error that it travels as.
 *
 * A protected call remembers task->deliveries of its start. If, when it ends, a cancellation travels that was delivered later,
 * the call lies on its way out: whatever it caught, or let pass as a success (a foreign C pcall below swallowed the error), it
 * raises the cancellation again. A protected call made by a closer while one travels is not on its way and works as ever.
 */
#ifndef TIDE_BINDINGS_PROTECT_H
#define TIDE_BINDINGS_PROTECT_H

#include "bindings/state.h"
#include "sched/cancel.h"

/* Marks `scope` as delivered and raises its error; does not return. */
int tide_cancel_raise(lua_State *L, struct tide_cancel *scope);

/* Pushes the error value of a cancellation for this reason. */
void tide_cancel_push(lua_State *L, enum tide_cancel_reason reason);

/* A token for the start of a protected stretch, at most 31 bits. */
static inline uint32_t tide_protect_enter(lua_State *L)
{
    struct tide_task *task = tide_task_of(L);
    return task ? task->deliveries & 0x7fffffff : 0;
}

/* At its end (`failed`: an error was caught): does not return if a cancellation has to travel on. */
void tide_protect_leave(lua_State *L, uint32_t token, bool failed);

/* The error on top ended a stretch that `scope` cancelled. If it is not the cancellation itself, a closer failed on the way:
 * says so on stderr, and makes the exit code 1. in, out: the error */
void tide_protect_report(lua_State *L, struct tide_cancel *scope);

/* The same where a protected stretch that began with `token` caught the error on top, and lies on a cancellation's way. */
void tide_protect_passing(lua_State *L, uint32_t token);

/* Pushes the error value of a task whose own allocation failed. */
void tide_memory_error_push(lua_State *L);

/* Replaces pcall and xpcall in the table on top; tide_errors_open came before. */
void tide_protect_open(lua_State *L);

#endif
