/* zonerule.h - the rule of a time zone in one line, as POSIX has it in TZ and zone files in their last line (RFC 8536, 3.3).
 *
 *     CET-1CEST,M3.5.0,M10.5.0/3     a name and what is added to get UTC, the same for summer, when that begins and ends
 *     <+0545>-5:45                   no summer time
 *
 * Used by   formats/zone.c.
 * Threads   any; once parsed a rule is constant.
 */
#ifndef TIDE_FORMATS_ZONERULE_H
#define TIDE_FORMATS_ZONERULE_H

#include <stdbool.h>
#include <stdint.h>

enum tide_zonerule_kind { TIDE_RULE_WEEKDAY, TIDE_RULE_DAY, TIDE_RULE_NO_LEAP_DAY };

/* One change of the year. */
struct tide_zonerule_change {
    enum tide_zonerule_kind kind; /* Mm.w.d, n, Jn */
    int month, week, weekday;     /* of WEEKDAY; week 5 is the last */
    int day;                      /* of the others, from 0 on; NO_LEAP_DAY counts no 29 February */
    int32_t time;                 /* seconds of local time behind that day's midnight; negative, or days: both happen */
};

struct tide_zonerule {
    int32_t offsets[2];                     /* seconds east of UTC: standard time, daylight saving time */
    bool has_dst;
    struct tide_zonerule_change changes[2]; /* to standard time, to daylight saving time */
};

/* 0, or TIDE_EINVAL. A text with daylight saving time but no changes gets those of the USA, as in the C library. */
int tide_zonerule_parse(struct tide_zonerule *rule, const char *text);

/* The stretch around an instant in which nothing changes. */
void tide_zonerule_span(const struct tide_zonerule *rule, int64_t instant, int64_t *from, int64_t *to, bool *is_dst);

#endif
