/* run.h - runs what the command line asked for, from start to shutdown. */
#ifndef TIDE_CLI_RUN_H
#define TIDE_CLI_RUN_H

struct tide_options;

/* Main thread, once. The exit code of the process (exit_codes.h); whatever went wrong has been printed. */
int tide_run_script(const struct tide_options *options);

#endif
