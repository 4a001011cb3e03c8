/* program.h - one run of the program: the main chunk, what keeps the process alive behind it, its end and its exit code.
 *
 * Used by   cli/run.c; the bindings that report a failure or end the run.
 * Threads   tide_program_run on the main thread, once; the rest on any worker.
 */
#ifndef TIDE_BINDINGS_PROGRAM_H
#define TIDE_BINDINGS_PROGRAM_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lua_State;
struct tide_future;
struct tide_runtime;

/* A piece of the program that comes before the script: code, or a module to require. */
struct tide_program_chunk {
    const char *code;   /* NULL: `library` */
    const char *library;
};

struct tide_program {
    int workers;            /* 0: one for each CPU; four with virtual time */
    int64_t timeout_ns;     /* 0: none */
    int64_t grace_ns;
    size_t max_memory;      /* bytes over all Lua states; 0: the default */
    bool strict, quiet;
    bool virtual_time;      /* one worker at a time, virtual time from wall_ns on, decided by the seed */
    uint64_t seed;
    int64_t wall_ns;        /* since the epoch */
    bool yield_always;      /* debug */
    int64_t slice_ns;       /* debug; 0: the default */
    const struct tide_program_chunk *chunks;
    size_t chunk_count;
    const char *script;     /* a path; NULL: none, unless */
    bool from_stdin;
    int argc;               /* the command line, and where in it the script stands (0: nowhere): for Lua's `arg` */
    char **argv;
    int script_index;
};

/* Runs it to its end. The exit code; whatever went wrong has been printed. */
int tide_program_run(const struct tide_program *program);

/* os.exit: begins the orderly end with this code and raises the cancellation in the calling task. Does not return. */
int tide_program_exit(struct lua_State *L, int code);

/* Begins the orderly end with this code; the first call counts. */
void tide_program_force(int code);

bool tide_program_strict(void);

/* Prints a warning, the string at `index`, unless --quiet. */
void tide_program_warn(struct lua_State *L, int index);

/* One report on stderr, whole, with "tidemill: " before it and a newline behind. */
void tide_program_report(const char *text);

/* Something failed that nobody asked for: the exit code will be 1 at least. */
void tide_program_failed(void);

/* A failed future that nobody read. */
void tide_program_unobserved(struct tide_future *future);

/* A thread that failed and that nobody asks, where no function of the script is told. */
void tide_program_thread_failed(struct tide_future *future);

/* True once the run is being ended: nothing new starts. */
bool tide_program_closing(void);

/* ---- deadlock.c ---- */

/* Every task waits and nothing can wake one: prints them all, then ends the run with code 70. */
void tide_program_deadlock(struct tide_runtime *runtime);

#endif
