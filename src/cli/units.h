/* units.h - numbers as people write them on a command line: 16, 1.5s, 10m, 512M.
 *
 * Used by   options.c.
 * Threads   any; independent of the locale.
 * Errors    false, and `out` unchanged: not such a number, trailing text, or outside the range of the type.
 */
#ifndef TIDE_CLI_UNITS_H
#define TIDE_CLI_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal integer between `min` and `max`, which are >= 0. */
bool tide_read_integer(const char *text, int64_t min, int64_t max, int64_t *out);

/* Seconds, or a number with ms, s, m or h behind it; in nanoseconds. */
bool tide_read_duration(const char *text, int64_t *out);

/* An instant in UTC, from 1970 to 2261: YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS, a fraction and Z may follow; or seconds since 1970.
 * In nanoseconds since then. */
bool tide_read_instant(const char *text, int64_t *out);

/* Bytes, or a number with K, M, G or T behind it, each 1024 times the one before. KB and KiB are the same as K. */
bool tide_read_size(const char *text, int64_t *out);

#endif
