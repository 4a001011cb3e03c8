/* locals.h - what a task keeps for itself, and what a worker's state keeps for all its tasks: tm.task_local, tm.worker_local.
 *
 * Layout    registry: &task_values -> { [slot of a task] = its values }, &worker_values -> the values of the state. Values:
 *           [3i] = generation, [3i + 1] = value, [3i + 2] = who makes it, for the local with index i; [0] of a task's is the
 *           thread that stands for it (thread.c).
 * Used by   thread.c, call.c, state.c. Threads: the state's own.
 */
#ifndef TIDE_BINDINGS_LOCALS_H
#define TIDE_BINDINGS_LOCALS_H

#include "bindings/state.h"

/* Once for each state. In: -. Out: -. */
void tide_locals_open(lua_State *L);

/* Pushes the table of the running task's values; makes it if there is none. Raises where no task runs. */
void tide_locals_push(lua_State *L);

/* Between two tasks: the task has ended, and its values go. */
void tide_locals_forget(struct tide_state *state, struct tide_task *task);

#endif
