/* Preemption by a permanent count hook that looks at a flag: for ThreadSanitizer, which holds signals back. */
#include "sched/preempt.h"
#include "sched/runtime.h"
#include "sched/worker.h"

#include <lua.h>
#include <setjmp.h>
#include <stdatomic.h>

enum { EVERY = 1000 };

static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct tide_worker *w = *(struct tide_worker **)lua_getextraspace(L);
    (void)ar;
    if (atomic_load_explicit(&w->asked, memory_order_relaxed) && atomic_exchange(&w->asked, 0))
        tide_preempt_slice(w, L);
}

int tide_preempt_init(void)
{
    return 0;
}

void tide_preempt_signal(struct tide_worker *worker)
{
    if (!worker->runtime->baton) /* else its own hook will look */
        atomic_store(&worker->asked, 1);
}

void tide_preempt_enter(struct tide_worker *worker, lua_State *L)
{
    if (worker->runtime->hooks_always)
        tide_preempt_always(worker, L);
    else if (!lua_gethook(L))
        lua_sethook(L, count_hook, LUA_MASKCOUNT, EVERY);
}

/* Debian's Lua is built with _FORTIFY_SOURCE, so its errors and yields jump by __longjmp_chk. The sanitizer knows longjmp but
 * not that one: the frames that such a jump leaves would stay on its shadow stack, which overflows after some 64,000. */
void __longjmp_chk(jmp_buf env, int value) __attribute__((noreturn, visibility("default")));
void __longjmp_chk(jmp_buf env, int value)
{
    longjmp(env, value);
}
