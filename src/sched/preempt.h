/* preempt.h - how a running task is made to look up: signals and hooks.
 *
 * Normally (preempt_signal.c) nothing is installed while a task runs; the clock signals its thread, and the handler sets a
 * count hook of one instruction on the innermost coroutine, as lua.c does for Ctrl-C. Under ThreadSanitizer, which does not
 * deliver asynchronous signals, a permanent count hook looks at a flag (preempt_hook.c). Meson chooses the file. In a run
 * with virtual time a permanent hook counts instructions (preempt.c).
 *
 * Threads   as each line says. docs/internals/preemption.md has the reasons.
 */
#ifndef TIDE_SCHED_PREEMPT_H
#define TIDE_SCHED_PREEMPT_H

#include <stdbool.h>

struct lua_State;
struct tide_worker;
struct tide_task;

/* Process start: installs the handler. 0 or TIDE_ESYSTEM. */
int tide_preempt_init(void);

/* Any thread: has the task that runs on the worker reach tide_preempt_slice soon. */
void tide_preempt_signal(struct tide_worker *worker);

/* Owner: our own resume of L begins, or goes on, inside the running task. Puts L under the regime of this build, or hands a
 * pending interruption on to it. */
void tide_preempt_enter(struct tide_worker *worker, struct lua_State *L);

/* ---- shared by both files (preempt.c) ---- */

/* Owner, before the running task's innermost coroutine goes on: if a cancellation is due, arms the hook that raises it. */
void tide_preempt_arm(struct tide_worker *worker, struct lua_State *L);

/* Owner, in a hook on L that was taken off: raises or yields as is due. Returns if neither can be done here. */
void tide_preempt_slice(struct tide_worker *worker, struct lua_State *L);

/* Owner: takes our hook off L and puts the script's own back. */
void tide_preempt_disarm(struct tide_worker *worker, struct lua_State *L);

/* Async-signal-safe on L's own thread: that hook is armed. */
bool tide_preempt_delivering(struct lua_State *L);

/* Where runtime->hooks_always: puts on L the hook that stays: of every instruction, for --debug-yield-every-instruction, or the
 * one that counts them for a run with virtual time. */
void tide_preempt_always(struct tide_worker *worker, struct lua_State *L);

#endif
