/* pool.h - whether libuv's pool of threads can be started.
 *
 * libuv starts its threads with the first job, all at once, and aborts the process where the system refuses one (a limit on
 * processes or memory). So as many are started before, to see, and ended again: about 0.1 ms, once. What another thread takes
 * of the limit in between is a risk that stays.
 *
 * Used by   job.c, sink.c.
 * Threads   any.
 */
#ifndef TIDE_REACTOR_POOL_H
#define TIDE_REACTOR_POOL_H

/* 0; TIDE_ETHREAD with errno set: not now, a later call tries again. */
int tide_pool_ready(void);

#endif
