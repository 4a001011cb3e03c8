#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

enum { MAX_WORDS = 16 };

static char *words[MAX_WORDS + 1];
static struct tide_strbuf problem;

/* Parses "tidemill" and the words up to a NULL. */
static int parse(struct tide_options *o, const char *word, ...)
{
    va_list args;
    int count = 0;
    va_start(args, word);
    words[count++] = (char *)"tidemill";
    for (; word && count < MAX_WORDS; word = va_arg(args, const char *))
        words[count++] = (char *)word;
    words[count] = NULL;
    va_end(args);
    tide_strbuf_clear(&problem);
    return tide_options_init(o, count, words, &problem);
}

static void assert_refused(const char *text, const char *first, const char *second)
{
    struct tide_options o;
    assert_int_equal(parse(&o, first, second, NULL), TIDE_EINVAL);
    if (!strstr(tide_strbuf_text(&problem), text))
        fail_msg("'%s' is not in: %s", text, tide_strbuf_text(&problem));
}

static void defaults_are_set_where_only_a_script_is_given(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "x.lua", NULL), 0);
    assert_int_equal(o.action, TIDE_ACTION_RUN);
    assert_string_equal(o.script, "x.lua");
    assert_int_equal(o.workers, 0);
    assert_int_equal(o.timeout_ns, 0);
    assert_int_equal(o.grace_ns, 10000000000);
    assert_int_equal(o.max_memory, 0);
    assert_false(o.strict || o.quiet || o.debug_yield_all || o.from_stdin);
    assert_int_equal(o.chunk_count, 0);
    tide_options_fini(&o);
}

static void every_option_is_stored(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "run", "--workers", "1024", "--timeout=1.5s", "--grace", "0", "--strict", "--quiet",
                           "--max-memory=512M", "--debug-slice-us", "250", "--debug-yield-every-instruction", "x",
                           NULL),
                     0);
    assert_int_equal(o.workers, 1024);
    assert_int_equal(o.timeout_ns, 1500000000);
    assert_int_equal(o.grace_ns, 0);
    assert_int_equal(o.max_memory, 512 << 20);
    assert_int_equal(o.debug_slice_ns, 250000);
    assert_true(o.strict && o.quiet && o.debug_yield_all);
    tide_options_fini(&o);
}

static void virtual_time_begins_where_it_is_told(void **state)
{
    static const struct {
        const char *word;
        int64_t ns;
    } times[] = {{"--virtual-time", 946684800 * INT64_C(1000000000)},
                 {"--virtual-time=1970-01-01", 0},
                 {"--virtual-time=0", 0},
                 {"--virtual-time=1.5", 1500000000},
                 {"--virtual-time=1970-01-02T00:00:01Z", 86401 * INT64_C(1000000000)},
                 {"--virtual-time=2000-03-01", 951868800 * INT64_C(1000000000)},
                 {"--virtual-time=2100-03-01T12:34:56.5", 4107587696500000000},
                 {"--virtual-time=2261-12-31T23:59:59Z", 9214646399 * INT64_C(1000000000)}};
    static const char *const bad[] = {"", "1970-1-1", "2001-02-29", "2000-00-01", "2000-01-32", "2262-01-01", "2000-01-01T",
                                      "2000-01-01Z", "2000-01-01T10:00:00+01", "2000-01-01T10:00:60Z", "now"};
    struct tide_options o;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(parse(&o, times[i].word, "--seed", "7", "x", NULL), 0);
        assert_true(o.virtual_time);
        assert_int_equal(o.wall_ns, times[i].ns);
        assert_int_equal(o.seed, 7);
        assert_string_equal(o.script, "x");
        tide_options_fini(&o);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char word[64];
        snprintf(word, sizeof word, "--virtual-time=%s", bad[i]);
        assert_refused("is not a time in UTC", word, "x");
    }
    assert_refused("give --virtual-time, too", "--seed=1", "x");
    assert_refused("is not an integer from 0 to", "--seed=-1", "x");
}

