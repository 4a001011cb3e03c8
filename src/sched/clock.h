/* clock.h - the thread that cuts slices, enforces time limits and passes signals on.
 *
 * It looks every millisecond while some worker has run one task since its last look and has something else ready or due, else
 * every ten; it sleeps while no worker is busy. It never touches a Lua state: it signals the thread that does (preempt.h).
 * It starts with the run, not at first use: only so is the grace of a first Ctrl-C kept while main sits in a C call.
 *
 * Threads   its own; tide_clock_wake from any, async-signal-safe.
 */
#ifndef TIDE_SCHED_CLOCK_H
#define TIDE_SCHED_CLOCK_H

struct tide_runtime;

int tide_clock_start(struct tide_runtime *runtime);  /* 0 or TIDE_ETHREAD */
void tide_clock_stop(struct tide_runtime *runtime);  /* joins it */

/* Any thread, signal handlers too: has it look at once. */
void tide_clock_wake(struct tide_runtime *runtime);

/* A worker became busy: wakes the clock if it sleeps for want of work. */
void tide_clock_busy(struct tide_runtime *runtime);

#endif
