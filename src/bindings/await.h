/* await.h - a task's wait, as a binding writes it.
 *
 *     static int finish(lua_State *L, int status, lua_KContext context)      the direct path and the continuation are one
 *     {
 *         enum tide_wait_state how = tide_await_end(L);
 *         tide_event_leave(event, &task->waiter);                            off the list, whoever won
 *         tide_await_check(L, how);                                          raises the cancellation, or the problem
 *         ...push...
 *     }
 *
 *     tide_wait_begin(task);
 *     if (tide_event_enqueue(event, &task->waiter, task)) → tide_await_skip(L, …, finish)
 *     return tide_await(L, &(struct tide_await){…}, context, finish);
 *
 * Where the whole chain of coroutines can yield the task is parked; else its worker serves the other tasks in a nested loop.
 */
#ifndef TIDE_BINDINGS_AWAIT_H
#define TIDE_BINDINGS_AWAIT_H

#include "bindings/state.h"
#include "sched/graph.h"

enum tide_outside { TIDE_INSIDE, TIDE_OUTSIDE_JOB, TIDE_OUTSIDE_NETWORK };

struct tide_await {
    int64_t deadline;                      /* TIDE_NEVER: none */
    const struct tide_edge_class *edge;    /* who must act, or NULL */
    struct tide_object *object;            /* of the edge; kept alive by the caller's stack */
    const char *what;                      /* without an edge: what is waited for, static: "an event" */
    enum tide_outside outside;             /* for input or output: virtual time stands meanwhile */
};

/* Raises where no wait is possible at all: in a finalizer, outside a task. Call it before tide_wait_begin. Also raises a
 * cancellation that is due. Returns the running task. */
struct tide_task *tide_await_prepare(lua_State *L);

/* The open wait is queued: waits, then calls k. */
int tide_await(lua_State *L, const struct tide_await *how, lua_KContext context, lua_KFunction k);

/* The open wait turned out to be needless and nothing is queued. True: it is closed, go on. False: it was interrupted at the
 * same time; return tide_await(...) all the same. */
bool tide_await_skip(struct tide_task *task);

/* In k: closes the wait. */
enum tide_wait_state tide_await_end(lua_State *L);

/* In k, after leaving all lists: raises if the wait was interrupted or could not be. */
void tide_await_check(lua_State *L, enum tide_wait_state how);

/* The deadline of argument `arg`: nil or none waits for ever, a number >= 0 is a limit in seconds; else an argument error. */
int64_t tide_await_deadline(lua_State *L, int arg);

#endif
