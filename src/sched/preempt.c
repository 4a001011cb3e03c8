/* What both regimes share: arming the hook that raises a cancellation, and what a cut slice does. */
#include "sched/preempt.h"

#include "sched/cancel.h"
#include "sched/runtime.h"
#include "sched/worker.h"

#include <lua.h>

enum {
    MAX_SKIPS = 8,
    HELD = 100,                       /* virtual time: what a line counts for while a cancellation is held back at each one */
    LOOK_LEAST = 50, LOOK_MORE = 100, /* virtual time: a look every 50 to 149 instructions, drawn for each coroutine */
};

static struct tide_worker *worker_of(lua_State *L)
{
    return *(struct tide_worker **)lua_getextraspace(L);
}

static bool innermost(struct tide_worker *w, lua_State *L)
{
    struct tide_frame *frame = atomic_load_explicit(&w->frame, memory_order_relaxed);
    return w->task && frame && frame->L == L;
}

void tide_preempt_disarm(struct tide_worker *w, lua_State *L)
{
    w->hook_busy = 1;
    lua_sethook(L, NULL, 0, 0);
    tide_preempt_enter(w, L);
    if (w->user_hooks)
        w->runtime->engine.restore_hook(L);
    w->hook_busy = 0;
}

/* Raised never between a call and the <close> variable that takes its result. On one line no event comes between the two; a
 * call that spans lines has one, so the first line event after a return is passed over, unless it is a jump back to the line
 * of the event before (a loop). As a loop could return on each of its lines, after some of these one instruction more is let
 * go by instead: it is the one that would have taken the result. */
static void deliver_hook(lua_State *L, lua_Debug *ar)
{
    struct tide_worker *w = worker_of(L);
    struct tide_delivery *d = &w->delivery;
    if (ar->event == LUA_HOOKRET) {
        d->after_return = true;
        return;
    }
    if (d->after_return && innermost(w, L)) {
        bool loop = ar->event == LUA_HOOKLINE && ar->currentline == d->line;
        d->after_return = false;
        if (ar->event == LUA_HOOKLINE)
            d->line = ar->currentline;
        if (!loop) {
            if (++d->skips == MAX_SKIPS) {
                w->hook_busy = 1;
                lua_sethook(L, deliver_hook, LUA_MASKLINE | LUA_MASKRET | LUA_MASKCOUNT, 1);
                w->hook_busy = 0;
            }
            return;
        }
    }
    struct tide_cancel *scope = innermost(w, L) ? tide_cancel_due(w->task) : NULL;
    if (scope && w->runtime->engine.holds(L, scope)) {
        if (w->runtime->baton && tide_baton_spend(w->runtime->baton, HELD)) /* as the look that this hook stands in for */
            tide_baton_pass(w, TIDE_TURN_MIDWAY);
        return;
    }
    tide_preempt_disarm(w, L);
    if (scope)
        w->runtime->engine.raise(L, scope);
}

void tide_preempt_arm(struct tide_worker *w, lua_State *L)
{
    if (!tide_cancel_due(w->task))
        return;
    w->hook_busy = 1;
    w->delivery = (struct tide_delivery){.after_return = true, .line = -1};
    lua_sethook(L, deliver_hook, LUA_MASKLINE | LUA_MASKRET, 0);
    w->hook_busy = 0;
}

bool tide_preempt_delivering(lua_State *L)
{
    return lua_gethook(L) == deliver_hook;
}

void tide_preempt_slice(struct tide_worker *w, lua_State *L)
{
    if (!innermost(w, L))
        return;
    if (atomic_load(&w->task->attention) && tide_cancel_due(w->task)) {
        tide_preempt_arm(w, L);
        return;
    }
    struct tide_baton *baton = w->runtime->baton;
    if (baton && !tide_baton_spend(baton, lua_gethookcount(L)) && !w->runtime->options.yield_always) {
        atomic_store_explicit(&w->asked, 1, memory_order_relaxed); /* where the script has a hook it looks at this */
        return;
    }
    if (!tide_worker_can_yield(w)) {
        if (baton) { /* what the other threads would do meanwhile */
            tide_baton_pass(w, TIDE_TURN_MIDWAY);
            atomic_store_explicit(&w->asked, 1, memory_order_relaxed); /* for a script's hook */
        }
        return;
    }
    w->yielded = TIDE_YIELD_SLICE;
    w->task->inner = L;
    lua_yield(L, 0);
}

static void look_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    tide_preempt_slice(worker_of(L), L);
}

void tide_preempt_always(struct tide_worker *w, lua_State *L)
{
    /* The script's own hook stays; so does the one that delivers, and this one: where it has cut a slice Lua counts on it. */
    int every = 1;
    if (!w->runtime->options.yield_always) {
        atomic_store_explicit(&w->asked, 1, memory_order_relaxed);
        every = LOOK_LEAST + (int)(tide_baton_draw(w->runtime->baton) % LOOK_MORE);
    }
    if (!lua_gethook(L))
        lua_sethook(L, look_hook, LUA_MASKCOUNT, every);
}
