/* Needs the zone files of the system (Debian: tzdata). */
#include "unit.h"

#include "base/error.h"
#include "formats/civil.h"
#include "formats/cron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char problem[TIDE_CRON_PROBLEM];
static struct tide_cron cron;

static void must_parse(const char *text)
{
    if (tide_cron_parse(&cron, text, problem) != 0)
        fail_msg("%s", problem);
}

static const struct tide_zone *zone_of(const char *name)
{
    char why[TIDE_ZONE_PROBLEM];
    const struct tide_zone *zone = NULL;
    if (tide_zone_find(name, &zone, why) != 0)
        fail_msg("%s", why);
    return zone;
}

/* "2026-03-29 01:00:00", or without the seconds, as if it were UTC */
static int64_t instant(const char *text)
{
    int year, month, day, hour, minute, second = 0;
    if (sscanf(text, "%d-%d-%d %d:%d:%d", &year, &month, &day, &hour, &minute, &second) < 5)
        fail_msg("no time: %s", text);
    return tide_civil_days(year, month, day) * TIDE_CIVIL_DAY + hour * 3600 + minute * 60 + second;
}

/* The next instants behind `after` in the zone are those (UTC; NULL ends). */
static void assert_next(const char *text, const char *zone, const char *after, const char *const want[])
{
    int64_t at = instant(after);
    must_parse(text);
    for (; *want; want++) {
        char got[40];
        at = tide_cron_next(&cron, zone_of(zone), at);
        time_t seconds = (time_t)at;
        strftime(got, sizeof got, strlen(*want) > 16 ? "%F %T" : "%F %H:%M", gmtime(&seconds));
        if (strcmp(got, *want) != 0)
            fail_msg("%s in %s after %s: %s, not %s", text, zone, after, got, *want);
    }
}

#define NEXT(text, zone, after, ...) assert_next(text, zone, after, (const char *const[]){__VA_ARGS__, NULL})

/* ---- expressions ---- */

static void fields_have_values_ranges_steps_and_lists(void **state)
{
    must_parse("5 4-6 */10 1,JUL,oct-Dec *");
    assert_int_equal(cron.seconds, 1);
    assert_int_equal(cron.minutes, 1 << 5);
    assert_int_equal(cron.hours, 7 << 4);
    assert_int_equal(cron.days, 1 << 1 | 1 << 11 | 1 << 21 | 1u << 31);
    assert_int_equal(cron.months, 1 << 1 | 1 << 7 | 7 << 10);
    assert_int_equal(cron.weekdays, 0x7f);
    must_parse(" \t*/30 0-59/20 20/2\t* * ?  ");
    assert_int_equal(cron.seconds, UINT64_C(1) | UINT64_C(1) << 30);
    assert_int_equal(cron.minutes, UINT64_C(1) | UINT64_C(1) << 20 | UINT64_C(1) << 40);
    assert_int_equal(cron.hours, 1 << 20 | 1 << 22);
    assert_int_equal(cron.weekdays, 0x7f);
    must_parse("*/60 */24 */31 */12 */7");
    assert_true(cron.minutes == 1 && cron.hours == 1 && cron.days == 2 && cron.months == 2 && cron.weekdays == 1);
}

static void sunday_is_0_and_7(void **state)
{
    static const struct {
        const char *text;
        uint32_t weekdays, last;
    } days[] = {
        {"7", 1, 0}, {"0", 1, 0}, {"5-7", 0x61, 0}, {"FRI-SUN", 0x61, 0}, {"5-0", 0x61, 0}, {"SUN-TUE", 7, 0},
        {"7-2", 7, 0}, {"0-7", 0x7f, 0}, {"0-6", 0x7f, 0}, {"MON-FRI", 0x3e, 0}, {"mon,Wed,FRI", 0x2a, 0}, {"1/2", 0x2a, 0},
        {"7/2", 0x55, 0},
        {"7-7", 1, 0}, {"0-0", 1, 0}, {"5-7/2", 0x21, 0}, {"5L", 0, 0x20}, {"fril", 0, 0x20}, {"FRIL,7l,2", 4, 0x21},
    };
    for (size_t i = 0; i < sizeof days / sizeof *days; i++) {
        char text[40];
        snprintf(text, sizeof text, "0 0 * * %s", days[i].text);
        must_parse(text);
        assert_int_equal(cron.weekdays, days[i].weekdays);
        assert_int_equal(cron.last_weekdays, days[i].last);
    }
}

