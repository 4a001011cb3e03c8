/* job.h - a blocking C call (read a file, hash a file) on libuv's pool of threads, for a task that waits.
 *
 * Used by   bindings (fs.c, hash.c), reactor/sink.c.
 * Threads   new, start and drop on any; run on a thread of the pool, alone; the rest once it is done or nobody knows it.
 * Owns      its argument, from new on: `destroy` is called once, by whoever drops the last reference.
 * Cancel    a dropped job that has not begun never runs; one that has begun runs to its end, and looks at
 *           tide_job_dropped where it can stop early. No cancellation waits for it.
 */
#ifndef TIDE_REACTOR_JOB_H
#define TIDE_REACTOR_JOB_H

#include "reactor/operation.h"

struct tide_job;
struct tide_runtime;

/* With one reference, the caller's. NULL: out of memory, the argument stays the caller's. */
struct tide_job *tide_job_new(void (*run)(struct tide_job *job, void *argument), void (*destroy)(void *argument),
                              void *argument);

void *tide_job_argument(struct tide_job *job);

/* Hands it to the pool. 0; TIDE_ETHREAD with errno set where the pool's threads cannot be started, or what
 * tide_operation_start says: then it is as if never begun. */
int tide_job_start(struct tide_job *job, struct tide_runtime *runtime);

/* The operation in it: wait for it, drop it. */
struct tide_operation *tide_job_operation(struct tide_job *job);

/* In run: nobody wants the result any more. */
bool tide_job_dropped(struct tide_job *job);

void tide_job_unref(struct tide_job *job);

#endif
