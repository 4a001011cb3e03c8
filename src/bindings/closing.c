#include "bindings/closing.h"

#include "base/time.h"

#include <string.h>

enum place { OUTSIDE, PERHAPS, INSIDE };

static const int64_t moment = TIDE_MS(20);

/* True if the call at `ar` is the frame that the scope began with. */
static bool frame_of(lua_State *L, lua_Debug *ar, const struct tide_cancel *scope)
{
    bool is = false;
    if (L == scope->home && lua_getlocal(L, ar, 1)) {
        is = lua_topointer(L, -1) == scope->mark;
        lua_pop(L, 1);
    }
    return is;
}

/* How many values the call at `ar` has on its stack, those of frames that an error has left included. */
static int height(lua_State *L, lua_Debug *ar)
{
    int has = 0, lacks = 1;
    while (lua_getlocal(L, ar, lacks)) {
        lua_pop(L, 1);
        has = lacks;
        lacks *= 2;
    }
    while (has + 1 < lacks) {
        int middle = has + (lacks - has) / 2;
        if (lua_getlocal(L, ar, middle)) {
            lua_pop(L, 1);
            has = middle;
        } else {
            lacks = middle;
        }
    }
    return has;
}

/* The C function at `up` called the function at `ar`: true if as the closer of a value that an error left behind. */
static bool after_error(lua_State *L, lua_Debug *ar, lua_Debug *up)
{
    int top = lua_gettop(L), count = height(L, up);
    bool is = false;
    if (count >= 2 && lua_getlocal(L, up, count - 1) && luaL_getmetafield(L, -1, "__close") != LUA_TNIL) {
        lua_getinfo(L, "f", ar);
        is = ar->istailcall || lua_rawequal(L, -1, -2);
    }
    lua_settop(L, top);
    return is;
}

/* What sort of call the one at `level` is. `ar` is filled in with "nt". */
static enum place place_of(lua_State *L, lua_Debug *ar, int level, bool closing)
{
    lua_Debug up;
    if (strcmp(ar->namewhat, "metamethod") == 0 && ar->name && strcmp(ar->name, "close") == 0)
        return INSIDE;
    if (!lua_getstack(L, level + 1, &up))
        return closing ? INSIDE : OUTSIDE;
    lua_getinfo(L, "S", &up);
    if (*up.what == 'C')
        return after_error(L, ar, &up) ? INSIDE : OUTSIDE;
    return ar->istailcall ? PERHAPS : OUTSIDE;
}

/* Looks at the calls of one coroutine; true if the scope's own was among them. */
static bool look(lua_State *L, bool closing, const struct tide_cancel *scope, enum place *most)
{
    lua_Debug ar;
    for (int level = 0; *most != INSIDE && lua_getstack(L, level, &ar); level++) {
        if (frame_of(L, &ar, scope))
            return true;
        lua_getinfo(L, "nt", &ar);
        enum place place = place_of(L, &ar, level, closing);
        if (place > *most)
            *most = place;
    }
    return *most == INSIDE;
}

bool tide_closing_holds(lua_State *L, struct tide_cancel *scope)
{
    struct tide_worker *w = tide_worker_of(L);
    enum place most = OUTSIDE;
    if (w->task->unwinding == scope) /* its grace is over: nothing holds it any more */
        return false;
    for (struct tide_frame *frame = w->frame; frame; frame = frame->outer)
        if (!lua_checkstack(frame->L, 4) || look(frame->L, frame->closing, scope, &most))
            break;
    if (most == OUTSIDE)
        return false;
    int64_t now = tide_now_ns(), limit = most == INSIDE ? w->runtime->options.grace_ns : moment;
    if (!scope->held_since)
        scope->held_since = now;
    return now - scope->held_since < limit;
}
