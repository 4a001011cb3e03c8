/* tm.rate_limiter */
#include "exec/rate_limiter.h"

#include "base/time.h"
#include "bindings/bind.h"
#include "bindings/module.h"

#include <math.h>

static struct tide_rate_limiter *check(lua_State *L, int arg)
{
    return (struct tide_rate_limiter *)(void *)tide_handle_check(L, arg, &tide_rate_limiter_class);
}

static int new(lua_State *L)
{
    static const char *const keys[] = {"per_second", "burst", NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    tide_bind_options(L, 1, keys);
    lua_getfield(L, 1, "per_second");
    lua_Number rate = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
    if (!(rate > 0 && rate <= 1e9))
        return luaL_error(L, "bad option 'per_second' (a number > 0, at most 1e9, expected, got %s)",
                          luaL_tolstring(L, -1, NULL));
    lua_Integer burst = tide_bind_integer(L, 1, "burst", 1, 1 << 30, 1);
    return tide_bind_new(L, (struct tide_object *)tide_rate_limiter_new(rate, burst));
}

static lua_Integer count_at(lua_State *L, int arg)
{
    lua_Integer n = luaL_optinteger(L, arg, 1);
    luaL_argcheck(L, n >= 1, arg, "count is below 1");
    return n;
}

static int try(lua_State *L)
{
    struct tide_rate_limiter *limiter = check(L, 1);
    struct tide_reservation reservation;
    int64_t now = tide_now_ns(), n = count_at(L, 2);
    bool passes = tide_rate_limiter_reserve(limiter, n, now, now, &reservation);
    if (passes && tide_rate_limiter_pass(limiter, n, now) != 0) {
        tide_rate_limiter_give_back(limiter, &reservation);
        passes = false;
    }
    lua_pushboolean(L, passes);
    return 1;
}

/* What a waiter keeps. */
struct turn {
    struct tide_reservation reservation;
    int64_t latest;
};

/* Stack: 1 limiter, 2 the turn (a userdata). Context: how many. */
static int sleep_until(lua_State *L, int64_t at, lua_KContext count);

static int wait_finish(lua_State *L, int status, lua_KContext count)
{
    (void)status;
    struct tide_rate_limiter *limiter = check(L, 1);
    const struct turn *turn = lua_touserdata(L, 2);
    enum tide_wait_state how = tide_await_end(L);
    if (how == TIDE_WAIT_INTERRUPTED)
        tide_rate_limiter_give_back(limiter, &turn->reservation);
    tide_await_check(L, how);
    int64_t again = tide_rate_limiter_pass(limiter, count, tide_now_ns());
    if (again && again <= turn->latest)
        return sleep_until(L, again, count);
    lua_pushboolean(L, !again);
    return 1;
}

static int sleep_until(lua_State *L, int64_t at, lua_KContext count)
{
    tide_wait_begin(tide_await_prepare(L));
    return tide_await(L, &(struct tide_await){.deadline = at, .what = "its turn at a rate limiter"}, count, wait_finish);
}

static int wait(lua_State *L)
{
    struct tide_rate_limiter *limiter = check(L, 1);
    int64_t now = tide_now_ns(), latest = tide_await_deadline(L, 2); /* in this order: a limit of 0 is the present */
    lua_Integer n = count_at(L, 3);
    struct tide_reservation reservation;
    tide_await_prepare(L);
    if (!tide_rate_limiter_reserve(limiter, n, now, latest, &reservation)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    int64_t at = reservation.at > now ? reservation.at : tide_rate_limiter_pass(limiter, n, now);
    if (at > latest)
        tide_rate_limiter_give_back(limiter, &reservation);
    if (!at || at > latest) {
        lua_pushboolean(L, !at);
        return 1;
    }
    lua_settop(L, 1);
    struct turn *turn = lua_newuserdatauv(L, sizeof *turn, 0);
    *turn = (struct turn){reservation, latest};
    return sleep_until(L, at, n);
}

static int tostring(lua_State *L)
{
    struct tide_rate_limiter *limiter = check(L, 1);
    lua_pushfstring(L, "rate_limiter (%f a second)", 1e9 / (lua_Number)limiter->period);
    return 1;
}

void tide_open_rate_limiter(lua_State *L)
{
    static const luaL_Reg methods[] = {{"wait", wait}, {"try", try}, {NULL, NULL}};
    static const luaL_Reg meta[] = {{"__tostring", tostring}, {NULL, NULL}};
    tide_bind_class(L, &tide_rate_limiter_class, methods, meta);
    lua_pushcfunction(L, new);
    lua_setfield(L, -2, "rate_limiter");
}
