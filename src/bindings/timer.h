/* timer.h - tm.after, tm.every and tm.cron as Lua sees them: what the makers of timers share.
 *
 * Used by   timer.c, cron.c; state.c.
 * Threads   the state's own, its home.
 */
#ifndef TIDE_BINDINGS_TIMER_H
#define TIDE_BINDINGS_TIMER_H

#include "bindings/state.h"
#include "exec/periodic.h"

#include <lua.h>

/* Reads the options at `arg` that all repeating timers have; `keys` lists those that are known, ended by NULL. */
void tide_timer_options(lua_State *L, int arg, const char *const keys[], struct tide_periodic_options *options);

/* A calendar's next instant, as periodic.h has it; `calendar` is the memory of a userdata. */
typedef double tide_calendar_next(void *calendar, double after);

/* Starts a timer that calls the function at `fn`: with the `count` values behind it, or, where count is -1, with a table that
 * tells about the tick. With `next` it follows the calendar whose userdata is at `calendar`. Pushes the handle; returns 1. */
int tide_timer_start(lua_State *L, int fn, int count, const struct tide_periodic_options *options, tide_calendar_next *next,
                     int calendar);

/* The state ran out of memory and will be rebuilt: ends its timers, and reports each. Those whose callback still runs are
 * retired behind it. */
void tide_timer_lose_all(struct tide_state *state);

#endif
