#include "unit.h"

#include "base/alloc.h"
#include "base/error.h"
#include "formats/glob.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder of its own is the current one:
 *     a.c  b.c  .h.c  d/e.c  d/f/g.c  d/.i/j.c  up -> .  d/away -> ../k  k/l.c  gone -> nothing */
static char folder[] = "/tmp/test_glob.XXXXXX";

static void file(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("d", 0755) | mkdir("d/f", 0755) | mkdir("d/.i", 0755) | mkdir("k", 0755), 0);
    file("a.c");
    file("b.c");
    file(".h.c");
    file("d/e.c");
    file("d/f/g.c");
    file("d/.i/j.c");
    file("k/l.c");
    assert_int_equal(symlink(".", "up") | symlink("../k", "d/away") | symlink("nothing", "gone"), 0);
    return 0;
}

static int teardown(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return chdir("/") | system(command);
}

static struct tide_glob glob;

static void walk(const char *pattern, bool hidden)
{
    glob = (struct tide_glob){.hidden = hidden};
    assert_int_equal(tide_glob_init(&glob, pattern), 0);
    assert_int_equal(tide_glob_walk(&glob), 0);
}

/* The paths with blanks between, as the walk gives them. */
static void check(const char *pattern, bool hidden, const char *expected)
{
    char found[1024] = "";
    walk(pattern, hidden);
    for (size_t i = 0; i < glob.count; i++) {
        strcat(found, i ? " " : "");
        strcat(found, glob.paths[i]);
    }
    assert_int_equal(glob.problem_count, 0);
    tide_glob_fini(&glob);
    assert_string_equal(found, expected);
}

static void files_of_a_folder(void **state)
{
    check("*.c", false, "a.c b.c");
    check("*.c", true, ".h.c a.c b.c");
    check(".*", false, ".h.c");
    check("?.c", false, "a.c b.c");
    check("[!a].c", false, "b.c");
    check("*", false, "a.c b.c d gone k up");
    check("*.x", false, "");
    check("nosuch/*", false, "");
    check("a.c/*", false, "");
}

static void names_that_are_spelled_out(void **state)
{
    check("a.c", false, "a.c");
    check("nosuch", false, "");
    check("gone", false, "gone");
    check("d/e.c", false, "d/e.c");
    check("./d//e.c", false, "./d/e.c");
    check("d/../a.c", false, "d/../a.c");
    check("nosuch/../a.c", false, "");
    check("d/.i/*", false, "d/.i/j.c");
    check("{b,a,nosuch}.c", false, "a.c b.c");
    check("{a.c,*.c}", false, "a.c b.c");
    check("*/../a.c", false, "d/../a.c k/../a.c"); /* up/.. is the folder around */
}

static void a_slash_at_the_end_means_folders(void **state)
{
    check("*/", false, "d/ k/ up/");
    check("a.c/", false, "");
    check("gone/", false, "");
    check("d/", false, "d/");
    check("{d,d/}", false, "d d/");
    check("/", false, "/");
    check("**/", false, "d/ d/away/ d/f/ k/ up/");
}

static void a_link_to_a_folder_is_a_folder(void **state)
{
    check("*/*.c", false, "d/e.c k/l.c up/a.c up/b.c");
    check("d/away/*", false, "d/away/l.c");
    check("up/up/a*", false, "up/up/a.c");
}

static void two_stars_go_down_but_not_through_links(void **state)
{
    check("**/*.c", false, "a.c b.c d/e.c d/f/g.c k/l.c");
    check("**/g.c", false, "d/f/g.c");
    check("d/**/*.c", true, "d/.i/j.c d/e.c d/f/g.c");
    check("d/**", false, "d/away d/e.c d/f d/f/g.c");
    check("**/f/**/*.c", false, "d/f/g.c");
    check("**/**/d/**/g.c", false, "d/f/g.c");
    check("{**/*.c,d/*.c}", false, "a.c b.c d/e.c d/f/g.c k/l.c");
}

static void from_the_root(void **state)
{
    char pattern[64], expected[64];
    snprintf(pattern, sizeof pattern, "/tm?/%s/a*", folder + 5);
    snprintf(expected, sizeof expected, "%s/a.c", folder);
    check(pattern, false, expected);
    snprintf(pattern, sizeof pattern, "{b.c,%s/a.c}", folder);
    snprintf(expected, sizeof expected, "%s/a.c b.c", folder);
    check(pattern, false, expected);
}

static void a_folder_that_is_closed_is_a_problem(void **state)
{
    uid_t me = geteuid();
    assert_int_equal(mkdir("shut", 0) | chmod(".", 0755), 0);
    if (me == 0)
        assert_int_equal(seteuid(65534), 0); /* nothing is closed for root */
    walk("{**/*.c,shut/x}", false);
    assert_int_equal(seteuid(me), 0);
    assert_int_equal(glob.count, 5);
    assert_int_equal(glob.problem_count, 2);
    assert_string_equal(glob.problems[0].path, "shut");
    assert_int_equal(glob.problems[0].code, EACCES);
    tide_glob_fini(&glob);
    rmdir("shut");
}

static void a_path_that_is_too_long_is_a_problem(void **state)
{
    char name[201] = "", top[PATH_MAX], here[PATH_MAX];
    memset(name, 'n', sizeof name - 1);
    assert_non_null(getcwd(top, sizeof top));
    for (int i = 0; i < 25; i++)
        assert_int_equal(mkdir(name, 0755) | chdir(name), 0);
    assert_int_equal(chdir(top), 0);
    walk("n*/**", false);
    assert_int_equal(glob.count, 20); /* from the second name on; the 21st is the last that is seen */
    assert_int_equal(glob.problem_count, 1);
    assert_int_equal(glob.problems[0].code, ENAMETOOLONG);
    tide_glob_fini(&glob);
    snprintf(here, sizeof here, "rm -r %s", name);
    assert_int_equal(system(here), 0);
}

static bool at_once(void *of)
{
    return true;
}

static void a_walk_can_be_stopped(void **state)
{
    glob = (struct tide_glob){.stop = {at_once, NULL}};
    assert_int_equal(tide_glob_init(&glob, "**"), 0);
    assert_int_equal(tide_glob_walk(&glob), TIDE_ECANCELED);
    tide_glob_fini(&glob);
}

static void without_memory_nothing_is_left(void **state)
{
    int failed = TIDE_ENOMEM;
    for (long n = 0; failed; n++) {
        glob = (struct tide_glob){0};
        assert_int_equal(tide_glob_init(&glob, "{**/*.c,d/e.c,nosuch}"), 0);
        tide_alloc_fail_after(n);
        failed = tide_glob_walk(&glob);
        tide_alloc_fail_after(-1);
        if (!failed)
            assert_int_equal(glob.count, 5);
        tide_glob_fini(&glob);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_folder),
        cmocka_unit_test(names_that_are_spelled_out),
        cmocka_unit_test(a_slash_at_the_end_means_folders),
        cmocka_unit_test(a_link_to_a_folder_is_a_folder),
        cmocka_unit_test(two_stars_go_down_but_not_through_links),
        cmocka_unit_test(from_the_root),
        cmocka_unit_test(a_folder_that_is_closed_is_a_problem),
        cmocka_unit_test(a_path_that_is_too_long_is_a_problem),
        cmocka_unit_test(a_walk_can_be_stopped),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
