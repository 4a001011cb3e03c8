#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "formats/pattern.h"

#include <string.h>

static struct tide_pattern pattern;

/* Whether the name matches the pattern, which is one part. */
static bool matches(const char *text, const char *name, bool hidden)
{
    assert_int_equal(tide_pattern_init(&pattern, text), 0);
    bool found = false;
    for (size_t i = 0; i < pattern.count; i++) {
        const struct tide_part *part = &pattern.parts[i];
        found = found || (part->first && part->last && tide_part_matches(part, name, hidden));
    }
    tide_pattern_fini(&pattern);
    return found;
}

#define YES(text, name) assert_true(matches(text, name, false))
#define NO(text, name) assert_false(matches(text, name, false))

static void stars_stand_for_any_text(void **state)
{
    YES("*", "x");
    YES("*.c", "a.c");
    YES("*.c", "a.b.c");
    NO("*.c", "a.h");
    NO("*.c", "a.c ");
    YES("a*", "a");
    YES("a*b*c", "aXbYbZc");
    NO("a*b*c", "aXbYbZ");
    YES("**x", "yyx"); /* only as a whole part it is more than a star */
    NO("", "x");
}

static void many_stars_cost_no_more_than_their_product(void **state)
{
    char name[256] = "", stars[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b";
    memset(name, 'a', sizeof name - 1);
    NO(stars, name);
    name[254] = 'b';
    YES(stars, name);
}

static void question_marks_and_sets_stand_for_one_character(void **state)
{
    YES("?", "x");
    NO("?", "xy");
    YES("?", "\xc3\xa4");               /* a letter of two bytes */
    YES("?", "\xe2\x82\xac");
    YES("?", "\xf0\x9f\x8c\x8a");
    NO("??", "\xe2\x82\xac");
    YES("?", "\xff");                   /* no UTF-8: a character each */
    YES("??", "\xc3\xc3");
    YES("[abc]", "b");
    NO("[abc]", "d");
    NO("[abc]", "bb");
    YES("[a-c]x", "cx");
    YES("[!a-c]", "d");
    YES("[^a-c]", "d");
    NO("[!a-c]", "a");
    YES("[]a]", "]");
    YES("[!]a]", "b");
    NO("[!]a]", "]");
    YES("[a-]", "-");
    YES("[\xc3\xa4\xc3\xb6]", "\xc3\xb6");
    YES("[\xc3\xa0-\xc3\xbf]", "\xc3\xa4");
    NO("[a-z]", "B");
    YES("[\\]]", "]");
    YES("[*]", "*");
    NO("[*]", "x");
}

static void a_bracket_that_does_not_end_is_itself(void **state)
{
    YES("[", "[");
    YES("a[b", "a[b");
    YES("[a*", "[abc");
    NO("[a*", "abc");
    YES("[]", "[]");
    YES("[!]", "[!]");
    YES("[a-", "[a-");
}

static void a_backslash_takes_the_meaning(void **state)
{
    YES("\\*", "*");
    NO("\\*", "x");
    YES("a\\?*", "a?x");
    NO("a\\?*", "abx");
    YES("\\a", "a");
    YES("a\\", "a\\");
    YES("*\\", "a\\");
    YES("\\{a,b\\}", "{a,b}");
}

static void a_dot_in_front_has_to_be_written(void **state)
{
    NO("*", ".x");
    NO("?x", ".x");
    NO("[.]x", ".x");
    YES(".*", ".x");
    YES("\\.*", ".x");
    YES(".x", ".x");
    YES("x*", "x.y");
    assert_true(matches("*", ".x", true));
}

static void braces_are_alternatives(void **state)
{
    YES("{a,b}", "a");
    YES("{a,b}", "b");
    NO("{a,b}", "c");
    YES("x{a,b}y", "xby");
    YES("x{,y}", "x");
    YES("x{,y}", "xy");
    YES("{a,b{c,d}}e", "bde");
    NO("{a,b{c,d}}e", "be");
    YES("*.{c,h}", "x.h");
    YES("{a,b}{c,d}", "bc");
    YES("{a\\,b,c}", "a,b");
}

static void braces_without_comma_or_end_are_themselves(void **state)
{
    YES("{a}", "{a}");
    YES("{}", "{}");
    YES("{", "{");
    YES("a}", "a}");
    YES("{{a,b}", "{b");
    YES("{a,b", "{a,b");
    YES("{{a,b}}", "{a}");
}

static void parts_are_told_apart(void **state)
{
    assert_int_equal(tide_pattern_init(&pattern, "/usr//l?b/**/**/x\\*/"), 0);
    assert_int_equal(pattern.count, 4);
    assert_true(pattern.parts[0].first && pattern.parts[0].absolute);
    assert_int_equal(pattern.parts[0].kind, TIDE_PART_NAME);
    assert_int_equal(pattern.parts[1].kind, TIDE_PART_WILD);
    assert_int_equal(pattern.parts[2].kind, TIDE_PART_DEPTH);
    assert_string_equal(pattern.parts[3].text, "x*");
    assert_true(pattern.parts[3].last && pattern.parts[3].folder);
    assert_false(pattern.parts[2].last || pattern.parts[1].first || pattern.root);
    tide_pattern_fini(&pattern);
    tide_pattern_fini(&pattern); /* twice does no harm */
}

static void two_stars_at_the_end_are_all_below(void **state)
{
    assert_int_equal(tide_pattern_init(&pattern, "{a/**,**,/}"), 0);
    assert_int_equal(pattern.count, 5);
    for (size_t i = 0; i < pattern.count; i++)
        assert_false(pattern.parts[i].last && pattern.parts[i].kind == TIDE_PART_DEPTH);
    assert_true(pattern.root);
    tide_pattern_fini(&pattern);
}

static void too_much_is_refused(void **state)
{
    char text[TIDE_PATTERN_SIZE + 2] = "";
    for (int i = 0; i < 10; i++)
        strcat(text, "{a,b}");
    assert_int_equal(tide_pattern_init(&pattern, text), TIDE_EINVAL);
    memset(text, 'a', sizeof text - 1);
    assert_int_equal(tide_pattern_init(&pattern, text), TIDE_EINVAL);
    text[TIDE_PATTERN_SIZE] = '\0';
    assert_int_equal(tide_pattern_init(&pattern, text), 0);
    tide_pattern_fini(&pattern);
    memset(text, '{', TIDE_PATTERN_SIZE);
    assert_int_equal(tide_pattern_init(&pattern, text), 0);
    tide_pattern_fini(&pattern);
}

static void without_memory_nothing_is_left(void **state)
{
    int failed = TIDE_ENOMEM;
    for (long n = 0; failed; n++) {
        tide_alloc_fail_after(n);
        failed = tide_pattern_init(&pattern, "{a,b{c,d}}/**/x*/[y]/");
        tide_alloc_fail_after(-1);
        assert_true(failed == 0 || failed == TIDE_ENOMEM);
    }
    tide_pattern_fini(&pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stars_stand_for_any_text),
        cmocka_unit_test(many_stars_cost_no_more_than_their_product),
        cmocka_unit_test(question_marks_and_sets_stand_for_one_character),
        cmocka_unit_test(a_bracket_that_does_not_end_is_itself),
        cmocka_unit_test(a_backslash_takes_the_meaning),
        cmocka_unit_test(a_dot_in_front_has_to_be_written),
        cmocka_unit_test(braces_are_alternatives),
        cmocka_unit_test(braces_without_comma_or_end_are_themselves),
        cmocka_unit_test(parts_are_told_apart),
        cmocka_unit_test(two_stars_at_the_end_are_all_below),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