static void durations_and_sizes_have_units(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } times[] = {{"90", 90000000000},   {"250ms", 250000000}, {"0.25", 250000000},   {"10m", 600000000000},
                 {"2h", 7200000000000}, {"0.000000001s", 1},  {"1.5m", 90000000000}, {"2562047h", 9223369200000000000}};
    static const struct {
        const char *text;
        int64_t bytes;
    } sizes[] = {{"1048576", 1 << 20}, {"2G", INT64_C(2) << 30}, {"1.5MiB", 3 << 19}, {"1024KB", 1 << 20}};
    struct tide_options o;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        assert_int_equal(parse(&o, "--timeout", times[i].text, "x", NULL), 0);
        assert_int_equal(o.timeout_ns, times[i].ns);
        tide_options_fini(&o);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(parse(&o, "--max-memory", sizes[i].text, "x", NULL), 0);
        assert_int_equal(o.max_memory, sizes[i].bytes);
        tide_options_fini(&o);
    }
}

static void bad_values_are_named_with_what_is_allowed(void **state)
{
    static const char *const bad_workers[] = {"0", "-1",   "1.5", "1e3",  "x",
                                              "",  "1025", " 1",  "0x10", "99999999999999999999999"};
    static const char *const bad_times[] = {
        "0",           "-1", "", "s", "1.s", ".5", "1d", "1e3", "nan", "inf", "1 s", "2562048h", "99999999999999999999",
        "0.0000000001"};
    static const char *const bad_sizes[] = {"0", "1023K", "12Q", "-2G", "", "M", "16777216T"};
    for (size_t i = 0; i < sizeof bad_workers / sizeof *bad_workers; i++)
        assert_refused("is not an integer from 1 to 1024", "--workers", bad_workers[i]);
    for (size_t i = 0; i < sizeof bad_times / sizeof *bad_times; i++)
        assert_refused("is not a duration above 0", "--timeout", bad_times[i]);
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
        assert_refused("is not a size of at least 1M", "--max-memory", bad_sizes[i]);
    assert_refused("--workers: 'x' is", "--workers=x", NULL);
    assert_refused("--strict takes no value, but was given 'yes'", "--strict=yes", NULL);
}

static void a_missing_value_is_asked_for(void **state)
{
    assert_refused("--workers needs a value: an integer from 1 to 1024", "--workers", NULL);
    assert_refused("-e needs a value: Lua code", "-e", NULL);
    assert_refused("-l: '-e' is not the name of a module", "-l", "-e");
}

static void unknown_options_are_named(void **state)
{
    assert_refused("unknown option '--worker'", "--worker", "3");
    assert_refused("unknown option '-i'", "-i", NULL);
    assert_refused("unknown option '--workersX'", "--workersX", NULL);
    assert_refused("env -S", "--workers 4", "x.lua");
}

static void a_command_line_without_a_script_is_refused(void **state)
{
    assert_refused("no script given", NULL, NULL);
    assert_refused("no script given", "run", NULL);
    assert_refused("no script given", "--", NULL);
    assert_refused("no script given", "--strict", NULL);
}

static void options_end_at_the_script(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "--workers", "2", "x.lua", "--workers", "9", "-e", NULL), 0);
    assert_int_equal(o.workers, 2);
    assert_int_equal(o.script_argc, 3);
    assert_string_equal(o.script_argv[0], "--workers");
    assert_int_equal(o.script_index, 3); /* arg[-3] is the program, arg[1] is "--workers" */
    assert_string_equal(o.argv[o.script_index + 1], "--workers");
    assert_null(o.script_argv[3]);
    tide_options_fini(&o);
}

static void options_end_at_two_dashes(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "--", "--strict", "a", NULL), 0);
    assert_string_equal(o.script, "--strict");
    assert_int_equal(o.script_argc, 1);
    assert_false(o.strict);
    tide_options_fini(&o);
}

