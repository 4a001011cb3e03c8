/* time.h - the monotonic clock, in nanoseconds.
 *
 * Threads   any; async-signal-safe.
 * Rule      inside, every wait takes an absolute deadline on this clock; TIDE_NEVER stands for none.
 */
#ifndef TIDE_BASE_TIME_H
#define TIDE_BASE_TIME_H

#include <stdint.h>

#define TIDE_NEVER INT64_MAX
#define TIDE_MS(n) ((int64_t)(n) * 1000000)
#define TIDE_US(n) ((int64_t)(n) * 1000)

/* CLOCK_MONOTONIC; costs about 20 ns. */
int64_t tide_now_ns(void);

/* Seconds since the epoch (CLOCK_REALTIME), for people. */
double tide_wall_seconds(void);

/* now + seconds, saturating at TIDE_NEVER; `seconds` is >= 0 and may be infinite. A positive duration is at least 1 ns. */
int64_t tide_deadline_after(double seconds);

#endif
