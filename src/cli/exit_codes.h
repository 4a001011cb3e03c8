/* exit_codes.h - what the process tells its caller. `os.exit(n)` overrides them all. */
#ifndef TIDE_CLI_EXIT_CODES_H
#define TIDE_CLI_EXIT_CODES_H

enum tide_exit_code {
    TIDE_EXIT_DONE = 0,
    TIDE_EXIT_FAILED = 1,    /* the script failed, or a failure that nobody read */
    TIDE_EXIT_USAGE = 2,     /* the command line */
    TIDE_EXIT_DEADLOCK = 70, /* every task waits for another */
    TIDE_EXIT_LOCKED = 75,   /* another run holds the lock */
    TIDE_EXIT_TIMEOUT = 124, /* --timeout passed */
    TIDE_EXIT_SIGNAL = 128,  /* plus the signal's number */
};

#endif
