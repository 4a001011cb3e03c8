/* cron.h - cron expressions: what they mean, and the instants at which they are due in a time zone.
 *
 * Used by   bindings/cron.c.
 * Threads   any; once parsed an expression is constant. It holds no memory.
 *
 *     minute hour day-of-month month day-of-week            or six fields, with the second in front
 *
 *     *              all values                   JAN to DEC, SUN to SAT  names, in any case
 *     a  a-b  x,y    one; from a to b; a list     7                       Sunday, as 0
 *     /n             each n-th of *, of a-b,      L  L-n                  the last day of the month; n days before it
 *                    or of a and all behind it    5L                      the last Friday of the month
 *     ?              as *, in the fields of days
 *
 * Days      where neither field of days begins with * or ? a day has to match only one of them, else both (cron's own rule).
 *
 * Clocks that jump
 *           An expression whose hour field has all 24 hours follows the clock: it is due whenever the clock shows a time that
 *           matches, so it goes on behind a gap, and in both passes of times that come twice. Any other has times of its own:
 *           each is due once, at the first instant at which the clock shows it *or a later time*. So one in a gap is due at the
 *           gap's end, together with others of the gap, and one that comes twice in the first pass only.
 */
#ifndef TIDE_FORMATS_CRON_H
#define TIDE_FORMATS_CRON_H

#include "formats/zone.h"

#include <stdbool.h>
#include <stdint.h>

enum { TIDE_CRON_SIZE = 500, TIDE_CRON_PROBLEM = 2 * TIDE_CRON_SIZE + 400 };

/* Bit v stands for the value v. */
struct tide_cron {
    uint64_t seconds, minutes;
    uint32_t hours, days, months, weekdays;
    uint32_t last_days;      /* bit n: n days before the last one of the month */
    uint32_t last_weekdays;  /* bit w: the last one of the month that is w */
    bool either;             /* one of the two fields of days is enough */
    bool follows_clock;
};

/* 0, or TIDE_EINVAL with `problem`: several lines that say which field is wrong, where, and what is allowed there. */
int tide_cron_parse(struct tide_cron *cron, const char *text, char problem[TIDE_CRON_PROBLEM]);

/* The first instant behind `after`, which may be up to TIDE_ZONE_MOST away from 0, at which it is due. There is always one. */
int64_t tide_cron_next(const struct tide_cron *cron, const struct tide_zone *zone, int64_t after);

/* ---- between cron.c and cron_parse.c ---- */

/* The first local time from `from` on that matches; false where there is none before `limit`. */
bool tide_cron_next_local(const struct tide_cron *cron, int64_t from, int64_t limit, int64_t *local);

#endif
