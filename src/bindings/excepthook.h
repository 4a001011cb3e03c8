/* excepthook.h - who is told of threads that fail: a function of the script, or stderr.
 *
 * The function is a callback (callback.h) that stays, in the state that set it. Failures wait in one queue; each fires it once,
 * and each of its runs takes one. While a failure waits or is being told of, it holds the runtime.
 *
 * Used by   thread.c, program.c.
 * Threads   failed from any worker; set by a state's own; fini on main when no task is left.
 * Lock      one, rank 16. Under it the callback is fired.
 */
#ifndef TIDE_BINDINGS_EXCEPTHOOK_H
#define TIDE_BINDINGS_EXCEPTHOOK_H

#include "exec/thread.h"

#include <lua.h>

/* tide_thread_failed: hands it to the function, or prints it. */
void tide_excepthook_failed(struct tide_thread *thread);

/* tm.thread.set_excepthook(fn | nil) */
int tide_excepthook_set(lua_State *L);

void tide_excepthook_fini(void);

#endif
