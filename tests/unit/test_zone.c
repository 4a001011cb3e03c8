/* Needs the zone files of the system (Debian: tzdata). */
#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "formats/civil.h"
#include "formats/file.h"
#include "formats/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char problem[TIDE_ZONE_PROBLEM];

static const struct tide_zone *zone_of(const char *name)
{
    const struct tide_zone *zone = NULL;
    if (tide_zone_find(name, &zone, problem) != 0)
        fail_msg("%s", problem);
    return zone;
}

static int64_t utc(int year, int month, int day, int hour, int minute)
{
    return tide_civil_days(year, month, day) * TIDE_CIVIL_DAY + hour * 3600 + minute * 60;
}

static uint64_t seed = 20260329;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* ---- names ---- */

static void utc_needs_no_file(void **state)
{
    struct tide_zone_span span;
    tide_zone_span(zone_of("UTC"), 12345, &span);
    assert_true(span.from == INT64_MIN && span.to == INT64_MAX && span.offset == 0 && !span.is_dst);
}

static void a_zone_is_read_once(void **state)
{
    assert_ptr_equal(zone_of("Europe/Zurich"), zone_of("Europe/Zurich"));
    assert_ptr_equal(zone_of("local"), zone_of("local"));
}

static void names_stay_in_the_folder(void **state)
{
    static const char *const names[] = {
        "", "/", "../passwd", "Europe/../Europe/Zurich", "/usr/share/zoneinfo/UTC", "Europe//Zurich", "Europe/", "Europe",
        "./UTC", ".hidden", "Europe/Zurich ", "Europe/Z\xc3\xbcrich", "No/Where", "UTC\n", "%s%s%s%n",
    };
    const struct tide_zone *zone = NULL;
    char longest[400];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(tide_zone_find(names[i], &zone, problem), TIDE_EINVAL);
        assert_non_null(strstr(problem, "no time zone '"));
        assert_non_null(strstr(problem, "/usr/share/zoneinfo"));
        assert_non_null(strstr(problem, "tzdata"));
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(tide_zone_find(longest, &zone, problem), TIDE_EINVAL);
    assert_int_equal(tide_zone_find("zone.tab", &zone, problem), TIDE_EINVAL);
    assert_non_null(strstr(problem, "no time zone file"));
    assert_null(zone);
}

static void the_folder_of_tzdir_comes_first(void **state)
{
    char folder[] = "/tmp/tide-zone-XXXXXX", command[200];
    const struct tide_zone *zone = NULL;
    struct tide_zone_time time;
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, "mkdir %s/My && cp /usr/share/zoneinfo/Asia/Tokyo %s/My/Place && echo x >%s/Bad", folder,
             folder, folder);
    assert_int_equal(system(command), 0);
    setenv("TZDIR", folder, 1);
    tide_zone_local(zone_of("My/Place"), 0, &time);
    assert_int_equal(time.hour, 9);
    zone_of("Asia/Hong_Kong"); /* of the system's folder */
    assert_int_equal(tide_zone_find("Bad", &zone, problem), TIDE_EINVAL);
    assert_non_null(strstr(problem, folder));
    assert_int_equal(tide_zone_find("Worse", &zone, problem), TIDE_EINVAL);
    assert_non_null(strstr(problem, folder));
    unsetenv("TZDIR");
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void without_memory_nothing_is_left(void **state)
{
    const struct tide_zone *zone = NULL;
    int failed = TIDE_ENOMEM;
    for (long n = 0; failed; n++) {
        tide_alloc_fail_after(n);
        failed = tide_zone_find("Africa/Cairo", &zone, problem);
        tide_alloc_fail_after(-1);
        assert_true(failed == 0 || failed == TIDE_ENOMEM);
    }
    assert_non_null(zone);
}

/* ---- times ---- */

static void compare(const char *name, const struct tide_zone *zone, int64_t instant)
{
    struct tide_zone_time mine;
    struct tm theirs;
    time_t seconds = (time_t)instant;
    tide_zone_local(zone, instant, &mine);
    assert_non_null(localtime_r(&seconds, &theirs));
    if (mine.year != theirs.tm_year + INT64_C(1900) || mine.month != theirs.tm_mon + 1 || mine.day != theirs.tm_mday ||
        mine.hour != theirs.tm_hour || mine.minute != theirs.tm_min || mine.second != theirs.tm_sec ||
        mine.weekday != theirs.tm_wday || mine.offset != theirs.tm_gmtoff || mine.is_dst != (theirs.tm_isdst > 0))
        fail_msg("%s at %lld: offset %ld, not %ld", name, (long long)instant, (long)mine.offset, (long)theirs.tm_gmtoff);
}

