/* signals.h - the process's signals: collected in a handler on the main thread, passed on by the clock.
 *
 * Only the main thread has them unblocked. The first SIGINT or SIGTERM is a request to end in good order; a second one ends the
 * process in the handler. SIGPIPE has an empty handler and not SIG_IGN, which children would inherit.
 *
 * Threads   init on main; watch and unwatch on any worker.
 */
#ifndef TIDE_SCHED_SIGNALS_H
#define TIDE_SCHED_SIGNALS_H

#include <stdint.h>

/* Installs the handlers. 0 or TIDE_ESYSTEM. */
int tide_signals_init(void);

/* From now on `signal` (1 to 62) only sets its bit in runtime->signals. 0, or TIDE_ESYSTEM with errno set. */
int tide_signals_watch(int signal);

/* Back to what it did before. */
void tide_signals_unwatch(int signal);

/* Those that are asked to end the program, as bits. */
uint64_t tide_signals_fatal(void);

static inline uint64_t tide_signals_bit(int signal)
{
    return (uint64_t)1 << (signal - 1);
}

#endif