static void only_the_first_word_can_be_run(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "run", "run", "run", NULL), 0);
    assert_string_equal(o.script, "run");
    assert_int_equal(o.script_index, 2);
    assert_int_equal(o.script_argc, 1);
    tide_options_fini(&o);
    assert_int_equal(parse(&o, "--quiet", "run", NULL), 0);
    assert_string_equal(o.script, "run");
    tide_options_fini(&o);
}

static void a_dash_is_stdin_but_a_file_after_two_dashes(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "-", "a", NULL), 0);
    assert_true(o.from_stdin);
    assert_null(o.script);
    assert_int_equal(o.script_index, 1);
    assert_int_equal(o.script_argc, 1);
    tide_options_fini(&o);
    assert_int_equal(parse(&o, "--", "-", NULL), 0);
    assert_false(o.from_stdin);
    assert_string_equal(o.script, "-");
    tide_options_fini(&o);
}

static void chunks_keep_their_order(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "-e", "a=1", "-lmod", "-eb=2", "-l", "m=x.y", "x.lua", NULL), 0);
    assert_int_equal(o.chunk_count, 4);
    assert_string_equal(o.chunks[0].text, "a=1");
    assert_string_equal(o.chunks[1].text, "mod");
    assert_string_equal(o.chunks[2].text, "b=2");
    assert_string_equal(o.chunks[3].text, "m=x.y");
    assert_int_equal(o.chunks[0].kind, TIDE_CHUNK_CODE);
    assert_int_equal(o.chunks[3].kind, TIDE_CHUNK_LIBRARY);
    assert_string_equal(o.script, "x.lua");
    tide_options_fini(&o);
}

static void code_alone_needs_no_script(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "-e", "print(1)", NULL), 0);
    assert_null(o.script);
    assert_false(o.from_stdin);
    assert_int_equal(o.script_index, 0);
    assert_int_equal(o.script_argc, 0);
    assert_null(o.script_argv[0]);
    tide_options_fini(&o);
}

static void help_and_version_win_over_what_follows(void **state)
{
    struct tide_options o;
    assert_int_equal(parse(&o, "--help", "--nonsense", NULL), 0);
    assert_int_equal(o.action, TIDE_ACTION_HELP);
    tide_options_fini(&o);
    assert_int_equal(parse(&o, "run", "-v", NULL), 0);
    assert_int_equal(o.action, TIDE_ACTION_VERSION);
    tide_options_fini(&o);
}

static void an_empty_argv_is_a_usage_error(void **state)
{
    char *none[] = {NULL};
    struct tide_options o;
    tide_strbuf_clear(&problem);
    assert_int_equal(tide_options_init(&o, 0, none, &problem), TIDE_EINVAL);
}

static void out_of_memory_is_reported(void **state)
{
    struct tide_options o;
    tide_alloc_fail_after(0);
    int code = parse(&o, "x.lua", NULL);
    tide_alloc_fail_after(-1);
    assert_int_equal(code, TIDE_ENOMEM);
    tide_options_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_set_where_only_a_script_is_given),
        cmocka_unit_test(every_option_is_stored),
        cmocka_unit_test(virtual_time_begins_where_it_is_told),
        cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(bad_values_are_named_with_what_is_allowed),
        cmocka_unit_test(a_missing_value_is_asked_for),
        cmocka_unit_test(unknown_options_are_named),
        cmocka_unit_test(a_command_line_without_a_script_is_refused),
        cmocka_unit_test(options_end_at_the_script),
        cmocka_unit_test(options_end_at_two_dashes),
        cmocka_unit_test(only_the_first_word_can_be_run),
        cmocka_unit_test(a_dash_is_stdin_but_a_file_after_two_dashes),
        cmocka_unit_test(chunks_keep_their_order),
        cmocka_unit_test(code_alone_needs_no_script),
        cmocka_unit_test(help_and_version_win_over_what_follows),
        cmocka_unit_test(an_empty_argv_is_a_usage_error),
        cmocka_unit_test(out_of_memory_is_reported),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tide_strbuf_fini(&problem);
    return failed;
}
