/* Preemption by signal: costs nothing until it is needed. */
#include "base/error.h"
#include "sched/preempt.h"
#include "sched/runtime.h"
#include "sched/worker.h"

#include <errno.h>
#include <lua.h>
#include <signal.h>
#include <stddef.h>

/* Nobody waits for SIGURG but those who ask for out-of-band data, which is why Go took it for the same purpose. */
enum { SIGNAL = SIGURG };

static void slice_hook(lua_State *L, lua_Debug *ar)
{
    struct tide_worker *w = *(struct tide_worker **)lua_getextraspace(L);
    (void)ar;
    tide_preempt_disarm(w, L); /* first of all: lua_newthread copies hooks, L may be a coroutine that foreign code resumed */
    tide_preempt_slice(w, L);
}

/* On the worker's own thread. lua_sethook only stores a few words and flags the active calls: lua.c relies on the same. */
static void handler(int signal)
{
    int saved = errno;
    struct tide_worker *w = tide_worker_current();
    (void)signal;
    if (w && !w->hook_busy) {
        struct tide_frame *frame = atomic_load_explicit(&w->frame, memory_order_relaxed);
        if (frame && !tide_preempt_delivering(frame->L))
            lua_sethook(frame->L, slice_hook, LUA_MASKCOUNT, 1);
    }
    errno = saved;
}

int tide_preempt_init(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(SIGNAL, &action, NULL) == 0 ? 0 : TIDE_ESYSTEM;
}

void tide_preempt_signal(struct tide_worker *worker)
{
    pthread_kill(worker->thread, SIGNAL);
}

void tide_preempt_poll(struct tide_worker *worker, lua_State *L)
{
    (void)worker;
    (void)L;
}

void tide_preempt_enter(struct tide_worker *worker, lua_State *L)
{
    if (worker->runtime->options.yield_always)
        tide_preempt_always(L);
}