static void compare_zone(const char *name)
{
    const struct tide_zone *zone = zone_of(name);
    struct tide_zone_span span;
    setenv("TZ", name, 1);
    tzset();
    for (int64_t at = utc(1890, 1, 1, 0, 0); at < utc(2120, 1, 1, 0, 0); at = span.to) {
        tide_zone_span(zone, at, &span);
        compare(name, zone, at);
        if (span.to == INT64_MAX)
            break;
        compare(name, zone, span.to - 1);
    }
    for (int i = 0; i < 200; i++)
        compare(name, zone, utc(1890, 1, 1, 0, 0) + (int64_t)(random_number() % UINT64_C(16000000000)));
}

static void clocks_show_what_the_c_library_says(void **state)
{
    FILE *list = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
    char line[300], name[100];
    int count = 0;
    assert_non_null(list);
    while (fgets(line, sizeof line, list)) {
        if (sscanf(line, "Z %99s", name) != 1)
            continue;
        compare_zone(name);
        count++;
    }
    fclose(list);
    unsetenv("TZ");
    tzset();
    assert_true(count > 200);
}

static void a_local_time_has_its_instants(void **state)
{
    const struct tide_zone *zurich = zone_of("Europe/Zurich"), *apia = zone_of("Pacific/Apia");
    int64_t instants[2];
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 7, 1, 12, 0), instants), 1);
    assert_int_equal(instants[0], utc(2026, 7, 1, 10, 0));
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 3, 29, 2, 0), instants), 0);
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 3, 29, 3, 0) - 1, instants), 0);
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 3, 29, 3, 0), instants), 1);
    assert_int_equal(instants[0], utc(2026, 3, 29, 1, 0));
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 10, 25, 2, 0), instants), 2);
    assert_int_equal(instants[0], utc(2026, 10, 25, 0, 0));
    assert_int_equal(instants[1], utc(2026, 10, 25, 1, 0));
    assert_int_equal(tide_zone_instants(zurich, utc(2026, 10, 25, 3, 0), instants), 1);
    assert_int_equal(tide_zone_instants(zurich, utc(2200, 10, 26, 2, 30), instants), 2); /* behind the last transition */
    assert_int_equal(tide_zone_instants(apia, utc(2011, 12, 30, 12, 0), instants), 0);
    assert_int_equal(tide_zone_instants(apia, utc(2011, 12, 31, 0, 0), instants), 1);
    assert_int_equal(tide_zone_instants(zone_of("UTC"), 5, instants), 1);
    assert_int_equal(instants[0], 5);
}

static void each_instant_has_its_local_time(void **state)
{
    static const char *const names[] = {"America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"};
    for (size_t i = 0; i < 4; i++) {
        const struct tide_zone *zone = zone_of(names[i]);
        for (int64_t at = utc(2005, 1, 1, 0, 0); at < utc(2015, 1, 1, 0, 0); at += 1800) {
            struct tide_zone_span span;
            int64_t instants[2];
            tide_zone_span(zone, at, &span);
            assert_true(span.from <= at && at < span.to);
            int count = tide_zone_instants(zone, at + span.offset, instants);
            assert_true(count == 1 ? instants[0] == at : count == 2 && instants[0] < instants[1]);
            assert_true(instants[0] == at || instants[1] == at);
        }
    }
}

/* ---- bytes ---- */

struct file {
    unsigned char bytes[400];
    size_t size;
};

static void put(struct file *file, uint64_t value, size_t size)
{
    while (size--)
        file->bytes[file->size++] = (unsigned char)(value >> 8 * size);
}

static void put_header(struct file *file, char version, uint32_t leaps, uint32_t transitions, uint32_t kinds)
{
    static const unsigned char nothing[15];
    put(file, 0x545a6966, 4);
    put(file, (unsigned char)version, 1);
    memcpy(file->bytes + file->size, nothing, sizeof nothing);
    file->size += sizeof nothing;
    put(file, 0, 4);
    put(file, 0, 4);
    put(file, leaps, 4);
    put(file, transitions, 4);
    put(file, kinds, 4);
    put(file, 4, 4);
}

/* One transition at 1000, from 0 to one hour. */
static void put_block(struct file *file, size_t time_size, uint32_t leaps)
{
    put(file, 1000, time_size);
    put(file, 1, 1);
    put(file, 0, 6);
    put(file, 3600, 4);
    put(file, 0x0100, 2);
    put(file, 0x41414100, 4);
    if (leaps)
        put(file, 1, time_size + 4);
}

