#include "cli/run.h"

#include "cli/exit_codes.h"

#include <stdio.h>

int tide_run_script(const struct tide_options *options)
{
    fputs("tidemill: running scripts is not built yet\n", stderr);
    return TIDE_EXIT_FAILED;
}
