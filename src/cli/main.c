/* main.c - the program: reads the command line and hands over. */
#include "base/error.h"
#include "cli/exit_codes.h"
#include "cli/help.h"
#include "cli/options.h"
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int usage_error(int code, const struct tide_strbuf *problem)
{
    const char *what = code == TIDE_EINVAL && !problem->failed ? tide_strbuf_text(problem) : tide_strerror(TIDE_ENOMEM);
    fprintf(stderr, "tidemill: %s\n", what);
    if (code == TIDE_EINVAL)
        fputs("Try 'tidemill --help'.\n", stderr);
    return code == TIDE_EINVAL ? TIDE_EXIT_USAGE : TIDE_EXIT_FAILED;
}

/* A help text that did not reach its reader is a failure: stdout may be closed or its disk full. */
static int print_and_check(void (*print)(FILE *))
{
    print(stdout);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return TIDE_EXIT_DONE;
    fprintf(stderr, "tidemill: cannot write to standard output: %s\n", strerror(errno));
    return TIDE_EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct tide_options options;
    struct tide_strbuf problem = {0};
    int status = TIDE_EXIT_FAILED;
    int code = tide_options_init(&options, argc, argv, &problem);
    if (code != 0) {
        status = usage_error(code, &problem);
        tide_strbuf_fini(&problem);
        return status;
    }
    switch (options.action) {
    case TIDE_ACTION_RUN: status = tide_run_script(&options); break;
    case TIDE_ACTION_HELP: status = print_and_check(tide_print_help); break;
    case TIDE_ACTION_VERSION: status = print_and_check(tide_print_version); break;
    }
    tide_options_fini(&options);
    return status;
}
