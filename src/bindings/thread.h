/* thread.h - threads as the other bindings see them.
 *
 * Used by   program.c (main), call.c (the end of a task).
 * Threads   open and close of main on main; the rest the state's own.
 */
#ifndef TIDE_BINDINGS_THREAD_H
#define TIDE_BINDINGS_THREAD_H

#include "bindings/state.h"
#include "exec/thread.h"

/* Makes the thread that stands for the main chunk, before any script runs. 0 or TIDE_ENOMEM. */
int tide_thread_main_open(const struct tide_task *task);
void tide_thread_main_ended(void);
void tide_thread_main_close(void);

#endif
