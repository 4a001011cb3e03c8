/* call.h - a future's call, run as a task: the base frame of the coroutine, decoding, results, failures.
 *
 * Used by   executor.c, scope.c, thread.c (their futures' entries), program.c and callback.c (calls that were not sent).
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

/* How the call of a future is made: `local.ended` and `local.name` are the two below, and `complete` does what the base
 * function could not, as tide_future_finish. */
struct tide_call_sort {
    struct tide_local_call local; /* first */
    int (*begin)(struct tide_future *future, struct tide_task *task); /* as tide_future_begin */
    void (*complete)(struct tide_future *future, enum tide_future_state state, struct tide_message *error, char *text);
};
void tide_call_future_ended(struct tide_task *task, void *subject, int status);
const char *tide_call_future_name(struct tide_task *task);

/* As tide_call_start, for a sort of future that is not called plainly (map.c). */
void tide_call_start_sort(struct tide_entry *entry, struct tide_worker *worker, const struct tide_call_sort *sort);

/* The base function of a plain call; its subject is the future. */
int tide_call_run(lua_State *L);

/* The future that a task runs, NULL if it runs something else. */
struct tide_future *tide_call_future(struct tide_task *task);

/* Inside the task: pushes the function of its future. May wait, where a module has to be loaded. */
void tide_call_function(lua_State *L, struct tide_future *future);

/* The function at `index`, which the one above pushed, has run. What it captured is its own copy: if it changed that, says so
 * once for each function; or, under --strict, pushes the reason for which the future has to fail: true. */
bool tide_call_captures_changed(lua_State *L, int index, struct tide_future *future);

/* In the state where an error caught by the base frame is on top: packs it, or its text where it cannot travel. */
struct tide_message *tide_call_pack_error(lua_State *L);

/* The error on top is about to be raised for a future that failed elsewhere: its traceback rides along in reports, in the place
 * of the last one, or behind it where `more` says that it belongs to the same error. */
void tide_call_remote_trace(lua_State *L, struct tide_future *future, bool more);

/* engine.ended */
void tide_call_ended(struct tide_worker *worker, struct tide_task *task, int status);

/* A message handler that keeps the traceback of the error in state->trace. */
int tide_call_traceback(lua_State *L);

#endif