static int parse(const struct file *file, struct tide_zone **zone)
{
    unsigned char *exact = malloc(file->size + !file->size); /* so that a reader behind the end is seen */
    memcpy(exact, file->bytes, file->size);
    int failed = tide_zone_parse(exact, file->size, zone);
    free(exact);
    return failed;
}

static void assert_offsets(struct tide_zone *zone, int64_t before, int64_t after, int64_t late)
{
    struct tide_zone_span span;
    tide_zone_span(zone, 999, &span);
    assert_int_equal(span.offset, before);
    assert_int_equal(span.to, 1000);
    tide_zone_span(zone, 1000, &span);
    assert_int_equal(span.offset, after);
    assert_int_equal(span.from, 1000);
    tide_zone_span(zone, INT64_C(4000000000), &span);
    assert_int_equal(span.offset, late);
    tide_zone_free(zone);
}

static void both_versions_are_read(void **state)
{
    struct tide_zone *zone = NULL;
    struct file one = {.size = 0}, two = {.size = 0};
    put_header(&one, 0, 0, 1, 2);
    put_block(&one, 4, 0);
    assert_int_equal(parse(&one, &zone), 0);
    assert_offsets(zone, 0, 3600, 3600);
    put_header(&two, '2', 0, 0, 1);
    two.size += 6 + 4;
    put_header(&two, '2', 0, 1, 2);
    put_block(&two, 8, 0);
    size_t body = two.size;
    put(&two, 0x0a0a, 2); /* no rule */
    assert_int_equal(parse(&two, &zone), 0);
    assert_offsets(zone, 0, 3600, 3600);
    two.size = body;
    memcpy(two.bytes + body, "\nAAA-2\n", 7);
    two.size += 7;
    assert_int_equal(parse(&two, &zone), 0);
    assert_offsets(zone, 0, 7200, 7200);
    for (size_t size = 0; size < body + 7; size++) {
        two.size = size;
        assert_int_equal(parse(&two, &zone), TIDE_ECORRUPT);
    }
}

static void leap_seconds_are_refused(void **state)
{
    struct tide_zone *zone = NULL;
    struct file file = {.size = 0};
    put_header(&file, 0, 1, 1, 2);
    put_block(&file, 4, 1);
    assert_int_equal(parse(&file, &zone), TIDE_EINVAL);
}

/* Whatever a damaged file says, it is refused, or it is a zone whose stretches follow one another. */
static void damaged_files_do_no_harm(void **state)
{
    static const char *const paths[] = {"/usr/share/zoneinfo/Africa/Casablanca", "/usr/share/zoneinfo/Europe/Zurich"};
    int taken = 0;
    for (int p = 0; p < 2; p++) {
        char *data;
        size_t size;
        assert_int_equal(tide_file_load(paths[p], 100000, (struct tide_stop){NULL}, &data, &size), 0);
        char *copy = malloc(size);
        for (int i = 0; i < 20000; i++) {
            struct tide_zone *zone = NULL;
            struct tide_zone_span span = {.to = -10000000000};
            int64_t instants[2];
            memcpy(copy, data, size);
            for (uint64_t n = random_number() % 4 + 1; n; n--) {
                size_t place = random_number() % 4 == 0 ? random_number() % 44 : random_number() % size;
                copy[place] = (char)(random_number() % 2 ? (uint64_t)copy[place] ^ 1u << random_number() % 8 : random_number());
            }
            size_t part = random_number() % 8 ? size : random_number() % size;
            if (tide_zone_parse(copy, part, &zone) != 0)
                continue;
            taken++;
            for (int k = 0; k < 50 && span.to < INT64_C(1) << 40; k++) {
                int64_t before = span.to;
                tide_zone_span(zone, before, &span);
                assert_true(span.from <= before && before < span.to);
                tide_zone_instants(zone, before, instants);
            }
            tide_zone_free(zone);
        }
        free(copy);
        tide_free(data);
    }
    assert_true(taken > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_needs_no_file),
        cmocka_unit_test(a_zone_is_read_once),
        cmocka_unit_test(names_stay_in_the_folder),
        cmocka_unit_test(the_folder_of_tzdir_comes_first),
        cmocka_unit_test(without_memory_nothing_is_left),
        cmocka_unit_test(clocks_show_what_the_c_library_says),
        cmocka_unit_test(a_local_time_has_its_instants),
        cmocka_unit_test(each_instant_has_its_local_time),
        cmocka_unit_test(both_versions_are_read),
        cmocka_unit_test(leap_seconds_are_refused),
        cmocka_unit_test(damaged_files_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
