/* fake_worker.h - workers without a Lua state, whose tasks are stretches of C, for the tests of sched, sync and exec.
 *
 * A plain thread becomes a worker between fake_worker_open and _close; a task is made by tide_task_new with no coroutine, and
 * waits by fake_wait, in the nested loop that Lua code uses where it cannot yield. Where the test wants the real runtime, the
 * process's first thread is its main, and its worker threads take entries; or, behind a closed gate, they take none and the
 * test plays them: fake_pop.
 */
#ifndef TIDE_TESTS_FAKE_WORKER_H
#define TIDE_TESTS_FAKE_WORKER_H

#include "base/message.h"
#include "sched/runtime.h"
#include "sched/wait.h"

#include <stdbool.h>
#include <stdint.h>

/* The calling thread becomes a worker of no runtime in particular. */
void fake_worker_open(struct tide_worker *worker);
void fake_worker_close(struct tide_worker *worker);

/* A task of the calling thread's worker. */
struct tide_task *fake_task(void);

/* Commits the open wait of `task`, waits, and closes it. Only the mail of `task` may arrive meanwhile. */
enum tide_wait_state fake_wait(struct tide_task *task, int64_t deadline);

/* Takes the mail of the calling thread's worker: tasks that were woken go to its ready queue. */
void fake_take_mail(void);

/* The next task of the ready queue, taken out; NULL: none. */
struct tide_task *fake_ready(void);

/* The real runtime, with the calling thread as main; `gated`: its threads wait before their first step. */
void fake_runtime_open(int workers, bool gated);
void fake_runtime_close(void);

/* Behind the gate: the next entry of the shared queue, taken out; NULL: none. */
struct tide_entry *fake_pop(void);

/* A message that counts itself in *alive while it lives. */
struct tide_message *fake_message(_Atomic int *alive);

/* A small random number generator, one state a thread. */
uint32_t fake_random(uint32_t *state);

/* The seed of this run: TIDE_SEED, or the time; printed once. */
uint32_t fake_seed(void);

#endif
