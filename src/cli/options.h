/* options.h - the command line of `tidemill`, read into a struct.
 *
 * Used by   main.c, and run.c, which does what it says.
 * Threads   main, before any other thread is started; constant afterwards.
 * Owns      the array of chunks. Every string is one of argv's and lives as long as the process.
 */
#ifndef TIDE_CLI_OPTIONS_H
#define TIDE_CLI_OPTIONS_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tide_action {
    TIDE_ACTION_RUN,
    TIDE_ACTION_HELP,
    TIDE_ACTION_VERSION,
};

enum tide_chunk_kind {
    TIDE_CHUNK_CODE,    /* -e CODE */
    TIDE_CHUNK_LIBRARY, /* -l MODULE, or -l NAME=MODULE: required into the global MODULE or NAME */
};

/* What is run before the script, as `lua` does with its own -e and -l. */
struct tide_chunk {
    enum tide_chunk_kind kind;
    const char *text;
};

struct tide_options {
    enum tide_action action;

    int workers;        /* 0: one for each CPU */
    int64_t timeout_ns; /* of the whole run; 0: none */
    int64_t grace_ns;   /* of an orderly shutdown; 0: none is given */
    int64_t max_memory; /* bytes that all Lua states may take; 0: the default */
    bool strict;
    bool quiet;
    bool virtual_time;
    int64_t wall_ns;    /* virtual time begins there, ns since the epoch */
    bool has_seed;
    int64_t seed;       /* of a run with virtual time */
    bool debug_yield_all;   /* a scheduler yield at each VM instruction */
    int64_t debug_slice_ns; /* 0: the default */

    struct tide_chunk *chunks; /* in the order given; they run first */
    size_t chunk_count;
    const char *script; /* a path; NULL where there is none, or it comes from stdin */
    bool from_stdin;    /* the script was given as "-" */

    char **script_argv; /* the script's own arguments, `...` of its main chunk */
    int script_argc;
    char **argv; /* everything: Lua's `arg[i - script_index]` is argv[i] for 0 <= i < argc */
    int argc;
    int script_index; /* where argv names the script; 0 where there is none */
};

/* Reads the command line; nothing is opened or run. 0; TIDE_EINVAL with one line about the first mistake in `problem`,
 * which says what was given and what is allowed; or TIDE_ENOMEM. After a failure there is nothing to _fini, which is
 * harmless. */
int tide_options_init(struct tide_options *options, int argc, char **argv, struct tide_strbuf *problem);
void tide_options_fini(struct tide_options *options);

#endif
