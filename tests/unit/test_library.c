#include "unit.h"

#include "base/error.h"
#include "base/library.h"

#include <math.h>
#include <string.h>

#define FUNCTIONS(X) X(cos) X(sin)
static struct { FUNCTIONS(TIDE_LIBRARY_MEMBER) } maths;
static const char *const names[] = {FUNCTIONS(TIDE_LIBRARY_NAME) NULL};

static void a_table_is_filled_once(void **state)
{
    static struct tide_library library = TIDE_LIBRARY("libm.so.6", "libc6", names, &maths);
    char problem[TIDE_LIBRARY_PROBLEM];
    assert_int_equal(tide_library_load(&library, problem), 0);
    assert_true(maths.cos(0.0) == 1.0 && maths.sin(0.0) == 0.0);
    maths.sin = NULL;
    assert_int_equal(tide_library_load(&library, problem), 0);
    assert_null(maths.sin);
}

static void a_missing_library_is_named_with_its_package(void **state)
{
    static struct tide_library library = TIDE_LIBRARY("libnowhere.so.7", "libnowhere7", names, &maths);
    char problem[TIDE_LIBRARY_PROBLEM];
    assert_int_equal(tide_library_load(&library, problem), TIDE_ESYSTEM);
    assert_non_null(strstr(problem, "cannot load libnowhere.so.7 (Debian package libnowhere7)"));
}

static void a_missing_function_is_named(void **state)
{
    static const char *const odd[] = {"cos", "tide_no_such_function", NULL};
    static struct tide_library library = TIDE_LIBRARY("libm.so.6", "libc6", odd, &maths);
    char problem[TIDE_LIBRARY_PROBLEM];
    assert_int_equal(tide_library_load(&library, problem), TIDE_ESYSTEM);
    assert_string_equal(problem, "libm.so.6 has no tide_no_such_function: it is too old, install a newer libc6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_filled_once),
        cmocka_unit_test(a_missing_library_is_named_with_its_package),
        cmocka_unit_test(a_missing_function_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