static void names_stand_for_expressions(void **state)
{
    static const char *const names[][2] = {
        {"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"}, {"@midnight", "0 0 * * *"}, {" @Weekly ", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@ANNUALLY", "0 0 1 1 *"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        must_parse(names[i][1]);
        struct tide_cron meant = cron;
        must_parse(names[i][0]);
        assert_memory_equal(&cron, &meant, sizeof cron);
    }
}

/* The first line says `what`, the third has the caret in `column`. */
static void assert_wrong(const char *text, int column, const char *what)
{
    struct tide_cron before = cron;
    if (tide_cron_parse(&cron, text, problem) != TIDE_EINVAL)
        fail_msg("'%s' is taken", text);
    const char *caret = strchr(problem, '\n');
    caret = caret ? strchr(caret + 1, '\n') : NULL;
    if (!strstr(problem, what) || !caret || (int)strspn(caret + 1, " ") - 4 != column)
        fail_msg("'%s' (%s, column %d):\n%s", text, what, column, problem);
    assert_memory_equal(&cron, &before, sizeof cron);
}

static void wrong_expressions_are_told_with_their_place(void **state)
{
    assert_wrong("", 0, "0 fields");
    assert_wrong("  ", 2, "0 fields");
    assert_wrong("* * * *", 7, "4 fields, not the five: minute hour day-of-month month day-of-week");
    assert_wrong("* * * * * * *", 12, "more than six fields");
    assert_wrong("60 * * * *", 0, "minute: 60 is out of range");
    assert_wrong("60 * * * * *", 0, "second: 60 is out of range");
    assert_wrong("0 24 * * *", 2, "hour: 24 is out of range");
    assert_wrong("0 0 0 * *", 4, "day-of-month: 0 is out of range");
    assert_wrong("0 0 32 * *", 4, "day-of-month: 32 is out of range");
    assert_wrong("0 0 * 0 *", 6, "month: 0 is out of range");
    assert_wrong("0 0 * 1,13 *", 8, "month: 13 is out of range");
    assert_wrong("0 0 * * 8", 8, "day-of-week: 8 is out of range");
    assert_wrong("99999999999999999999999 * * * *", 0, "minute: 99999");
    assert_wrong("-1 * * * *", 0, "minute: '-' is not expected");
    assert_wrong("1- * * * *", 2, "minute: a value is missing");
    assert_wrong("1,, * * * *", 2, "a value is missing");
    assert_wrong("1, * * * *", 2, "a value is missing");
    assert_wrong("*/ * * * *", 2, "a value is missing");
    assert_wrong("*/0 * * * *", 2, "a step is from 1 to 60");
    assert_wrong("*/61 * * * *", 2, "a step is from 1 to 60");
    assert_wrong("* */25 * * *", 4, "a step is from 1 to 24");
    assert_wrong("*/x * * * *", 2, "'x' is not expected");
    assert_wrong("*5 * * * *", 1, "'5' is not expected");
    assert_wrong("5* * * * *", 1, "'*' is not expected");
    assert_wrong("1-2-3 * * * *", 3, "'-' is not expected");
    assert_wrong("1/2/3 * * * *", 3, "'/' is not expected");
    assert_wrong("50-10 * * * *", 0, "such as 50-59,0-10");
    assert_wrong("JAN * * * *", 0, "minute: 'JAN' is no number");
    assert_wrong("0 0 * JANUARY *", 6, "month: 'JANUARY' is no month");
    assert_wrong("0 0 * MON *", 6, "'MON' is no month");
    assert_wrong("0 0 * * JAN", 8, "day-of-week: 'JAN' is no day");
    assert_wrong("0 0 * * MO", 8, "'MO' is no day");
    assert_wrong("0 0 * JANL *", 6, "'JANL' is no month");
    assert_wrong("0 L * * *", 2, "hour: 'L' is no number");
    assert_wrong("0 0 * * L", 8, "L needs a weekday");
    assert_wrong("0 0 LW * *", 5, "'W' is not expected");
    assert_wrong("0 0 L-0 * *", 6, "L-n takes 1 to 30");
    assert_wrong("0 0 L-31 * *", 6, "L-n takes 1 to 30");
    assert_wrong("0 0 L- * *", 6, "a value is missing");
    assert_wrong("0 0 L-3-4 * *", 7, "'-' is not expected");
    assert_wrong("0 0 * * 5L-6", 10, "'-' is not expected");
    assert_wrong("0 0 * * 1-5L", 11, "'L' is not expected");
    assert_wrong("? * * * *", 0, "? is for the fields of days");
    assert_wrong("0 0 ?/2 * *", 4, "? stands alone");
    assert_wrong("0 0 1,? * *", 6, "? stands alone");
    assert_wrong("@reboot", 0, "known are @hourly");
    assert_wrong("@", 0, "known are @hourly");
    assert_wrong("@daily * * * *", 0, "known are @hourly");
    assert_wrong("0 0 \xc3\xa4\xc3\xb6x * *", 4, "'\xc3\xa4' is not expected");
    assert_wrong("0 0 1\xc3\xa4\xc3\xb6 * *", 5, "'\xc3\xa4' is not expected");
    assert_wrong("* * * * *\n", 9, "a control character (\\x0a) is not expected");
    assert_wrong("\xff\x80\x80\x80\x80\x80\x80 * * * *", 0, "is not expected");
}

static void expressions_that_are_never_due_are_refused(void **state)
{
    assert_wrong("0 0 30 2 *", 4, "never due");
    assert_wrong("0 0 31 2,4,6,9,11 *", 4, "never due");
    assert_wrong("0 0 L-29 2 *", 4, "never due");
    assert_wrong("0 0 31 4 */2", 4, "never due"); /* both: a star begins the field */
    must_parse("0 0 29 2 *");
    must_parse("0 0 29 2 */7");
    must_parse("0 0 30 2 1");                     /* either */
    must_parse("0 0 L-28 2 *");
    must_parse("0 0 L-30 * *");
}

static void long_expressions_are_refused(void **state)
{
    char text[TIDE_CRON_SIZE + 20] = "";
    for (size_t i = 0; i < TIDE_CRON_SIZE - 9; i++)
        text[i] = i % 2 ? ',' : '1';
    text[TIDE_CRON_SIZE - 10] = '1';
    strcat(text, " * * * *");
    must_parse(text);
    text[TIDE_CRON_SIZE - 12] = 'x';
    assert_wrong(text, TIDE_CRON_SIZE - 12, "'x' is no number");
    strcat(text, "          ");
    assert_int_equal(tide_cron_parse(&cron, text, problem), TIDE_EINVAL);
    assert_string_equal(problem, "cron expression: it has more than 500 bytes");
}

static void any_bytes_are_parsed_or_refused(void **state)
{
    static const char letters[] = "0123456789*/,-?L \t@SUNMONJANFEB";
    unsigned seed = 5;
    int taken = 0;
    for (int i = 0; i < 300000; i++) {
        char text[24] = "* * * * *";
        int size = i % 2 ? 9 : 1 + (int)(seed >> 16) % 20;
        for (int k = 0; k < size; k++) {
            seed = seed * 1103515245 + 12345;
            if (i % 2 == 0 || (seed >> 8) % 4 == 0)
                text[k] = (seed >> 16) % 50 ? letters[(seed >> 16) % (sizeof letters - 1)] : (char)(seed >> 20 | 1);
        }
        text[size] = '\0';
        if (tide_cron_parse(&cron, text, problem) == 0) {
            taken++;
            assert_true(tide_cron_next(&cron, zone_of("UTC"), 0) > 0);
        }
    }
    assert_true(taken > 1000);
}

/* ---- days ---- */

static void both_fields_of_days_restricted_means_either(void **state)
{
    NEXT("0 0 13 * 5", "UTC", "2026-02-01 00:00", "2026-02-06 00:00", "2026-02-13 00:00", "2026-02-20 00:00",
         "2026-02-27 00:00", "2026-03-06 00:00", "2026-03-13 00:00");
    NEXT("0 0 1 * MON", "UTC", "2026-03-28 00:00", "2026-03-30 00:00", "2026-04-01 00:00", "2026-04-06 00:00");
    NEXT("0 0 ? * MON", "UTC", "2026-03-28 00:00", "2026-03-30 00:00", "2026-04-06 00:00");
    NEXT("0 0 */2 * MON", "UTC", "2026-04-01 00:00", "2026-04-13 00:00", "2026-04-27 00:00", "2026-05-11 00:00");
}

static void the_last_day_of_the_month(void **state)
{
    NEXT("0 12 L * *", "UTC", "2024-01-01 00:00", "2024-01-31 12:00", "2024-02-29 12:00", "2024-03-31 12:00",
         "2024-04-30 12:00");
    NEXT("0 12 L-1 2 *", "UTC", "2023-01-01 00:00", "2023-02-27 12:00", "2024-02-28 12:00");
    NEXT("0 0 L-30 * *", "UTC", "2023-01-15 00:00", "2023-03-01 00:00", "2023-05-01 00:00");
    NEXT("0 0 1,L * *", "UTC", "2023-01-15 00:00", "2023-01-31 00:00", "2023-02-01 00:00", "2023-02-28 00:00");
    NEXT("0 0 * * 5L", "UTC", "2026-01-01 00:00", "2026-01-30 00:00", "2026-02-27 00:00", "2026-03-27 00:00",
         "2026-04-24 00:00");
    NEXT("0 0 * * 1,SUNL", "UTC", "2026-02-20 00:00", "2026-02-22 00:00", "2026-02-23 00:00", "2026-03-02 00:00");
    NEXT("0 0 29 2 0", "UTC", "2026-01-01 00:00", "2026-02-01 00:00", "2026-02-08 00:00");
    NEXT("0 0 29 2 */7", "UTC", "1973-01-01 00:00", "1976-02-29 00:00", "2004-02-29 00:00", "2032-02-29 00:00",
         "2060-02-29 00:00", "2088-02-29 00:00", "2128-02-29 00:00");
}

static void next_is_strictly_after(void **state)
{
    NEXT("0 0 * * *", "UTC", "2026-01-01 00:00", "2026-01-02 00:00");
    NEXT("0 0 * * *", "UTC", "2026-01-01 23:59:59", "2026-01-02 00:00");
    NEXT("*/20 59 23 31 12 *", "UTC", "2026-12-31 23:59:39", "2026-12-31 23:59:40", "2027-12-31 23:59:00");
    NEXT("30 10 5 * * *", "UTC", "2026-12-31 05:10:30", "2027-01-01 05:10:30");
    NEXT("* * * * *", "UTC", "1969-12-31 23:58:30", "1969-12-31 23:59", "1970-01-01 00:00", "1970-01-01 00:01");
    NEXT("0 0 1 1 *", "UTC", "1001-06-01 00:00", "1002-01-01 00:00");
}

/* ---- clocks that jump: what docs/cron.md says ---- */

static void times_of_a_gap_come_once_behind_it(void **state)
{
    NEXT("30 2 * * *", "Europe/Zurich", "2026-03-28 00:00", "2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30");
    NEXT("*/10 2 * * *", "Europe/Zurich", "2026-03-28 01:45", "2026-03-28 01:50", "2026-03-29 01:00", "2026-03-30 00:00");
    NEXT("0 */2 * * *", "Europe/Zurich", "2026-03-28 22:00", "2026-03-28 23:00", "2026-03-29 01:00", "2026-03-29 02:00");
    NEXT("0 2,3 * * *", "Europe/Zurich", "2026-03-28 22:00", "2026-03-29 01:00", "2026-03-30 00:00"); /* together */
    NEXT("@daily", "America/Sao_Paulo", "2018-11-03 12:00", "2018-11-04 03:00", "2018-11-05 02:00"); /* 01:00 there */
    NEXT("0 12 * * *", "Pacific/Apia", "2011-12-29 00:00", "2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00");
    NEXT("0 12 * * 5", "Pacific/Apia", "2011-12-25 00:00", "2011-12-30 10:00",
         "2012-01-05 22:00"); /* that Friday was skipped */
}

static void what_follows_the_clock_goes_on_behind_a_gap(void **state)
{
    NEXT("*/30 * * * *", "Europe/Zurich", "2026-03-29 00:00", "2026-03-29 00:30", "2026-03-29 01:00", "2026-03-29 01:30");
    NEXT("20 * * * *", "Europe/Zurich", "2026-03-29 00:00", "2026-03-29 00:20", "2026-03-29 01:20");
    NEXT("*/20 * * * *", "Australia/Lord_Howe", "2026-10-03 15:00", "2026-10-03 15:10", "2026-10-03 15:40",
         "2026-10-03 16:00");
}

static void times_that_come_twice_count_once(void **state)
{
    NEXT("30 2 * * *", "Europe/Zurich", "2026-10-24 12:00", "2026-10-25 00:30", "2026-10-26 01:30");
    NEXT("*/30 2 * * *", "Europe/Zurich", "2026-10-24 12:00", "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-26 01:00");
    NEXT("30 2 * * *", "Europe/Zurich", "2026-10-25 00:45", "2026-10-26 01:30");
    NEXT("0 3 * * *", "Europe/Zurich", "2026-10-25 00:45", "2026-10-25 02:00");
    NEXT("0 0 * * *", "America/Sao_Paulo", "2018-02-17 12:00", "2018-02-18 03:00", "2018-02-19 03:00");
    NEXT("30 23 * * *", "America/Sao_Paulo", "2018-02-17 12:00", "2018-02-18 01:30", "2018-02-19 02:30");
}

static void what_follows_the_clock_comes_in_both_passes(void **state)
{
    NEXT("30 * * * *", "Europe/Zurich", "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:30", "2026-10-25 02:30");
    NEXT("30 0-23 * * *", "Europe/Zurich", "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-25 01:30");
}

/* ---- against a walk ---- */

static bool naive_match(const struct tide_cron *c, const struct tm *t)
{
    if (!(c->minutes >> t->tm_min & 1) || !(c->hours >> t->tm_hour & 1) || !(c->seconds >> t->tm_sec & 1))
        return false;
    int length = tide_civil_month_days(t->tm_year + 1900, t->tm_mon + 1), before = length - t->tm_mday;
    bool day = (c->days >> t->tm_mday & 1) || (c->last_days >> before & 1);
    bool weekday = (c->weekdays >> t->tm_wday & 1) || ((c->last_weekdays >> t->tm_wday & 1) && before < 7);
    return (c->months >> (t->tm_mon + 1) & 1) && (c->either ? day || weekday : day && weekday);
}

/* Every step of a stretch of time: the instant, what the clock shows, and the latest that it has shown before. */
struct step {
    int64_t instant, local, latest;
    struct tm tm;
};

enum { MOST_STEPS = 60000 };

static struct step steps[MOST_STEPS];

static int64_t local_of(const struct tide_zone *zone, int64_t at)
{
    struct tide_zone_time t;
    tide_zone_local(zone, at, &t);
    return tide_civil_days(t.year, t.month, t.day) * TIDE_CIVIL_DAY + t.hour * 3600 + t.minute * 60 + t.second;
}

static int make_steps(const struct tide_zone *zone, int64_t from, int64_t to, int size)
{
    int count = 0;
    int64_t latest = INT64_MIN;
    for (int64_t at = from - 30 * 3600; at < from; at += size) {
        int64_t local = local_of(zone, at);
        latest = local > latest ? local : latest;
    }
    for (int64_t at = from; at < to && count < MOST_STEPS; at += size) {
        struct step *s = &steps[count++];
        *s = (struct step){.instant = at, .local = local_of(zone, at), .latest = latest};
        time_t seconds = (time_t)s->local;
        gmtime_r(&seconds, &s->tm);
        latest = s->local > latest ? s->local : latest;
    }
    return count;
}

/* The rule, word for word. */
static bool naive_due(const struct tide_cron *c, const struct step *s, int size)
{
    if (c->follows_clock)
        return naive_match(c, &s->tm);
    if (s->local == s->latest + size)
        return naive_match(c, &s->tm);
    for (int64_t shown = s->latest + size; shown <= s->local; shown += size) {
        time_t seconds = (time_t)shown;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        if (naive_match(c, &tm))
            return true;
    }
    return false;
}

static void assert_next_is(const char *text, const char *name, const struct tide_zone *zone, int64_t after, int64_t want)
{
    int64_t got = tide_cron_next(&cron, zone, after);
    if (got != want)
        fail_msg("%s in %s after %lld: %lld, not %lld", text, name, (long long)after, (long long)got, (long long)want);
}

/* All that is due in the steps is what next says, from wherever it is asked. */
static void walk(const char *text, const char *name, const struct tide_zone *zone, int count, int size)
{
    int64_t before = steps[0].instant - 1; /* nothing is due behind it */
    must_parse(text);
    for (int i = 0; i < count; i++) {
        int64_t at = steps[i].instant;
        if (!naive_due(&cron, &steps[i], size))
            continue;
        assert_next_is(text, name, zone, before, at);
        assert_next_is(text, name, zone, at - 1, at);
        assert_next_is(text, name, zone, before + (at - before) / 2 - (at - before == 1), at);
        before = at;
    }
    int64_t end = steps[count - 1].instant;
    assert_true(tide_cron_next(&cron, zone, before) > end);
}

static const char *const walked[] = {
    "* * * * *", "*/7 * * * *", "30 */1 * * *", "*/30 2 * * *", "0 2 * * *", "0 3 * * *", "59 1 * * *", "@daily",
    "30 0 * * *", "0 */2 * * *", "*/5 0-6 * * *", "10 1-3 * * SUN", "30 2 L * *", "0 2 * 3,10 7L", "15 2 1-7 * *",
    "0 12 30 * 5", "*/13 1-23 * * *", "@monthly",
};

static void next_is_right_around_every_transition(void **state)
{
    static const char *const names[] = {
        "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca",
        "Asia/Kathmandu", "Pacific/Apia", "Europe/Dublin", "Asia/Gaza", "Antarctica/Troll", "America/Caracas", "UTC",
    };
    int transitions = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct tide_zone *zone = zone_of(names[i]);
        struct tide_zone_span span;
        tide_zone_span(zone, 0, &span);
        for (int64_t at = span.to; at < instant("2038-01-01 00:00"); at = span.to, transitions++) {
            int32_t before = span.offset;
            tide_zone_span(zone, at, &span);
            int around = abs(span.offset - before) > 3 * 3600 ? 27 * 3600 : 7 * 3600; /* Samoa skipped a day */
            int count = make_steps(zone, at - around, at + around, 60);
            for (size_t k = 0; k < sizeof walked / sizeof *walked; k++)
                walk(walked[k], names[i], zone, count, 60);
        }
    }
    assert_true(transitions > 800);
}

