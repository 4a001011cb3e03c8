#include "formats/cron.h"

#include "formats/civil.h"

/* ---- local times ---- */

/* Weekdays as days of a month whose day 1 is the weekday `first`. */
static uint32_t every_week(uint32_t weekdays, int first)
{
    uint64_t week = (weekdays << 7 | weekdays) >> first & 0x7f;
    return (uint32_t)((week | week << 7 | week << 14 | week << 21 | week << 28) << 1);
}

/* The days of a month that match, bit d for day d. */
static uint32_t matching_days(const struct tide_cron *cron, int64_t year, int month)
{
    int length = tide_civil_month_days(year, month), first = tide_civil_weekday(tide_civil_days(year, month, 1));
    uint32_t there = UINT32_MAX >> (31 - length) & ~1u, last_week = there & ~(UINT32_MAX >> (31 - length + 7));
    uint32_t days = cron->days, weekdays = every_week(cron->weekdays, first);
    for (uint32_t before = cron->last_days; before; before &= before - 1) {
        int day = length - __builtin_ctz(before);
        days |= day >= 1 ? 1u << day : 0;
    }
    weekdays |= every_week(cron->last_weekdays, first) & last_week;
    return there & (cron->either ? days | weekdays : days & weekdays);
}

/* The lowest bit from `from` on; -1. */
static int bit_from(uint64_t set, int from)
{
    set = from < 64 ? set >> from << from : 0;
    return set ? __builtin_ctzll(set) : -1;
}

/* The first time of day that matches, from `from` on, in seconds; -1. */
static int matching_time(const struct tide_cron *cron, int from)
{
    int h = from / 3600, m = from / 60 % 60, second = bit_from(cron->seconds, from % 60);
    int minute = bit_from(cron->minutes, second >= 0 ? m : m + 1);
    int hour = bit_from(cron->hours, minute >= 0 ? h : h + 1);
    if (hour < 0)
        return -1;
    if (hour != h)
        minute = bit_from(cron->minutes, 0);
    if (hour != h || minute != m)
        second = bit_from(cron->seconds, 0);
    return hour * 3600 + minute * 60 + second;
}

bool tide_cron_next_local(const struct tide_cron *cron, int64_t from, int64_t limit, int64_t *local)
{
    int64_t today = tide_civil_floor(from, TIDE_CIVIL_DAY), year;
    int time = (int)(from - today * TIDE_CIVIL_DAY), month, day;
    tide_civil_date(today, &year, &month, &day);
    for (;;) {
        uint32_t days = cron->months >> month & 1 ? matching_days(cron, year, month) : 0;
        for (int next; (next = bit_from(days, day)) >= 0; day = next + 1, time = 0) {
            int found = matching_time(cron, next == day ? time : 0);
            if (found >= 0) {
                *local = tide_civil_days(year, month, next) * TIDE_CIVIL_DAY + found;
                return *local < limit;
            }
        }
        year += month == 12;
        month = month % 12 + 1;
        day = 1;
        time = 0;
        if (tide_civil_days(year, month, 1) * TIDE_CIVIL_DAY >= limit)
            return false;
    }
}

/* ---- instants ---- */

/* The latest local time that a clock has shown up to an instant, which is in the span. */
static int64_t latest_shown(const struct tide_zone *zone, const struct tide_zone_span *span, int64_t instant)
{
    enum { FARTHEST = TIDE_ZONE_EAST - TIDE_ZONE_WEST };
    struct tide_zone_span before = *span;
    int64_t latest = instant + span->offset;
    while (before.from > instant - FARTHEST) {
        int64_t end = before.from - 1;
        tide_zone_span(zone, end, &before);
        if (end + before.offset > latest)
            latest = end + before.offset;
    }
    return latest;
}

/* The end of a span on its clock. */
static int64_t local_end(const struct tide_zone_span *span)
{
    return span->to == INT64_MAX ? INT64_MAX : span->to + span->offset;
}

/* Due when the clock shows a time that matches. */
static int64_t next_shown(const struct tide_cron *cron, const struct tide_zone *zone, struct tide_zone_span *span, int64_t from)
{
    int64_t local;
    while (!tide_cron_next_local(cron, from + span->offset, local_end(span), &local)) {
        from = span->to;
        tide_zone_span(zone, from, span);
    }
    return local - span->offset;
}

/* Due when the clock for the first time shows the next time that matches, or a later one. */
static int64_t next_reached(const struct tide_cron *cron, const struct tide_zone *zone, struct tide_zone_span *span,
                            int64_t from)
{
    int64_t local;
    tide_cron_next_local(cron, latest_shown(zone, span, from - 1) + 1, INT64_MAX, &local);
    if (local >= local_end(span) && local - TIDE_ZONE_EAST > from) { /* nowhere is it so late before that */
        from = local - TIDE_ZONE_EAST;
        tide_zone_span(zone, from, span);
    }
    while (local >= local_end(span)) {
        from = span->to;
        tide_zone_span(zone, from, span);
    }
    return local - span->offset > from ? local - span->offset : from;
}

int64_t tide_cron_next(const struct tide_cron *cron, const struct tide_zone *zone, int64_t after)
{
    struct tide_zone_span span;
    tide_zone_span(zone, after, &span);
    return cron->follows_clock ? next_shown(cron, zone, &span, after + 1) : next_reached(cron, zone, &span, after + 1);
}
