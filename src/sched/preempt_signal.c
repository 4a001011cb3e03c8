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

/* Where a hook has yielded Lua marks the call, and passes over the call's next event: that of the same instruction if a hook is
 * in place when it goes on; else, much later, one that the script's own hook was to get. So this one stays until then: it
 * comes off at its second event after a cut. It comes off as well, and first of all, where it may not cut: lua_newthread
 * copies hooks, L may be a coroutine that foreign code resumed. */
static void slice_hook(lua_State *L, lua_Debug *ar)
{
    struct tide_worker *w = *(struct tide_worker **)lua_getextraspace(L);
    (void)ar;
    if (w->task && w->task->settles == L) {
        w->task->settles = NULL;
        tide_preempt_disarm(w, L);
        return;
    }
    tide_preempt_slice(w, L);
    if (lua_status(L) == LUA_YIELD)
        w->task->settles = L;
    else if (!tide_preempt_delivering(L))
        tide_preempt_disarm(w, L);
}

/* On the worker's own thread. lua_sethook only stores a few words and flags the active calls: lua.c relies on the same. Below
 * a hundred thousand calls it takes longer than a slice, so it is done once: signals that come meanwhile would follow one
 * another for ever. */
static void handler(int signal)
{
    int saved = errno;
    struct tide_worker *w = tide_worker_current();
    struct tide_frame *frame = w && !w->hook_busy ? atomic_load_explicit(&w->frame, memory_order_relaxed) : NULL;
    lua_Hook hook = frame ? lua_gethook(frame->L) : NULL;
    (void)signal;
    if (hook && hook == w->runtime->engine.script_hook)
        atomic_store_explicit(&w->asked, 1, memory_order_relaxed);
    else if (frame && hook != slice_hook && !tide_preempt_delivering(frame->L))
        lua_sethook(frame->L, slice_hook, LUA_MASKCOUNT, 1);
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
    if (worker->runtime->baton) /* its own hook will look */
        return;
    pthread_kill(worker->thread, SIGNAL);
}

void tide_preempt_enter(struct tide_worker *worker, lua_State *L)
{
    if (worker->runtime->hooks_always)
        tide_preempt_always(worker, L);
}
