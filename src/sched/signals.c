#include "sched/signals.h"

#include "base/error.h"
#include "sched/clock.h"
#include "sched/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static _Atomic uint64_t watched;  /* signals that the script handles itself */
static _Atomic uint32_t asked;    /* a fatal one has come */

static uint64_t fatal_set(void)
{
    return tide_signals_bit(SIGINT) | tide_signals_bit(SIGTERM);
}

uint64_t tide_signals_fatal(void)
{
    return fatal_set() & ~atomic_load(&watched);
}

static void caught(int signal)
{
    int saved = errno;
    struct tide_runtime *runtime = tide_runtime_get();
    if ((tide_signals_fatal() & tide_signals_bit(signal)) && atomic_exchange(&asked, 1))
        _exit(128 + signal);
    if (runtime) {
        atomic_fetch_or(&runtime->signals, tide_signals_bit(signal));
        tide_clock_wake(runtime);
    }
    errno = saved;
}

static void ignore(int signal)
{
    (void)signal;
}

static int install(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    return sigaction(signal, &action, NULL) == 0 ? 0 : TIDE_ESYSTEM;
}

int tide_signals_init(void)
{
    int failed = install(SIGINT, caught);
    if (!failed)
        failed = install(SIGTERM, caught);
    if (!failed)
        failed = install(SIGPIPE, ignore);
    return failed;
}

int tide_signals_watch(int signal)
{
    atomic_fetch_or(&watched, tide_signals_bit(signal));
    int failed = install(signal, caught);
    if (failed)
        atomic_fetch_and(&watched, ~tide_signals_bit(signal));
    return failed;
}

void tide_signals_unwatch(int signal)
{
    atomic_fetch_and(&watched, ~tide_signals_bit(signal));
    if (fatal_set() & tide_signals_bit(signal))
        return; /* the handler stays and means the end again */
    install(signal, signal == SIGPIPE ? ignore : SIG_DFL);
}
