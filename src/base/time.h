/* time.h - the monotonic clock, in nanoseconds, and the virtual one that stands in for it (docs/virtual-time.md).
 *
 * Threads   any; async-signal-safe.
 * Rule      inside, every wait takes an absolute deadline on this clock; TIDE_NEVER stands for none. What concerns the world
 *           outside of tasks (a sleep of a thread, libuv, --timeout, the grace of the run) takes the real clock instead.
 */
#ifndef TIDE_BASE_TIME_H
#define TIDE_BASE_TIME_H

#include <stdint.h>

#define TIDE_NEVER INT64_MAX
#define TIDE_MS(n) ((int64_t)(n) * 1000000)
#define TIDE_US(n) ((int64_t)(n) * 1000)

/* CLOCK_MONOTONIC; costs about 20 ns. In a run with virtual time that one. */
int64_t tide_now_ns(void);

/* CLOCK_MONOTONIC, always. */
int64_t tide_real_now_ns(void);

/* Seconds since the epoch (CLOCK_REALTIME or virtual), for people. */
double tide_wall_seconds(void);

/* now + seconds, saturating at TIDE_NEVER; `seconds` is >= 0 and may be infinite. A positive duration is at least 1 ns. */
int64_t tide_deadline_after(double seconds);

/* ---- virtual time: sched/baton.c ---- */

enum { TIDE_VIRTUAL_START_MS = 1000 }; /* tide_now_ns() at the beginning: not 0, which stands for "never" here and there */

/* While no other thread is there: time stands at this wall time from now on. */
void tide_virtual_begin(int64_t wall_ns);

/* Likewise: the real clock is back. */
void tide_virtual_end(void);

/* Who holds the baton: moves tide_now_ns(), and the wall time with it, to `now`, which does not lie behind it. */
void tide_virtual_set(int64_t now);

#endif
