/* civil.h - days of the Gregorian calendar, counted from 1 January 1970.
 *
 * Used by   formats/zone.c, formats/zonerule.c, formats/cron.c.
 * Threads   any.
 * Model     years begin in March, so that the leap day is the last one; 400 of them have TIDE_CIVIL_ERA days.
 */
#ifndef TIDE_FORMATS_CIVIL_H
#define TIDE_FORMATS_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

enum { TIDE_CIVIL_DAY = 86400, TIDE_CIVIL_ERA = 146097 };

/* Rounds down, unlike C's division. `by` is positive. */
static inline int64_t tide_civil_floor(int64_t value, int64_t by)
{
    return value / by - (value % by < 0);
}

static inline bool tide_civil_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int tide_civil_month_days(int64_t year, int month)
{
    return month == 2 ? 28 + tide_civil_is_leap(year) : 30 + ((month + (month > 7)) & 1);
}

/* The day of a date; month 1 to 12, day from 1 on. */
static inline int64_t tide_civil_days(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = tide_civil_floor(year, 400), of_era = year - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * TIDE_CIVIL_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* The date of a day. */
static inline void tide_civil_date(int64_t days, int64_t *year, int *month, int *day)
{
    days += 719468;
    int64_t era = tide_civil_floor(days, TIDE_CIVIL_ERA), of_era = days - era * TIDE_CIVIL_ERA;
    int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = (int)(of_era - (365 * years + years / 4 - years / 100)), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = years + era * 400 + (*month <= 2);
}

/* 0 is Sunday. */
static inline int tide_civil_weekday(int64_t days)
{
    return (int)(days + 4 - 7 * tide_civil_floor(days + 4, 7));
}

#endif
