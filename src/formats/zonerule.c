#include "formats/zonerule.h"

#include "base/error.h"
#include "formats/civil.h"

#include <ctype.h>
#include <string.h>

/* ---- parsing: each takes its part from *at on, and returns false where it is not there ---- */

static bool take_name(const char **at)
{
    const char *p = *at;
    if (*p == '<') {
        for (p++; isalnum((unsigned char)*p) || *p == '+' || *p == '-'; p++)
            ;
        if (*p != '>' || p - *at < 2)
            return false;
        *at = p + 1;
        return true;
    }
    while (isalpha((unsigned char)*p))
        p++;
    bool found = p - *at >= 3;
    *at = p;
    return found;
}

static bool take_number(const char **at, int least, int most, int *number)
{
    int value = 0;
    const char *p = *at;
    for (; isdigit((unsigned char)*p) && value <= most; p++)
        value = value * 10 + *p - '0';
    if (p == *at || value < least || value > most)
        return false;
    *at = p;
    *number = value;
    return true;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

/* [+-]hh[:mm[:ss]] */
static bool take_time(const char **at, int most_hours, int32_t *seconds)
{
    int sign = take_char(at, '-') ? -1 : (take_char(at, '+'), 1), h, m = 0, s = 0;
    if (!take_number(at, 0, most_hours, &h))
        return false;
    if (take_char(at, ':')) {
        if (!take_number(at, 0, 59, &m) || (take_char(at, ':') && !take_number(at, 0, 59, &s)))
            return false;
    }
    *seconds = sign * (h * 3600 + m * 60 + s);
    return true;
}

static bool take_change(const char **at, struct tide_zonerule_change *change)
{
    bool found;
    *change = (struct tide_zonerule_change){.time = 2 * 3600};
    if (take_char(at, 'M')) {
        change->kind = TIDE_RULE_WEEKDAY;
        found = take_number(at, 1, 12, &change->month) && take_char(at, '.') && take_number(at, 1, 5, &change->week) &&
                take_char(at, '.') && take_number(at, 0, 6, &change->weekday);
    } else if (take_char(at, 'J')) {
        change->kind = TIDE_RULE_NO_LEAP_DAY;
        found = take_number(at, 1, 365, &change->day);
        change->day--;
    } else {
        change->kind = TIDE_RULE_DAY;
        found = take_number(at, 0, 365, &change->day);
    }
    return found && (!take_char(at, '/') || take_time(at, 167, &change->time));
}

int tide_zonerule_parse(struct tide_zonerule *rule, const char *text)
{
    struct tide_zonerule r = {0};
    const char *at = text;
    int32_t west;
    if (!take_name(&at) || !take_time(&at, 24, &west))
        return TIDE_EINVAL;
    r.offsets[0] = -west;
    r.has_dst = *at != '\0';
    if (r.has_dst) {
        if (!take_name(&at))
            return TIDE_EINVAL;
        r.offsets[1] = r.offsets[0] + 3600;
        if (*at && *at != ',') {
            if (!take_time(&at, 24, &west))
                return TIDE_EINVAL;
            r.offsets[1] = -west;
        }
        if (!*at)
            at = ",M3.2.0,M11.1.0";
        if (!take_char(&at, ',') || !take_change(&at, &r.changes[1]) || !take_char(&at, ',') ||
            !take_change(&at, &r.changes[0]) || *at)
            return TIDE_EINVAL;
    }
    *rule = r;
    return 0;
}

/* ---- looking up ---- */

static int64_t change_day(const struct tide_zonerule_change *change, int64_t year)
{
    if (change->kind == TIDE_RULE_DAY)
        return tide_civil_days(year, 1, 1) + change->day;
    if (change->kind == TIDE_RULE_NO_LEAP_DAY) /* 31 and 28 days come before March */
        return tide_civil_days(year, 1, 1) + change->day + (change->day >= 59 && tide_civil_is_leap(year));
    int64_t first = tide_civil_days(year, change->month, 1);
    int day = (change->weekday - tide_civil_weekday(first) + 7) % 7 + 7 * (change->week - 1);
    return first + (day < tide_civil_month_days(year, change->month) ? day : day - 7);
}

/* Who changes to standard or to daylight saving time does so by the clock of the other. */
static int64_t change_instant(const struct tide_zonerule *rule, int64_t year, bool to_dst)
{
    const struct tide_zonerule_change *change = &rule->changes[to_dst];
    return change_day(change, year) * TIDE_CIVIL_DAY + change->time - rule->offsets[!to_dst];
}

/* The last change before or at the instant decides. Changes may lie up to eight days outside of their year, hence three years.
 * Where summer ends as the next one begins it is always summer (RFC 8536, 3.3.1): of two at once the one to it comes last. */
void tide_zonerule_span(const struct tide_zonerule *rule, int64_t instant, int64_t *from, int64_t *to, bool *is_dst)
{
    int64_t year;
    int month, day;
    *from = INT64_MIN;
    *to = INT64_MAX;
    *is_dst = false;
    if (!rule->has_dst)
        return;
    tide_civil_date(tide_civil_floor(instant + rule->offsets[0], TIDE_CIVIL_DAY), &year, &month, &day);
    for (int64_t y = year - 1; y <= year + 1; y++) {
        for (int dst = 0; dst <= 1; dst++) {
            int64_t at = change_instant(rule, y, dst);
            if (at <= instant && at >= *from) {
                *is_dst = dst;
                *from = at;
            } else if (at > instant && at < *to) {
                *to = at;
            }
        }
    }
}
