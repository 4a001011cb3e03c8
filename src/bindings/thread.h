/* thread.h - threads as the other bindings see them.
 *
 * Used by   program.c (main), thread.c (the rest). Written in thread_list.c.
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

/* The thread that stands for the main chunk. */
struct tide_thread *tide_thread_main(void);

/* The thread whose task runs, NULL in others' tasks. */
struct tide_thread *tide_thread_own(lua_State *L);

/* What tm.thread.current, main, enumerate and active_count are, and what they need in each state. */
int tide_thread_current(lua_State *L);
int tide_thread_push_main(lua_State *L);
int tide_thread_enumerate(lua_State *L);
int tide_thread_active_count(lua_State *L);
void tide_thread_list_open(lua_State *L);

#endif
