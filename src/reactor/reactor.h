/* reactor.h - the one I/O thread: a libuv loop that drives transfers, look-ups of names and jobs for all workers.
 *
 * What a worker wants goes in through one queue and one wake-up; what is finished goes out through the mailbox of the worker
 * whose task waits for it. The thread starts at first use.
 *
 * Used by   operation.c and the rest of this folder; bindings/program.c ends it.
 * Threads   start and post from any; stop on main, when no task is left; "reactor" functions on the reactor's thread alone.
 * Wake-up   who posts writes to the loop's wake-up only if the reactor sleeps or is about to (`asleep`, seq_cst on both sides).
 * Model     libuv's uv_async_t (one eventfd) and prepare/check handles around the poll.
 */
#ifndef TIDE_REACTOR_REACTOR_H
#define TIDE_REACTOR_REACTOR_H

#include "sched/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;
struct tide_runtime;

/* Starts the thread unless it runs. 0; TIDE_ETHREAD or TIDE_ESYSTEM with errno set, TIDE_ENOMEM. */
int tide_reactor_start(struct tide_runtime *runtime);

/* Any thread, once it was started: mail->deliver(mail, NULL) runs on the reactor. Never fails; after the end it is dropped. */
void tide_reactor_post(struct tide_mail *mail);

/* The same for a thread that may outlive the reactor: a look-up's. */
void tide_reactor_post_late(struct tide_mail *mail);

/* Main: aborts what is under way and ends the thread. False: a job sits in the kernel, and a tenth of a second
 * was not enough; then the process has to end with the thread in it. */
bool tide_reactor_stop(void);

/* Any thread: of the libuv that is linked, "1.44.2". */
const char *tide_reactor_uv_version(void);

/* ---- reactor ---- */

struct uv_loop_s *tide_reactor_loop(void);
struct tide_runtime *tide_reactor_runtime(void);

/* The time of the present turn of the loop, on the monotonic clock. */
int64_t tide_reactor_now_ns(void);

/* Something to do at the end of each turn, once all mail is delivered, and before the thread sleeps; and at the end of all.
 * At most four, set before or while the reactor starts. */
struct tide_reactor_part {
    void (*turn)(void);
    void (*stop)(void);
};
void tide_reactor_add_part(const struct tide_reactor_part *part);

#endif
