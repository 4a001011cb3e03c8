/* call.h - a future's call, run as a task: the base frame of the coroutine, decoding, results, failures.
 *
 * Used by   executor.c, group.c (their futures' entries), program.c and callback.c (calls that were not sent).
 * Threads   the worker's own.
 */
#ifndef TIDE_BINDINGS_CALL_H
#define TIDE_BINDINGS_CALL_H

#include "bindings/state.h"
#include "sync/future.h"

/* The `start` of every future's entry. */
void tide_call_start(struct tide_entry *entry, struct tide_worker *worker);

/* What a task of this state does, other than running a future. `run` is its base function, called with one light userdata,
 * `subject`. `ended` is told when the coroutine has ended, with the status of lua_resume; it reads an error from the top of
 * task->L. Then the task is freed. */
struct tide_local_call {
    lua_CFunction run;
    void (*ended)(struct tide_task *task, void *subject, int status);
    const char *(*name)(struct tide_task *task);
};

/* Between two tasks, or inside one: queues a task of this state. NULL: out of memory. */
struct tide_task *tide_call_local(struct tide_state *state, const struct tide_local_call *call, void *subject);

/* engine.ended */
void tide_call_ended(struct tide_worker *worker, struct tide_task *task, int status);

/* A message handler that keeps the traceback of the error in state->trace. */
int tide_call_traceback(lua_State *L);

#endif
