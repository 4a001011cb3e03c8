/* job.h - a blocking C call on a thread of its own, as a binding makes it for the task that calls it.
 *
 *     struct request *r = tide_bind_job(L, &reading, sizeof *r);    owned by the userdata on top, zeroed
 *     ...fill in *r; anything may raise...
 *     return tide_bind_job_run(L);                                  starts it, waits, calls reading.push
 *
 * A task that is cancelled meanwhile goes on at once: the job is dropped, and keeps what it works on until its thread comes
 * back. So the request owns copies of all it needs; a Lua string may be collected before the thread is done with it.
 *
 * Used by   fs.c, hash.c.
 * Threads   the state's own, but for run and fini.
 */
#ifndef TIDE_BINDINGS_JOB_H
#define TIDE_BINDINGS_JOB_H

#include "formats/stop.h"

#include <lua.h>
#include <stddef.h>

struct tide_job_kind {
    const char *what;                                 /* for reports: "a file to be read" */
    /* A thread of the pool: does it. `stop` asks whether anybody still waits. */
    void (*run)(void *request, struct tide_stop stop);
    /* Any thread, once, also where it never ran: frees what the request owns, not itself. */
    void (*fini)(void *request);
    /* Done: pushes the results, returns how many. May raise. */
    int (*push)(lua_State *L, void *request);
};

/* Once for each state, before the first job. */
void tide_bind_job_open(lua_State *L);

/* Pushes a userdata that owns a new job, and returns the job's request: `size` zeroed bytes. Raises where memory is short. */
void *tide_bind_job(lua_State *L, const struct tide_job_kind *kind, size_t size);

/* in: the userdata on top; out: the results. Raises where the task may not wait, or is cancelled. A binding returns it. */
int tide_bind_job_run(lua_State *L);

#endif
