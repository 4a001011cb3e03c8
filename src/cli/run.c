#include "cli/run.h"

#include "base/alloc.h"
#include "base/thread.h"
#include "bindings/program.h"
#include "cli/exit_codes.h"
#include "cli/options.h"

#include <stdio.h>
#include <stdlib.h>

/* The pool of threads that read files has four, or as many as this variable of libuv says. Set here, as no other thread is
 * there yet that might read the environment; programs that the script starts see it too. */
static void size_pool(void)
{
    char count[16];
    int cpus = tide_cpu_count();
    if (cpus <= 4)
        return;
    snprintf(count, sizeof count, "%d", cpus);
    setenv("UV_THREADPOOL_SIZE", count, 0); /* without memory there are four */
}

/* In virtual time it is UTC, unless the caller says otherwise: the machine's own zone must not show. */
static bool set_zone(void)
{
    return setenv("TZ", "UTC0", 0) == 0;
}

int tide_run_script(const struct tide_options *options)
{
    struct tide_program_chunk *chunks = tide_calloc(options->chunk_count, sizeof *chunks);
    if (!chunks || (options->virtual_time && !set_zone())) {
        tide_free(chunks);
        fputs("tidemill: cannot start: not enough memory\n", stderr);
        return TIDE_EXIT_FAILED;
    }
    for (size_t i = 0; i < options->chunk_count; i++) {
        bool code = options->chunks[i].kind == TIDE_CHUNK_CODE;
        chunks[i].code = code ? options->chunks[i].text : NULL;
        chunks[i].library = code ? NULL : options->chunks[i].text;
    }
    struct tide_program program = {
        .workers = options->workers,
        .timeout_ns = options->timeout_ns,
        .grace_ns = options->grace_ns,
        .max_memory = (size_t)options->max_memory,
        .strict = options->strict,
        .quiet = options->quiet,
        .virtual_time = options->virtual_time,
        .seed = (uint64_t)options->seed,
        .wall_ns = options->wall_ns,
        .yield_always = options->debug_yield_all,
        .slice_ns = options->debug_slice_ns,
        .chunks = chunks,
        .chunk_count = options->chunk_count,
        .script = options->script,
        .from_stdin = options->from_stdin,
        .argc = options->argc,
        .argv = options->argv,
        .script_index = options->script_index,
    };
    size_pool();
    int code = tide_program_run(&program);
    tide_free(chunks);
    return code;
}