static void next_is_right_to_the_second(void **state)
{
    static const char *const texts[] = {"*/7 * * * * *", "30 59 * * * *", "*/15 30 2 * * *", "7 0 3 * * *",
                                        "59 59 1 * * *"};
    static const char *const places[][2] = {
        {"Europe/Zurich", "2026-03-29 01:00"}, {"Europe/Zurich", "2026-10-25 01:00"},
        {"Australia/Lord_Howe", "2026-04-04 15:00"},
        {"America/Sao_Paulo", "2018-11-04 03:00"}, {"Africa/Monrovia", "1972-01-07 00:44:30"}, /* seconds in the offset */
        {"Europe/Zurich", "2400-03-26 01:00"},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct tide_zone *zone = zone_of(places[i][0]);
        int64_t at = instant(places[i][1]);
        int count = make_steps(zone, at - 3 * 3600, at + 3 * 3600, 1);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            walk(texts[k], places[i][0], zone, count, 1);
    }
}

static void next_is_right_for_years(void **state)
{
    static const char *const texts[] = {"*/17 * * * *", "30 2 * * *", "0 2 29 2 *", "0 0 * * 5L", "45 1 13 * 5"};
    const struct tide_zone *zone = zone_of("America/New_York");
    int64_t size = 40 * TIDE_CIVIL_DAY;
    for (int64_t at = instant("2007-01-01 00:00"); at < instant("2012-01-01 00:00"); at += size) {
        int count = make_steps(zone, at, at + size, 60);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            walk(texts[k], "America/New_York", zone, count, 60);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_have_values_ranges_steps_and_lists),
        cmocka_unit_test(sunday_is_0_and_7),
        cmocka_unit_test(names_stand_for_expressions),
        cmocka_unit_test(wrong_expressions_are_told_with_their_place),
        cmocka_unit_test(expressions_that_are_never_due_are_refused),
        cmocka_unit_test(long_expressions_are_refused),
        cmocka_unit_test(any_bytes_are_parsed_or_refused),
        cmocka_unit_test(both_fields_of_days_restricted_means_either),
        cmocka_unit_test(the_last_day_of_the_month),
        cmocka_unit_test(next_is_strictly_after),
        cmocka_unit_test(times_of_a_gap_come_once_behind_it),
        cmocka_unit_test(what_follows_the_clock_goes_on_behind_a_gap),
        cmocka_unit_test(times_that_come_twice_count_once),
        cmocka_unit_test(what_follows_the_clock_comes_in_both_passes),
        cmocka_unit_test(next_is_right_around_every_transition),
        cmocka_unit_test(next_is_right_to_the_second),
        cmocka_unit_test(next_is_right_for_years),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
