#include "unit.h"

#include "base/error.h"
#include "formats/civil.h"
#include "formats/zonerule.h"

#include <string.h>
#include <time.h>

static struct tide_zonerule rule;

static void must_parse(const char *text)
{
    if (tide_zonerule_parse(&rule, text) != 0)
        fail_msg("'%s' is not taken", text);
}

static int64_t at(int year, int month, int day, int hour)
{
    return tide_civil_days(year, month, day) * TIDE_CIVIL_DAY + hour * 3600;
}

/* The stretch around an instant is from `from` to `to`. */
static void assert_span(int64_t instant, int64_t from, int64_t to, bool is_dst)
{
    int64_t got_from, got_to;
    bool got_dst;
    tide_zonerule_span(&rule, instant, &got_from, &got_to, &got_dst);
    assert_int_equal(got_from, from);
    assert_int_equal(got_to, to);
    assert_int_equal(got_dst, is_dst);
}

static void days_are_those_of_the_calendar(void **state)
{
    for (int64_t days = -1000000; days < 3000000; days += 3) {
        time_t seconds = (time_t)days * TIDE_CIVIL_DAY;
        struct tm tm;
        int64_t year;
        int month, day;
        tide_civil_date(days, &year, &month, &day);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(year == tm.tm_year + INT64_C(1900) && month == tm.tm_mon + 1 && day == tm.tm_mday);
        assert_true(tide_civil_days(year, month, day) == days && tide_civil_weekday(days) == tm.tm_wday);
        assert_true(day <= tide_civil_month_days(year, month));
        assert_int_equal(tide_civil_days(year, month, 1) + tide_civil_month_days(year, month),
                         tide_civil_days(year + month / 12, month % 12 + 1, 1));
    }
}

static void a_zone_without_summer_time_has_one_span(void **state)
{
    must_parse("<+0545>-5:45");
    assert_int_equal(rule.offsets[0], 5 * 3600 + 45 * 60);
    assert_span(0, INT64_MIN, INT64_MAX, false);
    must_parse("XYZ24:59:59");
    assert_int_equal(rule.offsets[0], -89999);
}

static void summer_begins_and_ends_on_weekdays(void **state)
{
    must_parse("CET-1CEST,M3.5.0,M10.5.0/3");
    assert_int_equal(rule.offsets[1], 7200);
    assert_span(at(2026, 7, 1, 0), at(2026, 3, 29, 1), at(2026, 10, 25, 1), true);
    assert_span(at(2026, 3, 29, 1), at(2026, 3, 29, 1), at(2026, 10, 25, 1), true);
    assert_span(at(2026, 3, 29, 1) - 1, at(2025, 10, 26, 1), at(2026, 3, 29, 1), false);
    assert_span(at(2026, 12, 31, 23), at(2026, 10, 25, 1), at(2027, 3, 28, 1), false);
    must_parse("EST5EDT"); /* the rule of the USA */
    assert_span(at(2026, 7, 1, 0), at(2026, 3, 8, 7), at(2026, 11, 1, 6), true);
}

static void the_south_has_summer_at_new_year(void **state)
{
    must_parse("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0");
    assert_span(at(2026, 1, 1, 0), at(2025, 10, 5, 2) - 37800, at(2026, 4, 5, 2) - 39600, true);
}

static void winter_may_be_the_one_with_the_other_time(void **state)
{
    must_parse("IST-1GMT0,M10.5.0,M3.5.0/1");
    assert_int_equal(rule.offsets[1], 0);
    assert_span(at(2026, 1, 1, 0), at(2025, 10, 26, 1), at(2026, 3, 29, 1), true);
}

static void days_of_the_year_count_with_and_without_29_february(void **state)
{
    must_parse("AAA0BBB,J60/0,300/-1:30");
    assert_span(at(2024, 5, 1, 0), at(2024, 3, 1, 0), at(2024, 10, 27, 0) - 5400 - 3600, true);
    assert_span(at(2025, 5, 1, 0), at(2025, 3, 1, 0), at(2025, 10, 28, 0) - 5400 - 3600, true);
    must_parse("AAA0BBB,J59/0,365/167"); /* a change of the year after */
    assert_span(at(2024, 2, 28, 0), at(2024, 2, 28, 0), at(2024, 12, 31, 0) + 167 * 3600 - 3600, true);
}

static void summer_may_last_for_ever(void **state)
{
    must_parse("XXX3EDT4,0/0,J365/23");
    for (int64_t t = at(2000, 1, 1, 0); t < at(2010, 1, 1, 0); t += 3571) {
        int64_t from, to;
        bool is_dst;
        tide_zonerule_span(&rule, t, &from, &to, &is_dst);
        assert_true(is_dst && from <= t && t < to);
    }
}

static void wrong_rules_are_refused(void **state)
{
    static const char *const texts[] = {
        "", "C", "CE", "CET", "CE1T", "<>1", "<+05", "<+0545-5:45", "CET25", "CET-1:60", "CET-1:00:60", "CET1:", "CET-",
        "CET-1C", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0/168,M10.5.0",
        "CET-1CEST,J0,J1",
        "CET-1CEST,J366,J1", "CET-1CEST,366,1", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-1CEST,M3.5.0,M10.5.0,", "Europe/Zurich",
        "CET-1CEST,M3.5.0;M10.5.0", "CET99999999999999999999", "CET-1CEST,M3,M10.5.0", "CET-1 CEST",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (tide_zonerule_parse(&rule, texts[i]) != TIDE_EINVAL)
            fail_msg("'%s' is taken", texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_those_of_the_calendar),
        cmocka_unit_test(a_zone_without_summer_time_has_one_span),
        cmocka_unit_test(summer_begins_and_ends_on_weekdays),
        cmocka_unit_test(the_south_has_summer_at_new_year),
        cmocka_unit_test(winter_may_be_the_one_with_the_other_time),
        cmocka_unit_test(days_of_the_year_count_with_and_without_29_february),
        cmocka_unit_test(summer_may_last_for_ever),
        cmocka_unit_test(wrong_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
